"""Spare the generator most crops of a face that hardly moves: restorations beside are brought to them.

The mean of the two restorations either side, each laid onto the crop along the optical flow, is as near to the truth as
the crop's own restoration, for errors that are new in every frame cancel out. That is done by halves: the crop midway
between two that the generator restores is made of those, then those midway between it and them. Where something happens
that neither neighbour shows - a lid that closes, a mouth that opens, a hand that passes - the crop gets a run of its
own. That is decided by the film's own pictures and the number of the frame alone, so it is the same whatever the batch
and whoever restores which part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gfpvideo.frames import Crop, CroppedFrame, GeneratedFrame, RestoredCrop
from gfpvideo.pixels.regions import face_mask
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.agreement import agreement
from gfpvideo.temporal.motion import Flow, apart, brought
from gfpvideo.temporal.neighbours import Held, enlarged, held, weighted_mean

AUTO = 4
"""Every so many frames the generator runs in any case, unless the option says another number."""
_SHOWN = 0.5
"""Agreement from which a neighbour shows what a pixel of the crop shows."""
_LENIENCY = 3.0
"""How much more a neighbour may differ than one that restorations are averaged with: it is no worse than an own run."""
_INSIDE = 0.3
"""Mask value from which a pixel counts."""
_ELSE = 1e-3
"""Weight of the source, which is what remains where neither neighbour shows the same."""


def interval(every: str) -> int:
    """Every so many frames the generator runs in any case, by the option's value: ``auto`` or a power of two."""
    return AUTO if every == "auto" else int(every)


def steps(every: int) -> list[int]:
    """Frames from a crop to those that it is made of, pass after pass, where every so many get a run."""
    return [2**power for power in reversed(range(every.bit_length() - 1))]


def decided_by(every: int) -> Reach:
    """Frames around one that decide whether its crops are spared."""
    return Reach(every // 2, every // 2)


def made_of(every: int) -> Reach:
    """Frames around one whose runs its restoration is made of."""
    return Reach(every - 1, every - 1)  # the sum of the steps


def reach(every: int) -> Reach:
    """Frames around one that its restoration depends on: its neighbours' runs, and what those depend on."""
    return decided_by(every) + made_of(every)


def spare(frames: Iterator[CroppedFrame], every: int) -> Iterator[CroppedFrame]:
    """Stage: crops, of which some say that they need no run of the generator; some frames late.

    Args:
        frames: consecutive frames with their crops, how these move, and what share of a restoration they get.
        every: a power of two; every so many frames are not spared whatever happens.
    """
    if every == 1:
        yield from frames
        return
    for window, place in windows((held(frame, filter(_wanted, frame.crops)) for frame in frames), every // 2):
        frame = window[place].now
        step = _step(frame.frame.index, every)
        if step:
            yield replace(frame, crops=tuple(_planned(crop, window, place, step) for crop in frame.crops))
        else:
            yield frame


def _step(index: int, every: int) -> int:
    """Frames from one to those that its crops are made of; 0 where they are never spared."""
    return next((step for step in steps(every) if _midway(index, step)), 0)


def _midway(index: int, step: int) -> bool:
    """Whether a frame lies between two that are ``step`` away and were dealt with before."""
    return index % (2 * step) == step


def _wanted(crop: Crop) -> bool:
    return crop.share > 0


def _planned(crop: Crop, window: Sequence[Held[CroppedFrame]], place: int, step: int) -> Crop:
    """The crop, with the weights of its neighbours' restorations if these are enough."""
    track = crop.face.track
    near = apart(track, [item.crops for item in window], place, step) if _wanted(crop) else []
    if len(near) < 2:  # at the end of a track
        return crop
    others = [brought(window[at].luma[track], along) for at, along in near]
    weights = np.stack(agreement(window[place].luma[track], others, _LENIENCY))
    inside = face_mask(weights.shape[-1]) > _INSIDE
    shown = bool(weights.max(axis=0)[inside].min() >= _SHOWN)
    return replace(crop, between=weights) if shown else crop


def fill(frames: Iterator[GeneratedFrame], every: int) -> Iterator[GeneratedFrame]:
    """Stage: what was spared is made of the restorations either side; some frames late.

    Args:
        frames: consecutive frames with what the generator made, how far that is believed, and what it was spared.
        every: as :func:`spare` was told.
    """
    for step in steps(every):
        frames = _filled_between(frames, step)
    return frames


def _filled_between(frames: Iterator[GeneratedFrame], step: int) -> Iterator[GeneratedFrame]:
    for window, place in windows(frames, step):
        frame = window[place]
        yield _completed(frame, window, place, step) if _midway(frame.frame.index, step) else frame


def _completed(frame: GeneratedFrame, window: Sequence[GeneratedFrame], place: int, step: int) -> GeneratedFrame:
    made = {crop.track: crop for crop in frame.crops}
    crops = [_by_track(each) for each in window] if frame.waiting else []
    for crop in frame.waiting:
        made[crop.face.track] = _filled(crop, window, apart(crop.face.track, crops, place, step))
    order = [face.track for face in frame.tracked.faces if face.track in made]
    return replace(frame, crops=tuple(made[track] for track in order), waiting=())


def _filled(crop: Crop, window: Sequence[GeneratedFrame], beside: Sequence[tuple[int, Flow]]) -> RestoredCrop:
    """A crop with the mean of the restorations either side, weighted by where they show the same."""
    assert crop.between is not None
    size, track = len(crop.source), crop.face.track
    restored, beliefs = [], []
    for at, along in beside:
        (other,) = (each for each in window[at].crops if each.track == track)
        restored.append(brought(other.restored, along))
        if other.belief is not None:
            beliefs.append(brought(other.belief, along))
    weights = [enlarged(weight, size) for weight in crop.between]
    mean = weighted_mean(crop.source, restored, weights, _ELSE)
    nothing = np.zeros((size, size, 2), np.float32)
    belief = weighted_mean(nothing, beliefs, weights, _ELSE) if beliefs else None
    return RestoredCrop(crop, mean, face_mask(size), belief=belief)


def _by_track(frame: GeneratedFrame) -> dict[int, Crop]:
    """The crops of a frame: those that were restored, and those that wait for it."""
    return {each.track: each.crop for each in frame.crops} | {crop.face.track: crop for crop in frame.waiting}
