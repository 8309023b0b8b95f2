"""The detection stage: faces of every frame, in display coordinates."""

from collections.abc import Iterator

from gfpvideo.faces.detector import Detector
from gfpvideo.frames import DetectedFrame, Frame


def detect(frames: Iterator[tuple[Frame, bool]], detector: Detector) -> Iterator[DetectedFrame]:
    """Stage: find the faces of each frame in its thumbnail."""
    for frame, cut in frames:
        (found,) = detector.detect([frame.thumbnail])
        yield DetectedFrame(frame, cut, tuple(face.scaled(frame.thumbnail_scale) for face in found))
