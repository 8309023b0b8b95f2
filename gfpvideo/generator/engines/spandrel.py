"""Face restorers of other kinds (RestoreFormer, CodeFormer and whatever else spandrel recognises), run with torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gfpvideo.errors import WeightsError
from gfpvideo.generator.engines.torch import choose_precision
from gfpvideo.networks.device import choose_device
from gfpvideo.networks.spandrel import read_model
from gfpvideo.options.restore import Precision

_USUAL_SIZE = 512
"""Side of the crops that published face restorers were trained on."""
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_OWN_RANGE = {"CodeFormer"}
"""Networks trained on [-1, 1] whose values spandrel 0.4 takes to lie in [0, 1]: these are called directly."""


class SpandrelEngine:
    """Runs a face restorer; implements :class:`gfpvideo.generator.engines.choose.Engine`."""

    size = _USUAL_SIZE

    def __init__(self, model: Path, device: str, precision: Precision) -> None:
        """Load a model file; only tensors are read from it.

        Raises:
            WeightsError: if spandrel is not installed, or does not know it as a restorer of faces.
            EngineError: if the device or precision is not to be had here.
        """
        self._device = choose_device(device)
        chosen = choose_precision(precision, self._device)
        found = read_model(model, self._device, f"{model.name}: not a GFP-GAN; for other face restorers")
        name = found.architecture.name
        if found.purpose != "FaceSR" or found.scale != 1:
            raise WeightsError(f"{model.name}: a {name} is not a restorer of faces")
        if (chosen == "fp16" and not found.supports_half) or (chosen == "bf16" and not found.supports_bfloat16):
            chosen = "fp32"
        self._dtype = _DTYPES[chosen]
        self._restore = _symmetric(found.to(self._device, self._dtype).eval())
        self.name = f"spandrel {name} {self._device} {chosen}"

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the crops one after the other: attention need not treat a batch as its members."""
        return np.concatenate([self._one(crop[None]) for crop in crops])

    def _one(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        restored = self._restore(torch.from_numpy(crop).to(self._device, self._dtype))
        return restored.float().contiguous().cpu().numpy()


def _symmetric(found: Any) -> Callable[[Tensor], Tensor]:
    """The network as a function on [-1, 1]."""
    if found.architecture.name in _OWN_RANGE:
        return lambda crop: found.model(crop)[0]
    return lambda crop: found((crop + 1) / 2) * 2 - 1
