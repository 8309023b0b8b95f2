"""Where two crops of a face, or two pictures, show the same: low-passed, within their noise."""

from collections.abc import Sequence

import cv2
import numpy as np

from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.mix import median
from gfpvideo.pixels.regions import inside_face
from gfpvideo.temporal.motion import SIDE

_LOW_PASS = 1.5 / 256
"""Standard deviation, as a share of the crop's side, of the low-pass before inputs are compared."""
_NEIGHBOURHOOD = 3.0 / 256 * SIDE
"""Standard deviation, in pixels of what is compared, over which differences are gathered."""
_TOLERANCE = 0.01
"""Difference (crops span [-1, 1]) that is never held against a neighbour."""
_NOISE_SHARE = 1.5
"""How much of the difference that is usual between neighbours is tolerated on top."""


def softened(luma: FloatImage) -> FloatImage:
    """(SIDE, SIDE) what is compared of a crop's luma (S, S)."""
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _LOW_PASS * SIDE), np.float32)


def agreement(
    own: FloatImage, others: Sequence[FloatImage], leniency: float = 1.0, *, whole: bool = False
) -> list[FloatImage]:
    """(h, w) how far each neighbour shows what a crop, or a picture, shows, 0 to 1.

    Args:
        own: the crop or picture, softened, (SIDE, SIDE) of a crop.
        others: its neighbours, softened and laid onto it; at least one.
        leniency: how many times the difference that halves a neighbour's weight may be larger than usual.
        whole: whether they are whole pictures: what is usual is looked for everywhere then, not in a face.
    """
    differences = [_difference(own, other) for other in others]
    usual = min(_typical(difference, whole=whole) for difference in differences)
    tolerance = leniency * (_TOLERANCE + _NOISE_SHARE * usual)
    return [np.exp(-0.5 * np.square(difference / np.float32(tolerance))) for difference in differences]


def _difference(one: FloatImage, other: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(cv2.absdiff(one, other), (0, 0), _NEIGHBOURHOOD), np.float32)


def _typical(difference: FloatImage, *, whole: bool) -> float:
    """Median over the face: most of it hardly moves, so this is the noise."""
    return median(difference if whole else difference[inside_face(len(difference))])
