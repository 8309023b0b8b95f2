"""Where a restored crop is used: a soft region around the face that fades to nothing before the crop's border."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame

Parser = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(B, 3, S, S) crops to the (B, S, S) share of face in their pixels."""

_CENTRE = (0.5, 0.53)
"""Middle of the region in an FFHQ-aligned crop, as shares of its sides."""
_RADII = (0.42, 0.46)
"""Half axes at which the mask has faded to nothing."""
_ROUNDNESS = 2.6
"""Exponent of the superellipse: 2 is an ellipse, more is squarer."""
_CORE = 0.62
"""Share of the radius inside which the mask is 1."""
_FRAME = 0.1
"""Share of the crop's side over which any mask fades towards the border."""
_SOFT = 11 / 512
"""Standard deviation, as a share of the crop's side, of a parsed mask's edge."""


@cache
def face_mask(size: int) -> NDArray[np.float32]:
    """(S, S) weights in [0, 1] for an aligned crop; exactly 0 along its border."""
    place = (np.arange(size) + 0.5) / size
    across = np.abs((place - _CENTRE[0]) / _RADII[0])[None, :]
    down = np.abs((place - _CENTRE[1]) / _RADII[1])[:, None]
    radius = (across**_ROUNDNESS + down**_ROUNDNESS) ** (1 / _ROUNDNESS)
    return _faded((1 - radius) / (1 - _CORE))


@cache
def border_fade(size: int) -> NDArray[np.float32]:
    """(S, S) weights that are 1 but near the border, where they fall to exactly 0: for masks of any shape."""
    nearest = np.minimum(np.arange(size), np.arange(size)[::-1]) / (size * _FRAME)
    return _faded(np.minimum(nearest[None, :], nearest[:, None]))


def parsed(frames: Iterator[CroppedFrame], parser: Parser) -> Iterator[CroppedFrame]:
    """Stage: restored crops with the masks that ``parser`` finds in them."""
    for frame in frames:
        crops = (crop if crop.restored is None else _parsed(crop, crop.restored, parser) for crop in frame.crops)
        yield replace(frame, crops=tuple(crops))


def _parsed(crop: Crop, restored: NDArray[np.float32], parser: Parser) -> Crop:
    (face,) = parser(np.ascontiguousarray(restored.transpose(2, 0, 1)[None]))
    soft = cv2.GaussianBlur(face, (0, 0), _SOFT * len(face))
    return replace(crop, mask=np.asarray(soft * border_fade(len(face)), np.float32))


def mask_of(crop: Crop) -> NDArray[np.float32]:
    """(S, S) weights of a crop: its own, or those of any face."""
    return face_mask(len(crop.source)) if crop.mask is None else crop.mask


def _faded(place: NDArray[np.floating]) -> NDArray[np.float32]:
    fade = np.clip(place, 0.0, 1.0)
    mask = (fade * fade * (3 - 2 * fade)).astype(np.float32)
    mask.setflags(write=False)
    return mask
