"""What lies around a face - hair, ears, neck, collar - gets what the frames beside know of it, without the generator.

A clean face in grainy hair on a grainy neck seems to float. Around the face's own region the restored crop becomes the
gathered one, which fades to the source before the crop's border. Where another face lies, that face goes first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.geometry import compose, invert, resample
from gfpvideo.pixels.mix import mixed
from gfpvideo.pixels.regions import head_fade

_NOTHING = np.float32(1e-6)


def surround(frames: Iterator[GeneratedFrame], *, on: bool = True) -> Iterator[GeneratedFrame]:
    """Stage: restored crops whose surroundings are gathered, where they are; unless ``on``, they stay as they are."""
    for frame in frames:
        yield _all_surrounded(frame) if on else frame


def _all_surrounded(frame: GeneratedFrame) -> GeneratedFrame:
    return replace(frame, crops=tuple(_surrounded(frame.crops, place) for place in range(len(frame.crops))))


def _surrounded(crops: Sequence[RestoredCrop], place: int) -> RestoredCrop:
    crop = crops[place]
    if crop.around is None:
        return crop
    return surrounded(crop, [_seen_from(crop, other) for other in (*crops[:place], *crops[place + 1 :])])


def surrounded(crop: RestoredCrop, others: Sequence[NDArray[np.float32]] = ()) -> RestoredCrop:
    """One restored crop with its surroundings.

    Args:
        crop: with what surrounds its face.
        others: (S, S) masks of other faces in it.
    """
    assert crop.around is not None
    wide = np.asarray(np.maximum(head_fade(len(crop.mask)), crop.mask), np.float32)
    for other in others:
        wide = crop.mask + (wide - crop.mask) * (1 - other)
    share = np.asarray(crop.mask / np.maximum(wide, _NOTHING), np.float32)
    return replace(crop, restored=mixed(crop.around, crop.restored, share), mask=wide)


def _seen_from(crop: RestoredCrop, other: RestoredCrop) -> NDArray[np.float32]:
    """(S, S) another face's mask, where it lies in a crop."""
    there = compose(crop.crop.to_crop, invert(other.crop.to_crop))
    return resample(other.mask, there, (len(crop.mask), len(crop.mask)), cv2.BORDER_CONSTANT)
