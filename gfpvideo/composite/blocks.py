"""How high the steps are that compression left at the borders of its blocks, in the frame's own samples.

JPEG, MPEG-1, MPEG-2, MPEG-4 and DV code squares of 8 samples each by itself. Coarsely coded, neighbours do not meet:
every eighth difference is larger than the others. A face's own detail knows no such raster.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, Frame, Rect

_PITCH = 8
"""Samples from one border to the next."""
_INNER = 0.7
"""Share of a crop's sides that is looked at: the face without its surroundings."""
_LINES = 160
"""Lines that are looked at, at most: more tell no more."""
_LARGEST = 12.0
"""Levels of 255 beyond which a difference is taken to be an edge of the picture."""
_LEAST = 3
"""Periods of the raster that must be seen for it to be one."""


def block_steps(frame: Frame, crop: Crop) -> float:
    """Mean height of the steps at borders of blocks in a face, in levels of 255; 0 where there are none.

    Measured: on clean faces of 120 pixels and more at most 0.4; JPEG of quality 90 leaves 0.4, 80 0.9, 60 1.8, 30 3.1
    and 10 5.9. It does not matter where the raster starts, so a picture may have been cut since; one that was resized
    has another raster, which is not seen.
    """
    return steps_under(frame, inner(crop, frame))


def steps_under(frame: Frame, rect: Rect) -> float:
    """The same anywhere in a picture."""
    luma = levels(frame, rect)
    if min(luma.shape) < _LEAST * _PITCH:
        return 0.0
    return max(0.0, min(_steps(luma), _steps(luma.T)))  # what stripes do in one direction, blocks do in both


def inner(crop: Crop, frame: Frame) -> Rect:
    """What of a frame is looked at to see what a crop's face suffers from: the face with little around it."""
    rect, size = crop.rect, frame.size
    across, down = (round(side * (1 - _INNER) / 2) for side in (rect.width, rect.height))
    right, bottom = min(size[0], rect.right - across), min(size[1], rect.bottom - down)
    return Rect(max(0, rect.left + across), max(0, rect.top + down), right, bottom)


def levels(frame: Frame, rect: Rect) -> NDArray[np.float32]:
    """Samples (H, W) of luma, or of green, from 0 to 255."""
    return _samples(frame, rect) * _level(frame)


def difference(one: Frame, other: Frame, rect: Rect) -> float:
    """Mean difference of two like frames' samples of luma, or of green, within a rectangle, in levels of 255."""
    apart = cv2.absdiff(*(np.ascontiguousarray(_samples(frame, rect)) for frame in (one, other)))
    return float(cv2.mean(apart)[0] * _level(one))


def _samples(frame: Frame, rect: Rect) -> NDArray[np.integer]:
    component = frame.components[1 if frame.samples.family == "rgb" else 0]
    return component[rect.top : rect.bottom, rect.left : rect.right]


def _level(frame: Frame) -> np.float32:
    """A step of a frame's samples in levels of 255."""
    return np.float32(255 / ((2**frame.samples.bits - 1) << frame.samples.shift))


def _steps(luma: NDArray[np.float32]) -> float:
    """By how much the differences along the rows at one of eight places surely exceed those at the others."""
    differences = np.abs(np.diff(luma[:: -(-len(luma) // _LINES)], axis=1))
    beyond = differences[:, 1:-1] - (differences[:, :-2] + differences[:, 2:]) / 2
    profile = np.clip(beyond, -_LARGEST, _LARGEST).mean(axis=0)
    places = profile[: len(profile) // _PITCH * _PITCH].reshape(-1, _PITCH).mean(axis=0)
    aligned = np.roll(places, 1 - int(places.argmax()))
    others = aligned[3:]  # a border's neighbours lack what it has too much
    return float(aligned[1] - others.mean() - 2 * others.std())
