"""Face restorers of other kinds (RestoreFormer and whatever else spandrel recognises), run with torch."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gfpvideo.errors import WeightsError
from gfpvideo.generator.engines.torch_engine import choose_device, choose_precision
from gfpvideo.generator.loading import read_state_dict
from gfpvideo.options import Precision

_USUAL_SIZE = 512
"""Side of the crops that published face restorers were trained on."""
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class SpandrelEngine:
    """Runs a face restorer; implements :class:`gfpvideo.generator.engines.Engine`."""

    size = _USUAL_SIZE

    def __init__(self, model: Path, device: str, precision: Precision) -> None:
        """Load a model file; only tensors are read from it.

        Raises:
            WeightsError: if spandrel is not installed, or does not know it as a restorer of faces.
            EngineError: if the device or precision is not to be had here.
        """
        if find_spec("spandrel") is None:
            raise WeightsError(
                f'{model.name}: not a GFP-GAN; for other face restorers install: pip install "gfpvideo[spandrel]"'
            )
        from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

        self._device = choose_device(device)
        chosen = choose_precision(precision, self._device)
        try:
            found = ModelLoader(self._device).load_from_state_dict(read_state_dict(model))
        except (UnsupportedModelError, RuntimeError) as error:
            raise WeightsError(f"{model.name}: neither a GFP-GAN nor a model that spandrel knows ({error})") from None
        name = found.architecture.name
        if not isinstance(found, ImageModelDescriptor) or found.purpose != "FaceSR" or found.scale != 1:
            raise WeightsError(f"{model.name}: a {name} is not a restorer of faces")
        if (chosen == "fp16" and not found.supports_half) or (chosen == "bf16" and not found.supports_bfloat16):
            chosen = "fp32"
        self._dtype = _DTYPES[chosen]
        self._model = found.to(self._device, self._dtype).eval()
        self.name = f"spandrel {name} {self._device} {chosen}"

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the crops one after the other: attention need not treat a batch as its members."""
        return np.concatenate([self._one(crop[None]) for crop in crops])

    def _one(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        given = (torch.from_numpy(crop).to(self._device, self._dtype) + 1) / 2
        restored = self._model(given)
        return (restored.float() * 2 - 1).contiguous().cpu().numpy()
