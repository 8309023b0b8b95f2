"""RetinaFace (Deng et al., CVPR 2020) by facexlib, for users who fetched its weights: slower, finer than CenterFace."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from facexlib.detection.retinaface import RetinaFace

from gfpvideo.errors import WeightsError
from gfpvideo.faces.align import FFHQ_512
from gfpvideo.faces.detectors.detector import Picture
from gfpvideo.frames import Detection
from gfpvideo.networks.device import choose_device


class RetinaFaceDetector:
    """Implements :class:`gfpvideo.faces.detectors.detector.Detector` with the ResNet-50 network."""

    name = "retinaface"
    landmarks_512 = FFHQ_512
    """The FFHQ template was made with this detector's landmarks."""

    def __init__(self, weights: Path, min_score: float, device: str = "auto") -> None:
        """Load the network from a checked file and keep faces that score at least ``min_score``.

        Raises:
            WeightsError: if the file does not hold RetinaFace's weights.
            EngineError: if the device is not to be had here.
        """
        self._min_score = min_score
        chosen = choose_device(device)
        self._network = RetinaFace(network_name="resnet50", half=False, device=chosen)
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self._network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
        except (RuntimeError, AttributeError, EOFError, OSError) as error:
            raise WeightsError(f"{weights}: not the weights of RetinaFace (ResNet-50)") from error
        self._network.to(chosen).eval()

    @torch.inference_mode()
    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        """See :class:`gfpvideo.faces.detectors.detector.Detector`."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Picture) -> list[Detection]:
        found = self._network.detect_faces(picture, self._min_score)
        return [
            Detection(row[5:15].reshape(5, 2).astype(np.float64), row[:4].astype(np.float64), float(row[4]))
            for row in np.asarray(found).reshape(-1, 15)
        ]
