"""Similarity and affine maps, and area-correct resampling along them.

A map is a (2, 3) float64 matrix that takes points (x, y); it is never changed in place.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Rect
from gfpvideo.pixels.color import FloatImage

Affine = NDArray[np.float64]


def similarity_transform(source: NDArray[np.float64], target: NDArray[np.float64]) -> Affine:
    """The rotation, uniform scale and shift that bring ``source`` closest to ``target`` (Umeyama, 1991).

    Args:
        source: (N, 2) points.
        target: (N, 2) points.

    Returns:
        (2, 3) matrix.

    Raises:
        ValueError: if the source points coincide.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    p, q = source - source_mean, target - target_mean
    spread = np.square(p).sum()
    if spread < 1e-12:
        raise ValueError("a similarity transform needs points that do not coincide")
    along = (p * q).sum() / spread
    across = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / spread
    linear = np.array([[along, -across], [across, along]], np.float64)
    shift = target_mean - linear @ source_mean
    return np.asarray(np.column_stack([linear, shift]), np.float64)


def compose(outer: Affine, inner: Affine) -> Affine:
    """The affine map that applies ``inner`` first, then ``outer``."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer @ [*inner[:, 2], 1.0]])


def invert(affine: Affine) -> Affine:
    """The inverse of a (2, 3) affine map."""
    inverse = np.asarray(np.linalg.inv(affine[:, :2]), np.float64)
    return np.column_stack([inverse, -inverse @ affine[:, 2]])


def move(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a (2, 3) affine map to (N, 2) points."""
    return points @ affine[:, :2].T + affine[:, 2]


def enlarging(times: float) -> Affine:
    """From the pixels of a picture to those of one ``times`` as large, whose outer edges lie where its own do."""
    shift = (times - 1) / 2
    return np.array([[times, 0.0, shift], [0.0, times, shift]], np.float64)


def scale_of(affine: Affine) -> float:
    """How many times longer a map makes things, on average over directions."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def resample(picture: FloatImage, affine: Affine, size: tuple[int, int], border: int) -> FloatImage:
    """Warp ``picture`` by ``affine`` into ``size`` (width, height), area-correct in both directions.

    Where the map shrinks, the picture is first smoothed by the Gaussian that the lower sampling rate calls for; its
    width grows continuously with the shrinkage, so that a slow zoom does not flicker. Interpolation is cubic.
    """
    picture = low_passed(picture, affine)
    return np.asarray(cv2.warpAffine(picture, affine, size, flags=cv2.INTER_CUBIC, borderMode=border), np.float32)


def low_passed(picture: FloatImage, affine: Affine) -> FloatImage:
    """``picture`` without what would alias, were it warped by ``affine``; the picture itself where that enlarges."""
    shrink_x, shrink_y = (1 / np.linalg.norm(affine[:, axis]) for axis in (0, 1))
    sigma_x, sigma_y = (0.5 * np.sqrt(max(0.0, shrink**2 - 1)) for shrink in (shrink_x, shrink_y))
    if max(sigma_x, sigma_y) > 0.1:
        smallest = 1e-3
        smooth = cv2.GaussianBlur(picture, (0, 0), max(sigma_x, smallest), sigmaY=max(sigma_y, smallest))
        return np.asarray(smooth, np.float32)
    return picture


def local(to_crop: Affine, rect: Rect) -> Affine:
    """``to_crop`` for coordinates that start at the corner of ``rect``."""
    return compose(to_crop, np.array([[1.0, 0.0, rect.left], [0.0, 1.0, rect.top]]))


def face_size(landmarks: NDArray[np.float64]) -> float:
    """Distance from between the eyes to between the mouth corners, or from eye to eye if that is longer.

    The longer of the two hardly changes when a head turns or nods.
    """
    eyes, mouth = landmarks[:2], landmarks[3:]
    down = np.linalg.norm(mouth.mean(axis=0) - eyes.mean(axis=0))
    return float(max(down, np.linalg.norm(eyes[1] - eyes[0]), 1e-6))
