"""The detector that somebody asked for."""

from pathlib import Path

from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.options.restore import DetectorName


def make_detector(name: DetectorName, min_score: float, weights: Path | None = None) -> Detector:
    """A detector by name; ``weights`` is the checked file of RetinaFace."""
    if name == "centerface":
        from gfpvideo.faces.detectors.centerface import CenterFace

        return CenterFace(min_score)
    from gfpvideo.faces.detectors.retinaface import RetinaFaceDetector

    assert weights is not None
    return RetinaFaceDetector(weights, min_score)
