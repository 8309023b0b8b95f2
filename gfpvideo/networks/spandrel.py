"""Read model files of other makers by spandrel, and by its package of extra networks where that is installed."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gfpvideo.errors import WeightsError
from gfpvideo.networks.abilities import SPANDREL, Abilities
from gfpvideo.networks.gfpgan.loading import read_state_dict

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

_USUAL_SIZE = 512
"""Side of the crops that published face restorers were trained on."""


@dataclass(frozen=True)
class Kind:
    """What of an architecture spandrel's descriptor does not say, or says otherwise."""

    span: tuple[float, float] = (0.0, 1.0)
    """Range of the values that it was trained on."""
    call: Callable[[Any, Tensor], Tensor] = lambda found, crop: found(crop)
    """Runs a descriptor's network on values of that range."""


_KINDS = {"CodeFormer": Kind((-1.0, 1.0), lambda found, crop: found.model(crop)[0])}
"""By spandrel's identifier. spandrel 0.4 gives CodeFormer values from 0 to 1; it was trained on -1 to 1."""


@dataclass(frozen=True)
class Restorer:
    """A restorer of faces, as spandrel found it."""

    found: "ImageModelDescriptor[Any]"
    abilities: Abilities
    call: Callable[[Any, Tensor], Tensor]

    @property
    def name(self) -> str:
        """The architecture's."""
        return self.found.architecture.name


def read_restorer(model: Path, device: torch.device) -> Restorer:
    """The restorer of faces in a model file; only tensors are read from it.

    Raises:
        WeightsError: if spandrel is not installed, or does not know it as a restorer of faces.
    """
    found = read_model(model, device, f"{model.name}: not a GFP-GAN; for other face restorers")
    if found.purpose != "FaceSR" or found.scale != 1:
        raise WeightsError(f"{model.name}: a {found.architecture.name} is not a restorer of faces")
    kind = _KINDS.get(found.architecture.id, Kind())
    halves = {"bf16": found.supports_bfloat16, "fp16": found.supports_half}
    able = ("fp32", *(name for name, supported in halves.items() if supported))
    return Restorer(found, Abilities(_USUAL_SIZE, precisions=able, span=kind.span, libraries=SPANDREL), kind.call)


def read_model(model: Path, device: torch.device, missing: str) -> "ImageModelDescriptor[Any]":
    """A network that turns one picture into another; only tensors are read from its file.

    Args:
        model: a ``.pth`` or ``.safetensors`` file.
        device: where the network is to run.
        missing: what to say if spandrel is not installed, before the command that installs it.

    Raises:
        WeightsError: if the file cannot be read, or spandrel is not installed or does not know the network.
    """
    if find_spec("spandrel") is None:
        raise WeightsError(f'{missing} install: pip install "gfpvideo[spandrel]"')
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

    if find_spec("spandrel_extra_arches") is not None:
        import spandrel_extra_arches

        spandrel_extra_arches.install(ignore_duplicates=True)
    try:
        found = ModelLoader(device).load_from_state_dict(read_state_dict(model))
    except (UnsupportedModelError, RuntimeError) as error:
        raise WeightsError(f"{model.name}: neither gfpvideo nor spandrel knows this network ({error})") from None
    if not isinstance(found, ImageModelDescriptor):
        raise WeightsError(f"{model.name}: a {found.architecture.name} does not turn one picture into another")
    return found
