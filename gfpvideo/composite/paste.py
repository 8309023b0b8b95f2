"""Put restored faces back into the samples of their frame, touching nothing but their rectangles."""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np

from gfpvideo.color import Components, FloatImage, add_rgb
from gfpvideo.composite.light import source_light
from gfpvideo.composite.mask import face_mask
from gfpvideo.frames import Crop, CroppedFrame, RestoredFrame
from gfpvideo.geometry import invert, local, resample


def composite(
    frames: Iterator[CroppedFrame], *, strength: float = 1.0, color: Literal["source", "model"] = "source"
) -> Iterator[RestoredFrame]:
    """Stage: each frame with its restored faces in place.

    Args:
        frames: frames whose crops the generator has restored.
        strength: how much of the change to apply, 0 to 1.
        color: ``source`` keeps the film's colour and light, ``model`` takes the generator's.
    """
    for cropped in frames:
        yield paste(cropped, strength, color)


def paste(cropped: CroppedFrame, strength: float, color: Literal["source", "model"]) -> RestoredFrame:
    """One frame with its restored faces in place; the frame that came in keeps its samples."""
    frame = cropped.frame
    if not cropped.crops or strength == 0:
        return RestoredFrame(frame, frame.components, ())
    components = tuple(plane.copy() for plane in frame.components)
    for crop in cropped.crops:
        _add(components, cropped, crop, _change(crop, color) * np.float32(strength))
    touched = tuple((crop.face.track, crop.rect) for crop in cropped.crops)
    return RestoredFrame(frame, components, touched)


def _change(crop: Crop, color: Literal["source", "model"]) -> FloatImage:
    """(S, S, 3) masked difference to add to the crop, in RGB from 0 to 1."""
    assert crop.restored is not None, "the generator has not run"
    mask = face_mask(len(crop.source))
    residual = crop.restored - crop.source
    if color == "source":
        residual = source_light(residual, crop.source, mask)
    half_mask = mask[..., None] / 2  # crops span [-1, 1], pictures [0, 1]
    return np.multiply(residual, half_mask, dtype=np.float32)


def _add(components: Components, cropped: CroppedFrame, crop: Crop, change: FloatImage) -> None:
    to_rect = invert(local(crop.to_crop, crop.rect))
    size = (crop.rect.width, crop.rect.height)
    difference = resample(change, to_rect, size, cv2.BORDER_CONSTANT)
    add_rgb(components, cropped.frame.samples, crop.rect, difference)
