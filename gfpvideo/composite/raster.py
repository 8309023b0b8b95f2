"""What a frame's raster holds and a crop's does not: noise that goes with a restoration, or detail that stays.

Noise near the limit of the frame's raster does not survive the way into a crop, be it finer or coarser, and the
difference of two crops cannot take it away: a restored face keeps it, on skin that is clean otherwise.
"""

import cv2
import numpy as np

from gfpvideo.frames import Crop
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.geometry import scale_of
from gfpvideo.pixels.ramp import ramp

_AS_FINE, _FINER = 1.0, 1.3
"""Crop pixels for each frame pixel from which on a crop holds more and more of a frame's detail, and all of it."""
_MUCH_COARSER, _COARSER = 0.25, 0.55
"""Crop pixels for each frame pixel below which a crop cannot stand for a frame, and from which it can.

A face of several times the crop's size is soft without its grain, and looks worse than with it."""
_NEIGHBOURHOOD = 3.0
"""Standard deviation, in pixels of the frame, over which energy is gathered."""
_INSIDE = 0.5
"""Share of a restoration from which on a pixel counts as face."""
_FLATTEST = 0.25
"""Part of a face that is flat enough to show what is noise."""
_STILL_NOISE = 1.7
"""How many times that energy may be noise: around a pixel it varies, and film has more grain where it is brighter."""
_NOTHING = np.float32(1e-12)
"""Energy that is none."""


def stands(crop: Crop) -> float:
    """How far a crop can stand for a frame where the film is damaged, 0 to 1."""
    return ramp(_pixels(crop), _MUCH_COARSER, _COARSER)


def _pixels(crop: Crop) -> float:
    """How many of a crop's pixels there are for each pixel of the film, along a side."""
    return scale_of(crop.to_crop) * crop.enlarged


def taken(crop: Crop, beyond: FloatImage, region: FloatImage, *, keep_grain: bool = False) -> FloatImage | np.float32:
    """How much of it goes where a crop is replaced, 0 to 1.

    In a film without noise it is detail, and stays. Where the crop is clearly finer than the frame it holds all detail
    that there is; where it is not, noise is told from detail; where it is much coarser, noise stays. A frame that was
    enlarged holds no more than before, unless a network drew it: of that the crop knows nothing, and the two would both
    be seen.

    Args:
        crop: a crop, and how much of what is finest in it is damage.
        beyond: (h, w, 3) RGB that the frame holds under the crop's rectangle and the crop does not.
        region: (h, w) where the crop is replaced, 0 to 1.
        keep_grain: whether noise is to stay where the crop does not hold it: the restoration has the film's own grain.

    Returns:
        (h, w), or one number for all pixels.
    """
    if crop.redrawn:
        return np.float32(1)
    finer = ramp(_pixels(crop), _AS_FINE, _FINER)
    if keep_grain or finer == 1:
        return np.float32(crop.damage * finer)
    return np.float32(crop.damage * stands(crop)) * np.maximum(noise_share(beyond, region), np.float32(finer))


def noise_share(beyond: FloatImage, region: FloatImage) -> FloatImage:
    """(h, w) how much of it is noise, 0 to 1.

    Noise is everywhere in a face, detail in places: what there is in its flattest quarter is noise, and where there is
    much more than that there is detail. Arguments as of :func:`taken`.
    """
    luma = rgb_to_ycc(beyond)[0]
    energy = np.asarray(cv2.GaussianBlur(luma * luma, (0, 0), _NEIGHBOURHOOD), np.float32)
    inside = energy[region > _INSIDE]
    noise = float(np.quantile(inside, _FLATTEST)) if inside.size else 0.0
    return np.minimum(np.float32(_STILL_NOISE * noise) / np.maximum(energy, _NOTHING), np.float32(1))
