"""Take of a restoration as much as can be believed, pixel by pixel.

A generator that knows faces paints one wherever it is shown something; where the film (or what was gathered of it)
holds the face itself, that is worse than what is there. A small network, which sees both, says how much is taken.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import GeneratedFrame, RestoredCrop

Judge = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(9, S, S) RGB of what the generator was shown, of what it made, and of the film, to (2, S, S) from 0 to 1."""


def believe(frames: Iterator[GeneratedFrame], judge: Judge | None) -> Iterator[GeneratedFrame]:
    """Stage: restorations as far as ``judge`` believes the generator; without one, as they are."""
    for frame in frames:
        crops = (believed(crop, judge) if judge else replace(crop, around=crop.crop.gathered) for crop in frame.crops)
        yield replace(frame, crops=tuple(crops))


def believed(crop: RestoredCrop, judge: Judge) -> RestoredCrop:
    """One crop's restoration, as far as it can be believed."""
    pictures = (crop.crop.seen, crop.restored, crop.crop.source)
    in_gathered, in_made = judge(np.concatenate([picture.transpose(2, 0, 1) for picture in pictures]))
    shown, source = crop.crop.seen, crop.crop.source
    around = source + in_gathered[..., None] * (shown - source)
    restored = around + in_made[..., None] * (crop.restored - shown)
    replaced = in_made if shown is source else np.maximum(in_gathered, in_made)
    replaced = np.maximum(replaced, np.float32(crop.crop.damage))  # noise is averaged and replaced, believed or not
    return replace(crop, restored=restored, replaced=replaced, around=None if shown is source else around)
