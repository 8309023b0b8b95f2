"""Steady restored faces over time: average each with its neighbours where the inputs agree.

The crops of a track are registered by their landmarks already, so a pixel can be compared with the same pixel of the
neighbouring frames. Where the (low-passed) inputs are alike within their noise, nothing moves and the restorations are
averaged; where a lid closes or a mouth opens, the inputs differ and the frame keeps its own restoration.

A face that gets only a share of its restoration keeps that much more of its source, whose noise is averaged as well:
what is pasted is ``share * (restored - source)``, and ``restored - (1 - share) * noise`` takes most of the noise away
with it, but none at share 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from cv2.typing import MatLike

from gfpvideo.frames import Crop, GeneratedFrame, RestoredCrop
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import Affine
from gfpvideo.pixels.regions import border_fade, face_mask
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows

Grain = Literal["none", "match"]

_SHRINK = 2
"""Inputs are compared at this fraction of their size: finer differences are noise, and it is quicker."""
_LOW_PASS = 1.5 / 256
"""Standard deviation, as a share of the crop's side, of the low-pass before inputs are compared."""
_NEIGHBOURHOOD = 3.0 / 256
"""Standard deviation, as a share of the crop's side, over which differences are gathered."""
_TOLERANCE = 0.01
"""Difference (crops span [-1, 1]) that is never held against a neighbour."""
_NOISE_SHARE = 1.5
"""How much of the difference that is usual between neighbours is tolerated on top."""
_INSIDE = 0.5
"""Mask value from which a pixel counts as face."""
_LARGEST_ERROR = 1.5
"""Pixels of the compared size by which landmarks may be off; more is a real movement, which one step cannot follow."""


@dataclass(frozen=True)
class _Held:
    """The crops of a frame and what is compared of them, by track."""

    frame: GeneratedFrame | None
    """The frame itself, until it was handed on."""
    crops: dict[int, RestoredCrop]
    luma: dict[int, FloatImage]


def reach(radius: int) -> Reach:
    """Frames around one that its steadied crops depend on."""
    return Reach(radius, radius)


def steady(frames: Iterator[GeneratedFrame], radius: int, grain: Grain = "none") -> Iterator[GeneratedFrame]:
    """Stage: restored crops averaged over up to ``radius`` frames either side; hands them on that much later.

    Tracks end at cuts, so nothing is mixed across one.

    Args:
        frames: frames whose crops the generator has restored.
        radius: frames either side; 0 leaves everything as it is.
        grain: ``match`` puts the grain of each frame's source, which the average took away, back onto the face; with
            ``none`` the grain of a face that gets a share of its restoration only is averaged away too.
    """
    if not radius:
        yield from frames
        return
    for window, place in windows(map(_held, frames), radius, lambda held: replace(held, frame=None)):
        yield _steadied(window, place, grain)


def _held(frame: GeneratedFrame) -> _Held:
    crops = {crop.track: crop for crop in frame.crops}
    return _Held(frame, crops, {track: _compared(crop.crop) for track, crop in crops.items()})


def _steadied(window: Sequence[_Held], place: int, grain: Grain) -> GeneratedFrame:
    now = window[place]
    assert now.frame is not None
    return replace(now.frame, crops=tuple(_averaged(crop, now, window, grain) for crop in now.frame.crops))


