"""Cut faces out, aligned to the template of the generator, without aliasing.

The template is where the five landmarks lie in FFHQ, the data set that the published networks were trained on.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame, Face, Frame, Rect, TrackedFrame
from gfpvideo.pixels.color import FloatImage, align_rect, read_rgb, rgb_to_ycc
from gfpvideo.pixels.geometry import Affine, compose, invert, local, move, resample, similarity_transform

FFHQ_512 = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.19360],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
"""Mean landmarks of FFHQ at 512x512, (5, 2)."""


def template(size: int, landmarks_512: NDArray[np.float64] = FFHQ_512) -> NDArray[np.float64]:
    """(5, 2) landmarks of an aligned crop with sides of ``size`` pixels."""
    return (landmarks_512 + 0.5) * (size / 512) - 0.5


def crop_rect(to_crop: Affine, size: int) -> Rect:
    """Bounding rectangle, in storage coordinates, of a crop with sides of ``size`` pixels."""
    far = size - 0.5
    corners = move(invert(to_crop), np.array([[-0.5, -0.5], [far, -0.5], [-0.5, far], [far, far]]))
    left, top = np.floor(corners.min(axis=0)).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    return Rect(int(left), int(top), int(right), int(bottom))


def sampled(frame: Frame, to_crop: Affine, size: int, border: int) -> tuple[FloatImage, Rect] | None:
    """A crop (S, S, 3) RGB in about [0, 1] and the storage rectangle that it covers; ``None`` outside the picture.

    Args:
        frame: the frame.
        to_crop: (2, 3) map from storage to crop coordinates.
        size: side of the crop in pixels.
        border: OpenCV's kind of border, for what lies beyond the rectangle.
    """
    rect = align_rect(crop_rect(to_crop, size), frame.samples, frame.size)
    if rect.empty:
        return None
    rgb = read_rgb(frame.components, frame.samples, rect)
    return resample(rgb, local(to_crop, rect), (size, size), border), rect


def cut(frame: Frame, face: Face, target: NDArray[np.float64], size: int) -> Crop | None:
    """Cut ``face`` out of ``frame``, its landmarks on ``target``; ``None`` if it lies outside the picture."""
    to_crop = compose(similarity_transform(face.landmarks, target), frame.to_display)
    if (found := sampled(frame, to_crop, size, cv2.BORDER_REFLECT_101)) is None:
        return None
    aligned, rect = found
    source = _spanned(aligned)
    return Crop(face, to_crop, rect, source, rgb_to_ycc(source)[0])


def cut_again(frame: Frame, crop: Crop) -> Crop:
    """``crop`` with what another picture shows where it was cut out."""
    found = sampled(frame, crop.to_crop, len(crop.source), cv2.BORDER_REFLECT_101)
    assert found is not None, "it was cut out of a picture of that size"
    source = _spanned(found[0])
    return replace(crop, source=source, luma=rgb_to_ycc(source)[0])


def _spanned(aligned: FloatImage) -> FloatImage:
    """RGB from 0 to 1 as crops hold it."""
    return np.clip(aligned * 2 - 1, -1.0, 1.0)


def align(
    frames: Iterator[TrackedFrame], size: int, landmarks_512: NDArray[np.float64] = FFHQ_512
) -> Iterator[CroppedFrame]:
    """Stage: cut every face of every frame out.

    Args:
        frames: frames with stabilised faces.
        size: side of a crop in pixels.
        landmarks_512: (5, 2) where the detector's landmarks lie in an aligned face of 512 pixels, on average.
    """
    target = template(size, landmarks_512)
    for tracked in frames:
        crops = (cut(tracked.frame, face, target, size) for face in tracked.faces)
        yield CroppedFrame(tracked, tuple(crop for crop in crops if crop is not None))
