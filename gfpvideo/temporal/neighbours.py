"""What those who look at a face's neighbours in time hold of each frame, and how they mix what these show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import cv2
import numpy as np

from gfpvideo.frames import Crop
from gfpvideo.pixels.color import FloatImage
from gfpvideo.temporal.agreement import softened

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Held(Generic[Kept]):
    """A frame of a window, and its crops by track."""

    frame: Kept | None
    """The frame itself, until it was handed on."""
    crops: Mapping[int, Crop]
    luma: Mapping[int, FloatImage]
    """What is compared of them."""

    @property
    def now(self) -> Kept:
        """The frame, while it is still there."""
        assert self.frame is not None
        return self.frame


def held(frame: Kept, crops: Iterable[Crop]) -> Held[Kept]:
    """A frame and those of its crops that matter."""
    by_track = {crop.face.track: crop for crop in crops}
    return Held(frame, by_track, {track: softened(crop.luma) for track, crop in by_track.items()})


def shed(item: Held[Kept]) -> Held[Kept]:
    """The same without the frame, which was handed on: neighbours only need its crops."""
    return replace(item, frame=None)


def enlarged(weight: FloatImage, size: int, height: int | None = None) -> FloatImage:
    """(size, size) weights, or (height, size), that were made at the size at which pictures are compared."""
    return np.asarray(cv2.resize(weight, (size, height or size), interpolation=cv2.INTER_LINEAR), np.float32)


def weighted_mean(
    own: FloatImage, others: Sequence[FloatImage], weights: Sequence[FloatImage], own_weight: float = 1.0
) -> FloatImage:
    """Weighted mean of a picture and its neighbours.

    Args:
        own: (S, S) or (S, S, C).
        others: pictures of the same shape.
        weights: (S, S) of each neighbour, at least 0.
        own_weight: of the picture itself.
    """
    total, weight_sum = np.float32(own_weight) * own, np.full(own.shape[:2], own_weight, np.float32)
    for other, weight in zip(others, weights, strict=True):
        cv2.accumulateProduct(other, weight if other.ndim == 2 else cv2.merge([weight] * other.shape[2]), total)
        weight_sum += weight
    divisor = weight_sum if own.ndim == 2 else cv2.merge([weight_sum] * own.shape[2])
    return np.asarray(cv2.divide(total, divisor), np.float32)