def _averaged(crop: RestoredCrop, now: _Held, window: Sequence[_Held], grain: Grain) -> RestoredCrop:
    """A crop averaged with those of its neighbours, weighted pixel by pixel."""
    track, size = crop.track, len(crop.restored)
    others = [other for other in window if other is not now and track in other.crops]
    if not others:
        return crop
    own, lumas = now.luma[track], [other.luma[track] for other in others]
    differences = [_difference(own, luma) for luma in lumas]
    tolerance = _TOLERANCE + _NOISE_SHARE * min(_typical(difference) for difference in differences)
    small = [np.exp(-0.5 * np.square(difference / np.float32(tolerance))) for difference in differences]
    to_own = registration(_mean(own, lumas, small), own, np.mean(small, axis=0))
    weights = [_enlarged(weight, size) for weight in small]
    found = [other.crops[track] for other in others]
    noise_kept = 1.0 if grain == "match" else float(crop.crop.share) - 1.0
    means = [_without(each, noise_kept) for each in (crop, *found)]
    restored = _moved(_mean(means[0], means[1:], [cv2.merge([weight] * 3) for weight in weights]), to_own)
    if noise_kept:
        restored += noise_kept * crop.crop.source
    if all(each.mask is face_mask(size) for each in (crop, *found)):
        return replace(crop, restored=restored)  # the mean of equal masks
    mask = _moved(_mean(crop.mask, [other.mask for other in found], weights), to_own)
    return replace(crop, restored=restored, mask=np.clip(mask, 0.0, border_fade(size)))


def _without(crop: RestoredCrop, noise_kept: float) -> FloatImage:
    """A restoration without its source: the mean of these, and a frame's own source, have that frame's own noise."""
    return crop.restored - np.asarray(noise_kept * crop.crop.source, np.float32) if noise_kept else crop.restored


def _mean(own: FloatImage, others: Sequence[FloatImage], weights: Sequence[MatLike]) -> FloatImage:
    """Weighted mean of a picture, whose weight is 1, and its neighbours; weights are of their shape."""
    total, weight_sum = own.copy(), np.ones_like(own)
    for other, weight in zip(others, weights, strict=True):
        cv2.accumulateProduct(other, weight, total)
        weight_sum += np.asarray(weight, np.float32)
    return total / weight_sum


def _moved(picture: FloatImage, to_own: Affine) -> FloatImage:
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, to_own, picture.shape[:2], flags=flags, borderMode=border), np.float32)


def registration(mean: FloatImage, own: FloatImage, weight: FloatImage) -> Affine:
    """The similarity transform, in pixels of a full crop, that brings an average onto one of its frames.

    Landmarks place each crop with an error of a fraction of a pixel. The average has the mean of those errors and the
    frame its own; pasted without this, the face would tremble by the difference. One step of Lucas and Kanade (1981).

    Args:
        mean: (s, s) average luma.
        own: (s, s) luma of the frame.
        weight: (s, s) how far each pixel took part in the average.
    """
    size = len(mean)
    across, down = (cv2.Scharr(mean, cv2.CV_32F, *axes, scale=1 / 32) for axes in ((1, 0), (0, 1)))
    x = np.arange(size, dtype=np.float32)[None, :] - np.float32((size - 1) / 2)
    y = x.T
    slopes = np.stack([across, down, across * x + down * y, down * x - across * y]).reshape(4, -1)
    trusted = slopes * (weight * face_mask(size)).reshape(-1)
    normal = trusted @ slopes.T + np.diag(np.full(4, 1e-6, np.float32))
    move_x, move_y, grow, turn = np.linalg.solve(normal, trusted @ (mean - own).reshape(-1)).astype(float)
    if max(abs(move_x), abs(move_y)) > _LARGEST_ERROR or max(abs(grow), abs(turn)) > _LARGEST_ERROR / size:
        return np.eye(2, 3)
    linear = np.array([[1 + grow, -turn], [turn, 1 + grow]])
    middle = np.full(2, (_SHRINK * size - 1) / 2)
    return np.column_stack([linear, middle - linear @ middle + _SHRINK * np.array([move_x, move_y])])


def _compared(crop: Crop) -> FloatImage:
    size = len(crop.luma) // _SHRINK
    small = cv2.resize(crop.luma, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _LOW_PASS * size), np.float32)


def _difference(one: FloatImage, other: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(cv2.absdiff(one, other), (0, 0), _NEIGHBOURHOOD * len(one)), np.float32)


def _typical(difference: FloatImage) -> float:
    """Median over the face: most of it hardly moves, so this is the noise."""
    return float(np.median(difference[face_mask(len(difference)) > _INSIDE]))


def _enlarged(weight: FloatImage, size: int) -> FloatImage:
    return np.asarray(cv2.resize(weight, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
