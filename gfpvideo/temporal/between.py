"""Spare the generator every second crop of a face that hardly moves: its neighbours' restorations are brought to it.

The mean of the two restorations either side, each laid onto the crop along the optical flow, is as near to the truth as
the crop's own restoration, for errors that are new in every frame cancel out. Where something happens that neither
neighbour shows - a lid that closes, a mouth that opens, a hand that passes - the crop gets a run of its own. That is
decided by the film's own pictures and the number of the frame alone, so it is the same whatever the batch and whoever
restores which part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gfpvideo.frames import Crop, CroppedFrame, GeneratedFrame, RestoredCrop
from gfpvideo.pixels.regions import face_mask
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.agreement import agreement
from gfpvideo.temporal.motion import around, brought
from gfpvideo.temporal.neighbours import Held, enlarged, held, weighted_mean

_EVERY = 2
"""Every so many frames the generator runs in any case."""
_SHOWN = 0.5
"""Agreement from which a neighbour shows what a pixel of the crop shows."""
_LENIENCY = 3.0
"""How much more a neighbour may differ than one that restorations are averaged with: it is no worse than an own run."""
_INSIDE = 0.3
"""Mask value from which a pixel counts."""
_ELSE = 1e-3
"""Weight of the source, which is what remains where neither neighbour shows the same."""


def reach(*, on: bool) -> Reach:
    """Frames around one that its restoration depends on: its neighbours' runs, and what those depend on."""
    return Reach(2, 2) if on else Reach()


def spare(frames: Iterator[CroppedFrame], *, on: bool = True) -> Iterator[CroppedFrame]:
    """Stage: crops, of which some say that they need no run of the generator; a frame late.

    Args:
        frames: consecutive frames with their crops, how these move, and what share of a restoration they get.
        on: whether any is spared.
    """
    if not on:
        yield from frames
        return
    for window, place in windows((held(frame, filter(_wanted, frame.crops)) for frame in frames), 1):
        frame = window[place].now
        if frame.frame.index % _EVERY:
            yield replace(frame, crops=tuple(_planned(crop, window, place) for crop in frame.crops))
        else:
            yield frame


def _wanted(crop: Crop) -> bool:
    return crop.share > 0


def _planned(crop: Crop, window: Sequence[Held[CroppedFrame]], place: int) -> Crop:
    """The crop, with the weights of its neighbours' restorations if these are enough."""
    track = crop.face.track
    near = around(track, [item.crops for item in window], place, 1) if _wanted(crop) else []
    if len(near) < 2:  # at the end of a track
        return crop
    others = [brought(window[at].luma[track], along) for at, along in near]
    weights = np.stack(agreement(window[place].luma[track], others, _LENIENCY))
    inside = face_mask(weights.shape[-1]) > _INSIDE
    shown = bool(weights.max(axis=0)[inside].min() >= _SHOWN)
    return replace(crop, between=weights) if shown else crop


def fill(frames: Iterator[GeneratedFrame], *, on: bool = True) -> Iterator[GeneratedFrame]:
    """Stage: what was spared is made of the restorations either side; a frame late.

    Args:
        frames: consecutive frames with what the generator made, how far that is believed, and what it was spared.
        on: whether any was spared.
    """
    if not on:
        yield from frames
        return
    for window, place in windows(frames, 1):
        frame = window[place]
        made = {crop.track: crop for crop in frame.crops}
        made |= {crop.face.track: _filled(crop, window, place) for crop in frame.waiting}
        order = [face.track for face in frame.tracked.faces if face.track in made]
        yield replace(frame, crops=tuple(made[track] for track in order), waiting=())


def _filled(crop: Crop, window: Sequence[GeneratedFrame], place: int) -> RestoredCrop:
    """A crop with the mean of the restorations either side, weighted by where they show the same."""
    assert crop.between is not None
    size, track = len(crop.source), crop.face.track
    crops = [{each.track: each.crop for each in frame.crops} | {track: crop} for frame in window]
    restored, beliefs = [], []
    for at, along in around(track, crops, place, 1):
        (other,) = (each for each in window[at].crops if each.track == track)
        restored.append(brought(other.restored, along))
        if other.belief is not None:
            beliefs.append(brought(other.belief, along))
    weights = [enlarged(weight, size) for weight in crop.between]
    mean = weighted_mean(crop.source, restored, weights, _ELSE)
    nothing = np.zeros((size, size, 2), np.float32)
    belief = weighted_mean(nothing, beliefs, weights, _ELSE) if beliefs else None
    return RestoredCrop(crop, mean, face_mask(size), belief=belief)
