"""Arithmetic on whole pictures, in as few passes over memory as OpenCV needs for it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.pixels.color import FloatImage


def times(picture: FloatImage, share: FloatImage) -> FloatImage:
    """A picture (H, W, C), each pixel multiplied by its share (H, W)."""
    return np.asarray(cv2.multiply(picture, cv2.merge([share] * picture.shape[2])), np.float32)


def mixed(own: FloatImage, other: FloatImage, share: FloatImage) -> FloatImage:
    """A picture (H, W, C) with a share (H, W) of another one; where that is 0, the picture itself to the bit."""
    return np.asarray(cv2.add(own, times(np.asarray(cv2.subtract(other, own), np.float32), share)), np.float32)


def planes_of(*pictures: FloatImage) -> NDArray[np.float32]:
    """(C, H, W) the channels of pictures (H, W) or (H, W, C) of one size, one after the other."""
    channels = [1 if picture.ndim == 2 else picture.shape[2] for picture in pictures]
    planes = np.empty((sum(channels), *pictures[0].shape[:2]), np.float32)
    for picture, own in zip(pictures, np.split(planes, np.cumsum(channels[:-1])), strict=True):
        cv2.split(picture, list(own))  # into place: a third of the time of planes of their own
    return planes


def picture_of(planes: NDArray[np.float32]) -> FloatImage:
    """The picture (H, W, C) whose channels are ``planes`` (C, H, W), C more than 1."""
    return np.asarray(cv2.merge(list(planes)), np.float32)


def channels_of(picture: FloatImage) -> list[FloatImage]:
    """The channels (H, W) of a picture (H, W, C)."""
    return [np.asarray(plane, np.float32) for plane in cv2.split(picture)]


def median(values: FloatImage) -> float:
    """The middle one of all values, or the upper of two, in a tenth of the time of NumPy's, which looks for NaN too."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])
