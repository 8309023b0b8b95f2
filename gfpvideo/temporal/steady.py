"""Steady restored faces over time: average each with its neighbours, brought along the flow, where the inputs agree.

Neighbours are laid onto a crop along the optical flow, so a face that nods or turns keeps its detail. What the flow
cannot explain - a lid that closes, a mouth that opens - differs in the (low-passed) inputs, and the frame keeps its own
restoration there; where they are alike within their noise, the restorations are averaged.

The mean of nine is a mean of three means of three: each crop with those one frame before and after, then the results
with those three frames before and after. That lays four neighbours onto it, not eight.

A face that gets only a share of its restoration keeps that much more of its source, whose noise is averaged as well:
what is pasted is ``share * (restored - source)``, and ``restored - (1 - share) * noise`` takes most of the noise away
with it, but none at share 0. Nor is anything averaged where the source was believed rather than what was made of it:
it is good as it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import cv2
import numpy as np

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.mix import channels_of, mixed
from gfpvideo.pixels.regions import border_fade
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.agreement import agreement
from gfpvideo.temporal.motion import Flow, apart, brought
from gfpvideo.temporal.neighbours import Held, enlarged, held, weighted_mean

Grain = Literal["none", "match"]


_Kept = Callable[[float], float]
"""How much of its own frame's noise a restoration keeps, by the share of it that its face gets."""


@dataclass(frozen=True)
class _Near:
    """A neighbour in time, and the flow to it."""

    crop: RestoredCrop
    small: FloatImage
    """See :class:`_Held`."""
    along: Flow


def reach(radius: int) -> Reach:
    """Frames around one that its steadied crops depend on."""
    return Reach(radius, radius)


def steady(
    frames: Iterator[GeneratedFrame], radius: int, grain: Grain = "none", *, repainted: bool = False
) -> Iterator[GeneratedFrame]:
    """Stage: restored crops averaged over up to ``radius`` frames either side; hands them on that much later.

    Args:
        frames: frames whose crops the generator has restored, with the flow between them.
        radius: frames either side; 0 leaves everything as it is.
        grain: ``match`` puts the grain of each frame's source, which the average took away, back onto the face; with
            ``none`` the grain of a face that gets a share of its restoration only is averaged away too.
        repainted: whether sources will be replaced by what was gathered of the whole picture: of their grain nothing
            need be taken away in advance then.
    """
    kept = partial(_noise_kept, grain, repainted)
    means = (_Mean(frame, {}) for frame in frames)
    for step in steps(radius):
        means = _averaged_by(means, step, kept)
    return (mean.frame for mean in means)


def _noise_kept(grain: Grain, repainted: bool, share: float) -> float:
    if grain == "match":
        return 1.0
    return 0.0 if repainted else float(share) - 1.0


def steps(radius: int) -> list[int]:
    """Frames either side whose means are averaged, one time after the other, until ``radius`` frames are reached."""
    found: list[int] = []
    while sum(found) < radius:
        found.append(min(2 * sum(found) + 1, radius - sum(found)))
    return found


@dataclass(frozen=True)
class _Mean:
    """A frame whose restored crops are means."""

    frame: GeneratedFrame
    counted: Mapping[int, FloatImage]
    """(SIDE, SIDE) how many restorations each crop is the mean of, by track; of those that are one alone nothing."""


@dataclass(frozen=True)
class _Held(Held[GeneratedFrame]):
    restored: dict[int, RestoredCrop]
    """Its restored crops by track."""
    small: dict[int, FloatImage]
    """(SIDE, SIDE, 3) of each: luma that is compared, mask, which is soft, and what it counts."""


def _averaged_by(means: Iterator[_Mean], step: int, kept: _Kept) -> Iterator[_Mean]:
    """Crops averaged with those ``step`` frames before and after."""
    for window, place in windows(map(_held, means), step, _shed):
        yield _averaged_frame(window, place, step, kept)


def _held(mean: _Mean) -> _Held:
    known = held(mean.frame, (crop.crop for crop in mean.frame.crops))
    restored = {crop.track: crop for crop in mean.frame.crops}
    small = {track: _small(known.luma[track], crop.mask, mean.counted.get(track)) for track, crop in restored.items()}
    return _Held(mean.frame, known.crops, known.luma, restored, small)


def _small(luma: FloatImage, mask: FloatImage, counted: FloatImage | None) -> FloatImage:
    soft = np.asarray(cv2.resize(mask, luma.shape, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.merge([luma, soft, np.ones_like(luma) if counted is None else counted]), np.float32)


def _shed(item: _Held) -> _Held:
    return replace(item, frame=None)


def _averaged_frame(window: Sequence[_Held], place: int, step: int, kept: _Kept) -> _Mean:
    own, crops, averaged, counted = window[place], [item.crops for item in window], [], {}
    for crop in own.now.crops:
        near = [
            _Near(window[at].restored[crop.track], window[at].small[crop.track], along)
            for at, along in apart(crop.track, crops, place, step)
        ]
        crop, counted[crop.track] = _averaged(crop, own.small[crop.track], near, kept(crop.crop.share))
        averaged.append(crop)
    return _Mean(replace(own.now, crops=tuple(averaged)), counted)


def _averaged(
    crop: RestoredCrop, own: FloatImage, near: Sequence[_Near], noise_kept: float
) -> tuple[RestoredCrop, FloatImage]:
    """A crop averaged with its neighbours, weighted pixel by pixel; and how many restorations that are."""
    size = len(crop.restored)
    own_luma, own_mask, own_count = channels_of(own)
    if not near:
        return crop, own_count
    luma, masks, counts = zip(*(channels_of(brought(other.small, other.along)) for other in near), strict=True)
    alike = [weight * count for weight, count in zip(agreement(own_luma, luma), counts, strict=True)]
    small = [weight / own_count for weight in alike]
    weights = [enlarged(weight, size) for weight in small]
    counted = np.asarray(own_count + sum(alike), np.float32)
    others = [brought(_without(other.crop, noise_kept), other.along) for other in near]
    restored = weighted_mean(_without(crop, noise_kept), others, weights)
    if noise_kept:
        restored += noise_kept * crop.crop.source
    if crop.replaced is not None:
        restored = mixed(crop.restored, restored, crop.replaced)
    if all(other.crop.mask is crop.mask for other in near):
        return replace(crop, restored=restored), counted  # the mean of equal masks
    mask = crop.mask + enlarged(weighted_mean(own_mask, masks, small) - own_mask, size)
    return replace(crop, restored=restored, mask=np.clip(mask, 0.0, border_fade(size))), counted


def _without(crop: RestoredCrop, noise_kept: float) -> FloatImage:
    """A restoration without its source: the mean of these, and a frame's own source, have that frame's own noise."""
    if not noise_kept:
        return crop.restored
    return np.asarray(cv2.scaleAdd(crop.crop.source, -noise_kept, crop.restored), np.float32)
