"""ParseNet by facexlib, for users who fetched its weights: which pixels of an aligned crop are face.

It costs more than the generator itself; the ellipse and the guard (:mod:`gfpvideo.composite.guard`) do without.
"""

from pathlib import Path

import numpy as np
import torch
from facexlib.parsing.parsenet import ParseNet
from numpy.typing import NDArray
from torch.nn import functional as F

from gfpvideo.errors import WeightsError
from gfpvideo.networks.device import choose_device

_SIDE = 512
_CLASSES = 19
_FACE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
"""CelebAMask-HQ classes that count as face: skin, features, ears, hair, ear rings; no hat, necklace, neck or cloth."""


class FaceParser:
    """Tells face from everything else in aligned crops."""

    def __init__(self, weights: Path, device: str = "auto") -> None:
        """Load the network from a checked file.

        Raises:
            WeightsError: if the file does not hold ParseNet's weights.
            EngineError: if the device is not to be had here.
        """
        self._device = choose_device(device)
        self._network = ParseNet(in_size=_SIDE, out_size=_SIDE, parsing_ch=_CLASSES)
        try:
            self._network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except (RuntimeError, AttributeError, EOFError, OSError) as error:
            raise WeightsError(f"{weights}: not the weights of ParseNet") from error
        self._network.to(self._device).eval()

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, S, S) share of face in each pixel of (B, 3, S, S) RGB crops in [-1, 1]."""
        size = crops.shape[-1]
        batch = torch.from_numpy(crops).to(self._device)
        scaled = F.interpolate(batch, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        classes = self._network(scaled)[0].argmax(dim=1, keepdim=True)
        face = torch.isin(classes, torch.tensor(_FACE, device=self._device)).float()
        return F.interpolate(face, (size, size), mode="area")[:, 0].cpu().numpy()
