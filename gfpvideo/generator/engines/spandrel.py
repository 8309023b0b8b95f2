"""Face restorers of other kinds (RestoreFormer, CodeFormer and whatever else spandrel recognises), run with torch."""

import numpy as np
import torch
from numpy.typing import NDArray

from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.engines.torch import DTYPES, choose_precision
from gfpvideo.generator.models import ModelFile
from gfpvideo.networks.abilities import SPAN
from gfpvideo.networks.device import choose_device
from gfpvideo.networks.spandrel import read_restorer


class SpandrelEngine:
    """Runs a face restorer; implements :class:`gfpvideo.generator.engines.engine.Engine`."""

    def __init__(self, model: ModelFile, choice: EngineChoice) -> None:
        """Load a model file; only tensors are read from it.

        Raises:
            WeightsError: if spandrel is not installed, or does not know it as a restorer of faces.
            EngineError: if the device or precision is not to be had here.
        """
        self._device = choose_device(choice.device)
        restorer = read_restorer(model.path, self._device)
        self.abilities = restorer.abilities
        chosen = choose_precision(choice.precision, self._device, self.abilities.precisions)
        self._dtype = DTYPES[chosen]
        self._network, self._call = restorer.found.to(self._device, self._dtype).eval(), restorer.call
        self.name = f"spandrel {restorer.name} {self._device} {chosen}"

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the crops one after the other: attention need not treat a batch as its members."""
        return np.concatenate([self._one(crop[None]) for crop in crops])

    def _one(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        (low, high), (own_low, own_high) = SPAN, self.abilities.span
        factor = (own_high - own_low) / (high - low)
        given = (torch.from_numpy(crop) - low) * factor + own_low
        restored = self._call(self._network, given.to(self._device, self._dtype)).float()
        return ((restored - own_low) / factor + low).contiguous().cpu().numpy()
