"""Take of a restoration as much as can be believed, pixel by pixel.

A generator that knows faces paints one wherever it is shown something; where the film (or what was gathered of it)
holds the face itself, that is worse than what is there. A small network, which sees both, says how much is taken.

It looks at what the generator made, before the crops between are filled; these are believed as far as their neighbours
are, and keep their own pixels where the film is believed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.mix import channels_of, mixed, picture_of, planes_of, times

Judge = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(9, S, S) RGB of what the generator was shown, of what it made, and of the film, to (2, S, S) from 0 to 1."""


def weigh_belief(frames: Iterator[GeneratedFrame], judge: Judge | None) -> Iterator[GeneratedFrame]:
    """Stage: restorations with how far ``judge`` believes them; without one, as they are."""
    for frame in frames:
        yield replace(frame, crops=tuple(_judged(crop, judge) for crop in frame.crops)) if judge else frame


def _judged(crop: RestoredCrop, judge: Judge) -> RestoredCrop:
    belief = judge(planes_of(crop.crop.seen, crop.restored, crop.crop.source))
    return replace(crop, belief=picture_of(belief))


def believe(frames: Iterator[GeneratedFrame]) -> Iterator[GeneratedFrame]:
    """Stage: restorations as far as they are believed; those that nobody judged, as they are."""
    for frame in frames:
        yield replace(frame, crops=tuple(map(believed, frame.crops)))


def believed(crop: RestoredCrop) -> RestoredCrop:
    """One crop's restoration, as far as it is believed."""
    if crop.belief is None:
        return replace(crop, around=crop.crop.gathered)
    in_gathered, in_made = channels_of(crop.belief)
    shown, source = crop.crop.seen, crop.crop.source
    around = mixed(source, shown, in_gathered)
    restored = around + times(crop.restored - shown, in_made)
    replaced = in_made if shown is source else np.maximum(in_gathered, in_made)
    replaced = np.maximum(replaced, np.float32(crop.crop.damage))  # noise is averaged and replaced, believed or not
    return replace(crop, restored=restored, replaced=replaced, around=None if shown is source else around, belief=None)
