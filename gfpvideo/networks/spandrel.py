"""Read model files of other makers by spandrel, and by its package of extra networks where that is installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gfpvideo.errors import WeightsError
from gfpvideo.networks.gfpgan.loading import read_state_dict

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor


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
