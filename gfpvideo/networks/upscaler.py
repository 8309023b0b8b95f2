"""Enlarge whole pictures, tile by tile, with an upscaler that spandrel knows (Real-ESRGAN and others)."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gfpvideo.errors import WeightsError
from gfpvideo.networks.device import choose_device
from gfpvideo.networks.spandrel import read_model

_TILE = 256
"""Side of a tile in pixels, its borders aside."""
_BORDER = 16
"""Pixels around a tile that the network sees and that are thrown away."""


class Upscaler:
    """Enlarges pictures ``scale`` times in width and height."""

    def __init__(self, model: Path, scale: int, device: str = "auto") -> None:
        """Load a model file; only tensors are read from it.

        Args:
            model: a ``.pth`` or ``.safetensors`` file.
            scale: how many times; a network made for another scale is followed by resampling.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            WeightsError: if spandrel is not installed, or does not know it as a network for whole pictures.
            EngineError: if the device is not to be had here.
        """
        self.scale = scale
        self._device = choose_device(device)
        found = read_model(model, self._device, "--background-model needs spandrel;")
        if found.purpose not in {"SR", "Restoration"} or found.input_channels != 3 or found.output_channels != 3:
            raise WeightsError(f"{model.name}: a {found.architecture.name} does not enlarge pictures in colour")
        self._model: Any = found.eval()

    @torch.inference_mode()
    def __call__(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Enlarge a picture.

        Args:
            picture: (H, W, 3) RGB in [0, 1].

        Returns:
            (H * scale, W * scale, 3), the same.
        """
        height, width = picture.shape[:2]
        own = self._model.scale
        padded = np.pad(picture, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="symmetric")
        large = np.empty((height * own, width * own, 3), np.float32)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                tile = padded[top : top + _TILE + 2 * _BORDER, left : left + _TILE + 2 * _BORDER]
                inner = self._run(tile)[_BORDER * own : -_BORDER * own, _BORDER * own : -_BORDER * own]
                large[top * own : top * own + len(inner), left * own : left * own + inner.shape[1]] = inner
        if own == self.scale:
            return large
        size = (width * self.scale, height * self.scale)
        kind = cv2.INTER_AREA if own > self.scale else cv2.INTER_LANCZOS4
        return np.clip(np.asarray(cv2.resize(large, size, interpolation=kind), np.float32), 0.0, 1.0)

    def _run(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(np.ascontiguousarray(tile.transpose(2, 0, 1)))[None].to(self._device)
        restored = self._model(batch).clamp(0, 1)[0].float().cpu().numpy()
        return restored.transpose(1, 2, 0)
