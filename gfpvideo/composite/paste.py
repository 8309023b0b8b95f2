"""Put restored faces back into the samples of their frame, touching nothing but their rectangles."""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np

from gfpvideo.composite.light import source_light
from gfpvideo.composite.mask import mask_of
from gfpvideo.frames import Crop, CroppedFrame, RestoredFrame
from gfpvideo.pixels.color import Components, FloatImage, add_rgb, read_rgb
from gfpvideo.pixels.geometry import invert, local, resample, scale_of

_COARSE, _FINE = 1.0, 1.3
"""Crop pixels for each frame pixel from which on the frame begins to be replaced, and is replaced altogether."""


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
    faces = tuple(crop.face for crop in cropped.crops)
    restored = [crop for crop in cropped.crops if crop.restored is not None]
    if not restored or strength == 0:
        return RestoredFrame(frame, frame.components, (), faces)
    components = tuple(plane.copy() for plane in frame.components)
    for crop in restored:
        _add(components, cropped, crop, color, np.float32(strength * crop.share))
    touched = tuple((crop.face.track, crop.rect) for crop in restored)
    return RestoredFrame(frame, components, touched, faces)


def _add(
    components: Components, cropped: CroppedFrame, crop: Crop, color: Literal["source", "model"], strength: np.float32
) -> None:
    """Add ``strength`` times the change of one face to the samples under its rectangle."""
    samples = cropped.frame.samples
    to_rect = invert(local(crop.to_crop, crop.rect))
    size = (crop.rect.width, crop.rect.height)
    mask, change = mask_of(crop), _change(crop, color)
    replaced = fineness(crop)
    if replaced:
        change += np.float32(replaced / 2) * mask[..., None] * (crop.source + 1)
    difference = resample(change, to_rect, size, cv2.BORDER_CONSTANT)
    if replaced:
        there = read_rgb(cropped.frame.components, samples, crop.rect).clip(0.0, 1.0)
        region = resample(mask, to_rect, size, cv2.BORDER_CONSTANT)
        difference -= np.float32(replaced) * region[..., None] * there
    add_rgb(components, samples, crop.rect, difference * strength)


def _change(crop: Crop, color: Literal["source", "model"]) -> FloatImage:
    """(S, S, 3) masked difference to add to the crop, in RGB from 0 to 1."""
    assert crop.restored is not None, "the generator has not run"
    mask = mask_of(crop)
    residual = crop.restored - crop.source
    if color == "source":
        residual = source_light(residual, crop.source, mask)
    half_mask = mask[..., None] / 2  # crops span [-1, 1], pictures [0, 1]
    return np.multiply(residual, half_mask, dtype=np.float32)


def fineness(crop: Crop) -> float:
    """How far the crop can stand for the frame: 0 where it is as coarse or coarser, 1 where it is clearly finer.

    Noise near the limit of the frame's raster does not survive the way into a finer crop; the difference of two crops
    cannot take it away, so there the frame is replaced by what the crop holds of it.
    """
    return float(np.clip((scale_of(crop.to_crop) - _COARSE) / (_FINE - _COARSE), 0.0, 1.0))
