"""Keep what covers a face: where the generator disagrees strongly with its source, the source stays.

A generator that knows only faces may see teeth in fingers and skin in a microphone. A true restoration shown at low
resolution looks like its source; where it does not, on more than a speck, something was invented. Held-out faces with
things painted over them, and the restoration of the same faces without: 99.9 % of a face's own pixels differ by less
than ``_DOUBTFUL``, most of a hand's, a book's, a microphone's or a strand of hair's by more than ``_WRONG``.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.mix import median
from gfpvideo.pixels.ramp import ramp
from gfpvideo.pixels.regions import face_mask

_SIDE = 128
"""Side of the picture on which source and restoration are compared."""
_LOW_PASS = 1.5
"""Standard deviation, in its pixels, of the low-pass before: what is finer the source may not hold."""
_DOUBTFUL, _WRONG = 16 / 127.5, 32 / 127.5
"""Difference (crops span [-1, 1]) that is still a restoration's, and that is no longer."""
_CHROMA_WEIGHT = 1.5
"""How much more a difference of colour weighs than one of luma: restorations change it less."""
_NEIGHBOURHOOD = 3.0
"""Standard deviation, in pixels of the compared size, over which wrong pixels are gathered."""
_FEW, _MANY = 0.15, 0.4
"""Share of wrong pixels around that is still a face's (a glint, an iris), and from which the source stays."""
_SOFT = 1.5
"""Standard deviation, in pixels of the compared size, of the border between the two."""


def guard(frames: Iterator[GeneratedFrame], *, on: bool = True) -> Iterator[GeneratedFrame]:
    """Stage: restored crops whose masks leave out what covers the face; unless ``on``, they stay as they are."""
    for frame in frames:
        yield replace(frame, crops=tuple(guarded(crop) for crop in frame.crops)) if on else frame


def guarded(crop: RestoredCrop) -> RestoredCrop:
    """``crop`` with a mask that keeps the source where its restoration disagrees with it."""
    kept = agreement(crop.crop.source, crop.restored)
    return crop if kept is None else replace(crop, mask=crop.mask * kept)


def agreement(source: FloatImage, restored: FloatImage) -> FloatImage | None:
    """(S, S) weights in [0, 1], 0 where a restoration is not one of its source; ``None`` where it agrees everywhere.

    A shift of exposure or colour that the whole face shares does not count.

    Args:
        source: (S, S, 3) RGB in [-1, 1].
        restored: the same, restored.
    """
    wrong = _wrong(source, restored)
    gathered = np.asarray(cv2.GaussianBlur(wrong, (0, 0), _NEIGHBOURHOOD), np.float32)
    if gathered.max() <= _FEW:
        return None
    kept = cv2.GaussianBlur(1 - ramp(gathered, _FEW, _MANY), (0, 0), _SOFT)
    return np.asarray(cv2.resize(kept, source.shape[:2], interpolation=cv2.INTER_LINEAR), np.float32)


def _wrong(source: FloatImage, restored: FloatImage) -> FloatImage:
    """How far each pixel of the compared size is beyond what a restoration may change, 0 to 1, inside the face."""
    small = cv2.resize(restored - source, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    luma, chroma = rgb_to_ycc(np.asarray(cv2.GaussianBlur(small, (0, 0), _LOW_PASS), np.float32))
    mask = face_mask(_SIDE)
    inside = mask > 0.5
    light, blue, red = (plane - np.float32(median(plane[inside])) for plane in (luma, *chroma))
    difference = np.sqrt(light**2 + _CHROMA_WEIGHT**2 * (blue**2 + red**2))
    return ramp(difference, _DOUBTFUL, _WRONG) * (mask > 0)
