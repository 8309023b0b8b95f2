"""Regions of an aligned crop: where a face lies in it, and where it fades towards its border."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gfpvideo.pixels.ramp import ramp

_CENTRE = (0.5, 0.53)
"""Middle of the region in an FFHQ-aligned crop, as shares of its sides."""
_RADII = (0.42, 0.46)
"""Half axes at which the mask has faded to nothing."""
_ROUNDNESS = 2.6
"""Exponent of the superellipse: 2 is an ellipse, more is squarer."""
_CORE = 0.62
"""Share of the radius inside which the mask is 1."""
_SQUARE = 3.0
"""Exponent of the superellipse around the head."""
_OUTER = 0.35
"""Share of its radius over which what surrounds a face fades."""
_FRAME = 0.1
"""Share of the crop's side over which any mask fades towards the border."""


@cache
def face_mask(size: int) -> NDArray[np.float32]:
    """(S, S) weights in [0, 1] for an aligned crop; exactly 0 along its border."""
    radius = _superellipse(size, _CENTRE, _RADII, _ROUNDNESS)
    return _frozen(ramp((1 - radius) / (1 - _CORE), 0, 1))


@cache
def inside_face(size: int) -> NDArray[np.bool_]:
    """(S, S) where :func:`face_mask` is more than half."""
    inside = face_mask(size) > 0.5
    inside.setflags(write=False)
    return inside


@cache
def border_fade(size: int) -> NDArray[np.float32]:
    """(S, S) weights that are 1 but near the border, where they fall to exactly 0: for masks of any shape."""
    nearest = np.minimum(np.arange(size), np.arange(size)[::-1]) / (size * _FRAME)
    return _frozen(ramp(np.minimum(nearest[None, :], nearest[:, None]), 0, 1))


@cache
def head_fade(size: int) -> NDArray[np.float32]:
    """(S, S) weights that are 1 where an aligned crop shows the head, and fall to exactly 0 before its border."""
    radius = _superellipse(size, (0.5, 0.5), (0.5, 0.5), _SQUARE)
    return _frozen(ramp((1 - radius) / _OUTER, 0, 1) * border_fade(size))


def _superellipse(
    size: int, centre: tuple[float, float], radii: tuple[float, float], exponent: float
) -> NDArray[np.floating]:
    """(S, S) distance from the centre, 1 on the superellipse; centre and radii are shares of the sides."""
    place = (np.arange(size) + 0.5) / size
    across = np.abs((place - centre[0]) / radii[0])[None, :]
    down = np.abs((place - centre[1]) / radii[1])[:, None]
    return (across**exponent + down**exponent) ** (1 / exponent)


def _frozen(mask: NDArray[np.floating]) -> NDArray[np.float32]:
    """The mask in float32 and read-only: everybody shares it."""
    frozen = mask.astype(np.float32)
    frozen.setflags(write=False)
    return frozen
