"""The generator: a model on the engine that was chosen, which restores aligned crops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.generator.engines.choose import make_engine
from gfpvideo.generator.engines.engine import Engine, EngineChoice
from gfpvideo.generator.engines.several import SeveralEngines
from gfpvideo.generator.models import ModelFile, find_model
from gfpvideo.networks.abilities import Abilities
from gfpvideo.options.restore import Compiler, EngineName, Precision

Crops = NDArray[np.float32]


class Generator:
    """A restorer of aligned faces.

    Calling it takes and returns (B, 3, S, S) float32 RGB in [-1, 1], S being :attr:`size`.
    """

    def __init__(self, model: ModelFile, engine: Engine) -> None:
        self.model = model
        self.engine = engine

    @property
    def abilities(self) -> Abilities:
        """What the network can do."""
        return self.engine.abilities

    @property
    def size(self) -> int:
        """Side of a crop in pixels."""
        return self.abilities.size

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


def make_generator(model: ModelFile, choice: EngineChoice, devices: Sequence[str] = ()) -> Generator:
    """Load a model.

    Args:
        model: the checked file.
        choice: how to run it.
        devices: several that share the work, instead of the choice's own.

    Raises:
        WeightsError: if the file is neither a GFP-GAN nor a face restorer that spandrel knows.
        EngineError: if the engine, device, precision or compiler is not to be had here.
    """
    engines = [make_engine(model, each) for each in choice.shared(devices)]
    return Generator(model, engines[0] if len(engines) == 1 else SeveralEngines(engines))


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
        name_or_path: see :func:`gfpvideo.generator.models.find_model`.
        engine: this and the others: see :class:`gfpvideo.generator.engines.engine.EngineChoice`.
        device: likewise.
        precision: likewise.
        weights_dir: where downloaded weights lie.
        together: likewise.
        compiler: likewise.

    Raises:
        WeightsError: if the model is missing, damaged, or neither a GFP-GAN nor a face restorer that spandrel knows.
        EngineError: if the engine, device, precision or compiler is not to be had here.
    """
    choice = EngineChoice(engine, device, precision, compiler, together)
    return make_generator(find_model(name_or_path, weights_dir), choice)
