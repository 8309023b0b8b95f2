"""The detection stage: faces of every frame, in display coordinates."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpvideo.faces.detector import Detector, Picture, intersection_over_union
from gfpvideo.frames import DetectedFrame, Detection, Frame

_SAME_FACE = 0.3
"""Overlap of boxes (intersection over union) from which two detections are one face."""


def detect(frames: Iterator[tuple[Frame, bool]], detector: Detector) -> Iterator[DetectedFrame]:
    """Stage: find the faces of each frame in its thumbnail."""
    for frame, cut in frames:
        found = detect_upright(detector, frame.thumbnail)
        yield DetectedFrame(frame, cut, tuple(face.scaled(frame.thumbnail_scale) for face in found))


def detect_upright(detector: Detector, picture: Picture) -> list[Detection]:
    """Faces of a picture; those that lie on their side or stand on their head are looked at again, turned upright.

    A detector still notices such faces, but its landmarks are off by a good part of the face.
    """
    (found,) = detector.detect([picture])
    for turns in sorted({quarter_turns(face) for face in found} - {0}):
        (turned,) = detector.detect([np.ascontiguousarray(np.rot90(picture, turns))])
        upright = [turned_back(face, turns, picture) for face in turned if quarter_turns(face) == 0]
        found = [_better(face, upright) if quarter_turns(face) == turns else face for face in found]
    return found


def quarter_turns(face: Detection) -> int:
    """Anticlockwise quarter-turns that bring a face upright: 0 to 3."""
    x, y = face.landmarks[1] - face.landmarks[0]
    return round(np.arctan2(y, x) / (np.pi / 2)) % 4


def turned_back(face: Detection, turns: int, picture: Picture) -> Detection:
    """A face found in ``numpy.rot90(picture, turns)``, in coordinates of ``picture``."""
    right, bottom = picture.shape[1] - 1, picture.shape[0] - 1

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points[:, 0], points[:, 1]
        return np.stack({1: (right - y, x), 2: (right - x, bottom - y), 3: (y, bottom - x)}[turns], axis=1)

    corners = back(face.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Detection(back(face.landmarks), box, face.score)


def _better(face: Detection, upright: Sequence[Detection]) -> Detection:
    """The same face as it was found upright, if it was."""
    same = [other for other in upright if intersection_over_union(face.box, other.box) > _SAME_FACE]
    return max(same, key=lambda other: other.score, default=face)
