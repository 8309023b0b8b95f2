"""What is finest in a face, and its neighbours in time do not show, is damage.

Noise and the edges of blocks can be measured in one frame. What a video codec leaves around eyes, hair and lips where
it had to save cannot: it looks like detail. But it comes and goes with the frames, while lashes and pores stay; and who
gathered the neighbours has seen them all. So the finest detail that is there in the gathered crop as well is the
face's own, even if it looks like noise; what is not there is damage, even if it does not. What a codec carries along
with a face for seconds passes for the face's own: it does not flicker, either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from gfpvideo.composite.detail import finest
from gfpvideo.composite.weigh import fine_detail
from gfpvideo.frames import Crop, CroppedFrame
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.geometry import scale_of
from gfpvideo.pixels.mix import median
from gfpvideo.pixels.ramp import ramp
from gfpvideo.pixels.regions import face_mask, inside_face
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.gather import RADIUS as _SEEN

_SIDE = 256
"""Side of the pictures that are compared; what larger crops hold beyond that is hardly the film's."""
_SPREAD = 0.5
"""How much it counts, beside what is found again, how wide detail is spread."""
_DAMAGE, _DETAIL, _SURE = 0.907, 0.957, 1.05
"""Sum of both up to which what is finest is damage, from which on it is none unless it looks like noise, and from which
on it is the face's own whatever it looks like; in a picture as fine as its frame.

Of 21 talking heads, in the mean of nine frames: unaged it is beyond the second in 199 of 200; coded as H.264 with a
rate factor of 23, 0.9 of their detail counts as their own, of 28 0.6, of 34 0.2."""
_FINER = 0.09
"""How much more all are where a picture is twice as fine as its frame, or finer: in there the film holds less."""
_RADIUS = 4
"""Frames either side whose mean counts: a jerk of the head hides for a frame or two what is there."""
_SLOW = 1.5
"""Pixels, where flow is measured, by which a face may move from frame to frame and still be sharp to its neighbours."""
_DOUBT = 0.05
"""Slow frames that convince half: where all is fast, what one sees of a frame alone stays."""


@dataclass(frozen=True)
class _Judged:
    """What one frame says of its faces."""

    frame: CroppedFrame | None
    """The frame itself, until it was handed on."""
    confirmed: dict[int, tuple[float, float]]
    """By track, how far detail is :func:`confirmed`, and how slowly the face moves: 1 where it does not."""


def reach(*, on: bool) -> Reach:
    """Frames around one that decide what is damage in it."""
    return Reach(_RADIUS, _RADIUS) if on else Reach()


def confirm(frames: Iterator[CroppedFrame], *, on: bool) -> Iterator[CroppedFrame]:
    """Stage: crops with what of them is damage, now that their neighbours are known; hands them on four frames later.

    Args:
        frames: consecutive frames with their crops, gathered.
        on: whether anything was gathered, and its damage measured.
    """
    if not on:
        yield from frames
        return
    for window, place in windows(map(_judged, frames), _RADIUS, lambda item: replace(item, frame=None)):
        frame = window[place].frame
        assert frame is not None
        yield replace(frame, crops=tuple(_seen_in(window, crop) for crop in frame.crops))


def _judged(frame: CroppedFrame) -> _Judged:
    gathered = [crop for crop in frame.crops if crop.gathered is not None]
    return _Judged(frame, {crop.face.track: (confirmed(crop), _slowness(crop)) for crop in gathered})


def _slowness(crop: Crop) -> float:
    if crop.motion is None:
        return 1.0
    back = crop.motion.back()
    moved = cv2.magnitude(*cv2.split(back))[inside_face(len(back))]
    return float(np.exp(-np.square(moved.mean() / _SLOW)))


def _seen_in(window: Sequence[_Judged], crop: Crop) -> Crop:
    track = crop.face.track
    near = [item.confirmed[track] for item in window if track in item.confirmed]
    return replace(crop, damage=_convinced(crop.damage, near)) if near else crop


def _convinced(alone: float, near: Sequence[tuple[float, float]]) -> float:
    """What is damage after frames in a row, each believed as far as it and those its neighbours come from are slow."""
    found, slow = np.array(near).T
    counts = np.array([slow[max(0, at - _SEEN) : at + _SEEN + 1].min() for at in range(len(slow))])
    total = float(counts.sum())
    if not total:
        return alone
    return alone + total / (total + _DOUBT) * (damage(alone, float((counts * found).sum()) / total) - alone)


def damage(alone: float, found: float) -> float:
    """How much of what is finest in a crop is damage, 0 to 1.

    Args:
        alone: the same, as far as one sees without its neighbours.
        found: how far these have :func:`confirmed` it.
    """
    return max(alone * (1 - ramp(found, _DETAIL, _SURE)), 1 - ramp(found, _DAMAGE, _DETAIL))


def confirmed(crop: Crop) -> float:
    """How far a gathered crop confirms what is finest in its source: about 1 for a face that needs no restoration.

    That is the share of it that is found again, and how wide it is spread: coded coarsely, a face keeps detail along
    its lines alone.
    """
    assert crop.gathered is not None
    luma, gathered = (_compared(picture) for picture in (crop.luma, rgb_to_ycc(crop.gathered)[0]))
    scale = scale_of(crop.to_crop) * len(luma) / len(crop.luma)
    return again(luma, gathered) + _SPREAD * spread(fine_detail(luma)) - _FINER * float(np.clip(np.log2(scale), 0, 1))


def _compared(picture: FloatImage) -> FloatImage:
    if len(picture) <= _SIDE:
        return picture
    return np.asarray(cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)


def again(luma: FloatImage, gathered: FloatImage) -> float:
    """Share of what is finest in a face, (S, S), that what was gathered shows as well; 0 for none of it."""
    own = finest(luma)
    weighted = own * face_mask(len(luma))
    return float((weighted * finest(gathered)).sum()) / max(float((weighted * own).sum()), 1e-9)


def spread(fine: FloatImage) -> float:
    """Median amplitude of fine detail, (S, S), over its root mean square in a face: less where few places have it."""
    inside = np.abs(fine[inside_face(len(fine))])
    return median(inside) / max(float(np.sqrt(np.mean(np.square(inside)))), 1e-9)
