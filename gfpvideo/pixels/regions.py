"""Regions of an aligned crop: where a face lies in it, and where it fades towards its border."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

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


def _faded(place: NDArray[np.floating]) -> NDArray[np.float32]:
    fade = np.clip(place, 0.0, 1.0)
    mask = (fade * fade * (3 - 2 * fade)).astype(np.float32)
    mask.setflags(write=False)
    return mask
