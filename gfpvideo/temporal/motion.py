"""Optical flow between the registered crops of a track.

The crops of a track lie on one another already, so what moves is what the face does: it turns, speaks and blinks, and
landmarks err by a fraction of a pixel. One flow serves whoever looks at a face's neighbours in time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame, Motion
from gfpvideo.pixels.color import FloatImage

SIDE = 128
"""Side of the pictures between which flow is measured: finer differences are noise, and it is quicker."""
_LOW_PASS = 1.5 / 256
"""Standard deviation, as a share of the crop's side, of the low-pass before: noise must not be followed."""
_BOTH = np.empty(0, np.float32)
"""The second map of OpenCV's remapping where the first one holds columns and rows."""

Flow = NDArray[np.float32]
"""(H, W, 2) where each pixel of one picture lies in another, as an offset; between crops (SIDE, SIDE, 2)."""


def follow_motion(frames: Iterator[CroppedFrame], *, on: bool = True) -> Iterator[CroppedFrame]:
    """Stage: crops with the flow between them and those of their tracks in the frame before; unless ``on``, without.

    Tracks end at cuts, so nothing is followed across one.

    Args:
        frames: consecutive frames with their crops.
        on: whether anybody needs it.
    """
    earlier: dict[int, NDArray[np.uint8]] = {}
    for frame in frames if on else ():
        small = {crop.face.track: compared(crop.luma) for crop in frame.crops}
        yield replace(frame, crops=tuple(_followed(crop, small, earlier) for crop in frame.crops))
        earlier = small
    if not on:
        yield from frames


def _followed(crop: Crop, now: Mapping[int, NDArray[np.uint8]], before: Mapping[int, NDArray[np.uint8]]) -> Crop:
    track = crop.face.track
    if track not in before:
        return crop
    return replace(crop, motion=between(now[track], before[track]))


def between(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> Motion:
    """The flow between two pictures, measured once, by whoever asks first."""
    return Motion(cache(partial(flow, now, before)), cache(partial(flow, before, now)))


class Moving(Protocol):
    """What lies in a frame, and is followed from the frame before."""

    @property
    def motion(self) -> Motion | None:
        """How it moved since the frame before; ``None`` where it was not there."""
        ...


Thing = TypeVar("Thing", bound=Moving)


def onward(
    track: int, window: Sequence[Mapping[int, Thing]], place: int, step: int, radius: int
) -> Iterator[tuple[int, Flow]]:
    """Neighbours in time of a crop, and the flow from it to each.

    Args:
        track: number of its track.
        window: crops (or whatever else moves) by track, frame after frame.
        place: of its frame in the window.
        step: 1 for later frames, -1 for earlier ones.
        radius: frames to go at most; it ends sooner where the track does.
    """
    along: Flow | None = None
    for here in range(place, place + step * radius, step):
        there = here + step
        later = window[max(here, there)].get(track) if 0 <= there < len(window) else None
        if later is None or later.motion is None or track not in window[there]:
            return
        onward = later.motion.back() if step < 0 else later.motion.forth()
        along = onward if along is None else joined(along, onward)
        yield there, along


def around(track: int, window: Sequence[Mapping[int, Thing]], place: int, radius: int) -> list[tuple[int, Flow]]:
    """:func:`onward` in both directions."""
    return [near for step in (-1, 1) for near in onward(track, window, place, step, radius)]


def apart(track: int, window: Sequence[Mapping[int, Thing]], place: int, step: int) -> list[tuple[int, Flow]]:
    """Those of :func:`around` that are exactly ``step`` frames away."""
    return [(at, along) for at, along in around(track, window, place, step) if abs(at - place) == step]


def compared(luma: FloatImage) -> NDArray[np.uint8]:
    """(SIDE, SIDE) what flow sees of a crop's luma (S, S), which spans [-1, 1]."""
    return reduced(luma, (SIDE, SIDE), _LOW_PASS * len(luma))


def reduced(luma: FloatImage, size: tuple[int, int], low_pass: float) -> NDArray[np.uint8]:
    """A luma in [-1, 1], without what is finer than ``low_pass`` pixels, in ``size`` (width, height) and 8 bits."""
    smooth = cv2.GaussianBlur(luma, (0, 0), low_pass)
    small = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small * 127.5 + 127.5, 0, 255)).astype(np.uint8)


def flow(start: NDArray[np.uint8], end: NDArray[np.uint8]) -> Flow:
    """Where each pixel of ``start`` lies in ``end``: dense inverse search (Kroeger et al., 2016)."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(method.calc(start, end, np.zeros((*start.shape, 2), np.float32)), np.float32)


def joined(first: Flow, second: Flow) -> Flow:
    """The flow along ``first``, and from there along ``second``."""
    return first + pulled(second, first, method=cv2.INTER_LINEAR)


def brought(picture: FloatImage, along: Flow) -> FloatImage:
    """A neighbour (S, S) or (S, S, C), of any size, looked up where the flow from the picture at hand points."""
    size = len(picture)
    if size != len(along):
        along = np.asarray(cv2.resize(along, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return pulled(picture, along, size / SIDE)


def pulled(picture: FloatImage, along: Flow, scale: float = 1.0, method: int = cv2.INTER_CUBIC) -> FloatImage:
    """A picture (H, W) or (H, W, C) looked up where a flow (H, W, 2) points, in pixels of ``1 / scale`` of its own."""
    places = cv2.scaleAdd(along, scale, _ticks(*along.shape[:2]))
    moved = cv2.remap(picture, places, _BOTH, method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


@lru_cache(16)
def _ticks(height: int, width: int) -> FloatImage:
    """(H, W, 2) column and row of each pixel."""
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack([column, row])


def disagreement(forth: Flow, back: Flow) -> FloatImage:
    """(H, W) distance from each pixel to where flow forth and back leads: long for what is hidden."""
    return np.asarray(np.linalg.norm(forth + pulled(back, forth), axis=2), np.float32)
