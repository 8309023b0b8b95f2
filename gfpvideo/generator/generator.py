"""The generator: find the model that was asked for, choose an engine, and restore aligned crops."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import EngineError, UnknownArchitectureError, WeightsError
from gfpvideo.generator.engines.choose import make_engine
from gfpvideo.generator.engines.engine import Engine
from gfpvideo.networks import weights
from gfpvideo.options.restore import Compiler, EngineName, Precision

Crops = NDArray[np.float32]

EMBEDDED = "compact"
"""Name of the model that ships with gfpvideo."""


@dataclass(frozen=True)
class ModelFile:
    """A model's name and the checked file that holds it."""

    name: str
    path: Path
    architecture: str = ""
    """Which loader reads it, where the manifest says; otherwise found from the keys, when it is loaded."""


class Generator:
    """A restorer of aligned faces.

    Calling it takes and returns (B, 3, S, S) float32 RGB in [-1, 1], S being :attr:`size`.
    """

    def __init__(self, model: ModelFile, engine: Engine) -> None:
        self.model = model
        self.engine = engine

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.engine.size

    def __call__(self, crops: Crops) -> Crops:
        """Restore a batch of crops.

        Raises:
            ValueError: if ``crops`` does not have the shape and type that the model takes.
        """
        expected = (3, self.size, self.size)
        if crops.ndim != 4 or crops.shape[1:] != expected or crops.dtype != np.float32:
            raise ValueError(f"crops must be float32 of shape (B, {expected}), not {crops.dtype} {crops.shape}")
        if not len(crops):
            return crops.copy()
        return np.clip(self.engine(crops), -1.0, 1.0)

    def __repr__(self) -> str:
        return f"Generator({self.model.name}, {self.size}x{self.size}, {self.engine.name})"


def find_model(name_or_path: str, folder: Path | None = None) -> ModelFile:
    """The model called ``name_or_path``.

    Args:
        name_or_path: a name of the manifest, ``compact``, the path of a ``.pth`` or ``.safetensors`` file, or
            ``auto``: the best published generator that is installed, else ``compact``.
        folder: where downloaded weights lie; see :func:`gfpvideo.networks.weights.weights_folder`.

    Raises:
        WeightsError: if there is no such model, it is not installed, or its hash is wrong.
    """
    if name_or_path == "auto":
        return find_model(_best_installed(folder), folder)
    if name_or_path in weights.manifest():
        known = weights.entry(name_or_path)
        if known.use != "generator":
            raise WeightsError(f"{name_or_path} is a {known.use}, not a generator")
        return ModelFile(known.name, weights.installed(known.name, folder), known.architecture)
    path = Path(name_or_path)
    if path.suffix not in {".pth", ".safetensors"}:
        names = [known.name for known in weights.manifest().values() if known.use == "generator"]
        raise WeightsError(
            f"no model {name_or_path!r}; give one of {', '.join(names)}, or the path of a .pth or .safetensors file"
        )
    if not path.is_file():
        raise WeightsError(f"{path}: no such model file")
    known = weights.identify(path)
    return ModelFile(path.name, path, known.architecture if known else "")


def _best_installed(folder: Path | None) -> str:
    root = weights.weights_folder(folder)
    for known in weights.manifest().values():
        ours = known.architecture.startswith("gfpgan_")
        if known.use == "generator" and ours and not known.embedded and known.path(root).is_file():
            return known.name
    return EMBEDDED


def load_generator(
    name_or_path: str = "auto",
    engine: EngineName = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    *,
    weights_dir: Path | None = None,
    together: int = 1,
    compiler: Compiler = "none",
) -> Generator:
    """Load a generator; never downloads.

    Args:
        name_or_path: see :func:`find_model`.
        engine: ``openvino``, ``torch``, or ``auto``: torch where CUDA is present, else OpenVINO.
        device: ``cpu``, ``cuda``, ``cuda:N``, ``gpu`` (Intel, by OpenVINO) or ``auto``.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``auto``: the fastest that the device computes natively.
        weights_dir: where downloaded weights lie.
        together: how many crops are usually restored by one call; results do not depend on it, their speed does.
        compiler: what compiles a network that torch runs: ``inductor``, ``cudagraphs``, ``tensorrt`` or ``none``.

    Raises:
        WeightsError: if the model is missing, damaged, or neither a GFP-GAN nor a face restorer that spandrel knows.
        EngineError: if the engine, device, precision or compiler is not to be had here.
    """
    model = find_model(name_or_path, weights_dir)
    try:
        made = make_engine(model.path, model.architecture, engine, device, precision, together, compiler)
    except UnknownArchitectureError:
        if compiler != "none":
            raise EngineError(f"--compiler {compiler} is for GFP-GANs; {model.name} is none") from None
        from gfpvideo.generator.engines.spandrel import SpandrelEngine

        made, model = SpandrelEngine(model.path, device, precision), replace(model, architecture="spandrel")
    return Generator(model, made)
