"""Keep the source's colour and light: what the generator changes on a large scale is taken back.

A restoration is used as a *residual*, restored minus source. Its low frequencies are shifts of exposure, contrast and
skin colour, which nobody asked for; its chroma is unwanted where the film has none.
"""

import cv2
import numpy as np

from gfpvideo.pixels.color import FloatImage, rgb_to_ycc, ycc_to_rgb
from gfpvideo.pixels.mix import times

_LOW_PASS = 1 / 14
"""Standard deviation of the Gaussian that separates light from detail, as a share of the crop's side."""
_SHRINK = 4
"""Light and tint are estimated on a picture this many times smaller: they hold nothing finer, and it is quicker."""
_COLOURLESS = 1.5 / 255
"""Deviation of chroma from a tint, below which a crop counts as monochrome."""
_COLOURFUL = 5.0 / 255
"""Deviation from which a crop counts as coloured."""


def source_light(residual: FloatImage, source: FloatImage, mask: FloatImage) -> FloatImage:
    """The part of a residual that leaves the source's colour and light alone.

    Args:
        residual: (S, S, 3) restored minus source, RGB.
        source: (S, S, 3) the crop that was restored, same scale.
        mask: (S, S) weights; low frequencies are estimated where the mask is.
    """
    detail = residual - _masked_blur(residual, mask)
    luma, chroma = rgb_to_ycc(detail)
    share = np.float32(chroma_share(source, mask))
    return ycc_to_rgb(luma, chroma[0] * share, chroma[1] * share)


def chroma_share(source: FloatImage, mask: FloatImage) -> float:
    """How much of the restored chroma belongs into this crop: 0 on black-and-white or evenly tinted film, else 1.

    Chroma that is a linear function of luma is a tint (sepia, a toned print); only what deviates from it is colour.
    """
    luma, chroma = rgb_to_ycc(_shrunk(source))
    small_mask = _shrunk(mask)
    weights = (small_mask / max(float(small_mask.sum()), 1e-6)).ravel()
    bright = luma.ravel() - weights @ luma.ravel()
    energy = max(float(weights @ bright**2), 1e-8)
    deviation = 0.0
    for plane in chroma:
        tint = plane.ravel() - weights @ plane.ravel()
        slope = float(weights @ (tint * bright)) / energy
        deviation += float(weights @ (tint - slope * bright) ** 2)
    # The crop spans [-1, 1], twice the range that the limits are given for.
    share = (np.sqrt(deviation) / 2 - _COLOURLESS) / (_COLOURFUL - _COLOURLESS)
    return float(np.clip(share, 0.0, 1.0))


def _masked_blur(picture: FloatImage, mask: FloatImage) -> FloatImage:
    """Gaussian average of ``picture`` where the mask is; outside does not bleed in."""
    sigma = _LOW_PASS * len(mask) / _SHRINK
    weight = cv2.GaussianBlur(_shrunk(mask), (0, 0), sigma) + np.float32(1e-4)
    average = cv2.GaussianBlur(_shrunk(times(picture, mask)), (0, 0), sigma) / weight[..., None]
    return np.asarray(cv2.resize(average, mask.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _shrunk(picture: FloatImage) -> FloatImage:
    size = (picture.shape[1] // _SHRINK, picture.shape[0] // _SHRINK)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
