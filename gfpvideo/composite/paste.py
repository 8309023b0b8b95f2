"""Put restored faces back into the samples of their frame, touching nothing but their rectangles."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.light import source_light
from gfpvideo.composite.raster import taken
from gfpvideo.frames import Crop, Frame, GeneratedFrame, Patch, Rect, RestoredCrop, RestoredFrame
from gfpvideo.pixels.color import FloatImage, add_rgb, component_slices, read_rgb
from gfpvideo.pixels.geometry import invert, local, low_passed, resample
from gfpvideo.pixels.mix import times

Color = Literal["source", "model"]


def paste(
    frames: Iterator[GeneratedFrame], *, strength: float = 1.0, color: Color = "source", keep_grain: bool = False
) -> Iterator[RestoredFrame]:
    """Stage: each frame with the patches that put its restored faces in place.

    Args:
        frames: frames whose crops the generator has restored.
        strength: how much of the change to apply, 0 to 1.
        color: ``source`` keeps the film's colour and light, ``model`` takes the generator's.
        keep_grain: whether restorations have the film's grain, which then stays where their crops do not hold it.
    """
    for frame in frames:
        yield pasted(frame, strength, color, keep_grain=keep_grain)


def pasted(generated: GeneratedFrame, strength: float, color: Color, *, keep_grain: bool = False) -> RestoredFrame:
    """One frame and its patches; where faces overlap, a patch holds the changes of those before it as well."""
    crops = generated.crops if strength else ()
    shares = _shares(crops)
    patches: list[Patch] = []
    for crop, share in zip(crops, shares, strict=True):
        change = _difference(generated.frame, crop, color, keep_grain) * np.float32(strength * crop.crop.share)
        if share is not None:
            change *= share[..., None]
        patches.append(_patch(generated.frame, crop, change, patches))
    spared = generated.spared + len(generated.crops) - len(crops)
    tracked = generated.tracked
    return RestoredFrame(tracked.frame, tuple(patches), spared, generated.hopeless, tracked.faces, generated.decoded)


def _patch(frame: Frame, restored: RestoredCrop, change: FloatImage, before: Sequence[Patch]) -> Patch:
    """The samples under a face's rectangle with its change (h, w, 3), on top of the patches before it."""
    rect = restored.crop.rect
    planes = _samples(frame, rect, before)
    add_rgb(planes, frame.samples, Rect(0, 0, rect.width, rect.height), change)
    return Patch(restored.track, rect, planes)


def _samples(frame: Frame, rect: Rect, before: Sequence[Patch]) -> tuple[NDArray[np.integer], ...]:
    """A copy of the samples under ``rect``, as ``before`` leaves them."""
    windows = [component_slices(rect, frame.samples, index) for index in range(len(frame.components))]
    planes = tuple(plane[window].copy() for plane, window in zip(frame.components, windows, strict=True))
    for patch in before:
        shared = intersection(patch.rect, rect)
        for index, samples in enumerate(() if shared.empty else patch.components):
            there = component_slices(moved(shared, patch.rect), frame.samples, index)
            planes[index][component_slices(moved(shared, rect), frame.samples, index)] = samples[there]
    return planes


def intersection(one: Rect, other: Rect) -> Rect:
    """What two rectangles share; it may be empty."""
    return Rect(
        max(one.left, other.left), max(one.top, other.top), min(one.right, other.right), min(one.bottom, other.bottom)
    )


def moved(rect: Rect, origin: Rect) -> Rect:
    """``rect`` in coordinates that begin at the corner of ``origin``."""
    return Rect(rect.left - origin.left, rect.top - origin.top, rect.right - origin.left, rect.bottom - origin.top)


def _shares(crops: Sequence[RestoredCrop]) -> list[FloatImage | None]:
    """For each crop, the (h, w) part of its change that its rectangle gets; ``None`` for all of it.

    Cheek to cheek, two masks cover the same pixels: together they may claim each pixel once.
    """
    claims: list[FloatImage | None] = [None] * len(crops)
    for one, other in combinations(range(len(crops)), 2):
        if not intersection(crops[one].crop.rect, crops[other].crop.rect).empty:
            for place, company in ((one, other), (other, one)):
                own = claims[place]
                own = _claim(crops[place], crops[place].crop.rect) if own is None else own
                claims[place] = own + _claim(crops[company], crops[place].crop.rect)
    return [None if claim is None else np.reciprocal(np.maximum(claim, np.float32(1))) for claim in claims]


def _claim(restored: RestoredCrop, rect: Rect) -> FloatImage:
    """(h, w) how much of each pixel under ``rect`` a face is to change."""
    to_rect = invert(local(restored.crop.to_crop, rect))
    region = resample(restored.mask, to_rect, (rect.width, rect.height), cv2.BORDER_CONSTANT)
    return region * np.float32(restored.crop.share)


def _difference(frame: Frame, restored: RestoredCrop, color: Color, keep_grain: bool) -> FloatImage:
    """(h, w, 3) what a restored face adds to the RGB under its rectangle."""
    crop = restored.crop
    to_rect = invert(local(crop.to_crop, crop.rect))
    size = (crop.rect.width, crop.rect.height)
    difference = resample(_change(restored, color), to_rect, size, cv2.BORDER_CONSTANT)
    if crop.redrawn or crop.damage:
        replaced = restored.mask if restored.replaced is None else restored.mask * restored.replaced
        region = resample(replaced, to_rect, size, cv2.BORDER_CONSTANT)
        held = (resample(crop.source, to_rect, size, cv2.BORDER_REPLICATE) + 1) / 2
        beyond = np.asarray(_there(frame, crop) - held, np.float32)
        difference -= times(beyond, region * taken(crop, beyond, region, keep_grain=keep_grain))
    return difference


def _there(frame: Frame, crop: Crop) -> FloatImage:
    """(h, w, 3) RGB under a crop's rectangle; of what a network drew, only as fine as the crop can stand for it."""
    there = read_rgb(frame.components, frame.samples, crop.rect).clip(0.0, 1.0)
    return low_passed(there, crop.to_crop) if crop.redrawn else there


def _change(restored: RestoredCrop, color: Color) -> FloatImage:
    """(S, S, 3) masked difference to add to the crop, in RGB from 0 to 1."""
    residual = restored.restored - restored.crop.source
    if color == "source":
        residual = source_light(residual, restored.crop.source, restored.mask)
    return times(residual, np.float32(0.5) * restored.mask)  # crops span [-1, 1], pictures [0, 1]
