"""The interface of face detectors, and what they share."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Detection

Picture = NDArray[np.uint8]


class Detector(Protocol):
    """Finds faces in pictures."""

    name: str
    landmarks_512: NDArray[np.float64]
    """(5, 2) where its landmarks lie in a face aligned at 512x512, on average: detectors differ by a few pixels."""

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        """Faces of each picture, best first.

        Args:
            pictures: (h, w, 3) BGR, all of one size.

        Returns:
            For each picture its detections, in its own pixel coordinates.
        """
        ...


def best_of_overlapping(detections: Sequence[Detection], overlap: float) -> list[Detection]:
    """Drop each detection whose box overlaps a better one's by more than ``overlap`` (intersection over union)."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda detection: -detection.score):
        if all(intersection_over_union(candidate.box, other.box) <= overlap for other in kept):
            kept.append(candidate)
    return kept


def intersection_over_union(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Shared area of two boxes (left, top, right, bottom) over the area of both together."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0.0)))
    both = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / both if both > 0 else 0.0
