"""The detector that somebody asked for."""

from pathlib import Path

from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.options.restore import DetectorName


def make_detector(name: DetectorName, min_score: float, weights: Path | None = None, device: str = "auto") -> Detector:
    """A detector by name.

    Args:
        name: which one.
        min_score: least score of a face.
        weights: the checked file of RetinaFace.
        device: where RetinaFace runs; CenterFace is quick enough on the CPU.

    Raises:
        WeightsError: if its weights are missing, damaged or others.
        EngineError: if the device is not to be had here.
    """
    if name == "centerface":
        from gfpvideo.faces.detectors.centerface import CenterFace

        return CenterFace(min_score)
    from gfpvideo.faces.detectors.retinaface import RetinaFaceDetector

    assert weights is not None
    return RetinaFaceDetector(weights, min_score, device)
