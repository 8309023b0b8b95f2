"""Films that show a restoration beside its source: ``restore --compare``."""

from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.frames import Frame, Rect, RestoredFrame
from gfpvideo.media.pixel_format import components
from gfpvideo.options.restore import Comparison
from gfpvideo.pixels.color import Components, component_slices
from gfpvideo.pixels.patches import patched

_PERIOD = 6
"""Seconds in which the border of a wipe goes to and fro once."""
_LINE = 2
"""Width of the line between the two pictures in pixels."""


def comparison(restored: RestoredFrame, how: Comparison) -> VideoFrame:
    """A picture of source and restoration, in the frame's own pixel format.

    ``side`` is twice as wide as a viewer sees it, the source to the left. ``split`` has the source left of the middle,
    ``wipe`` left of a border that wanders. Turned films are divided as the viewer sees them.
    """
    before, after = restored.source.components, patched(restored)
    sideways, mirrored = _direction(restored.frame)
    if mirrored:
        before, after = after, before
    if how == "side":
        return _beside(restored.frame, before, after, sideways)
    place = Fraction(1, 2) if how == "split" else wipe_place(restored.frame.pts * restored.frame.time_base)
    return _divided(restored.frame, before, after, 1 - place if mirrored else place, sideways)


def wipe_place(time: Fraction) -> Fraction:
    """Where the border of a wipe is, as a share of the picture's width: from 0 to 1 and back."""
    phase = (time / _PERIOD) % 1
    return 1 - abs(2 * phase - 1)


def _direction(frame: Frame) -> tuple[bool, bool]:
    """Whether stored rows are what a viewer sees from left to right, and whether backwards."""
    across, down = frame.to_display[0, :2]
    sideways = abs(down) > abs(across)
    return sideways, bool((down if sideways else across) < 0)


def _beside(frame: Frame, first: Components, second: Components, sideways: bool) -> VideoFrame:
    (width, height), (step_x, step_y) = frame.size, frame.samples.subsampling
    left, top = (0, -(-height // step_y) * step_y) if sideways else (-(-width // step_x) * step_x, 0)
    canvas = _canvas(frame, left + width, top + height)
    for index, plane in enumerate(components(canvas)):
        plane[component_slices(Rect(0, 0, width, height), frame.samples, index)] = first[index]
        place = Rect(left, top, left + width, top + height)
        plane[component_slices(place, frame.samples, index)] = second[index]
    return canvas


def _divided(frame: Frame, first: Components, second: Components, place: Fraction, sideways: bool) -> VideoFrame:
    width, height = frame.size
    length, step = (height, frame.samples.subsampling[1]) if sideways else (width, frame.samples.subsampling[0])
    border = int(place * length) // step * step
    canvas = _canvas(frame, width, height)
    for index, plane in enumerate(components(canvas)):
        plane[...] = first[index]
        rest = Rect(0, border, width, height) if sideways else Rect(border, 0, width, height)
        window = component_slices(rest, frame.samples, index)
        plane[window] = second[index][window]
        if index == 0 or frame.samples.family == "rgb":
            line = np.s_[border : border + _LINE, :] if sideways else np.s_[:, border : border + _LINE]
            plane[line] = _white(frame)
    return canvas


def _white(frame: Frame) -> int:
    bits = frame.samples.bits
    value = (1 << bits) - 1 if frame.samples.full_range else 235 << (bits - 8)
    return value << frame.samples.shift


def _canvas(frame: Frame, width: int, height: int) -> VideoFrame:
    """An empty picture with the properties of ``frame``; where it has an alpha channel, opaque."""
    picture = frame.picture
    assert isinstance(picture, VideoFrame)
    canvas = VideoFrame(width, height, picture.format.name)
    for plane in canvas.planes:
        opaque: NDArray[np.uint8] = np.frombuffer(cast(Any, plane), np.uint8)
        opaque[...] = 255
    canvas.pts, canvas.time_base = frame.pts, frame.time_base
    canvas.colorspace, canvas.color_range = picture.colorspace, picture.color_range
    canvas.color_primaries, canvas.color_trc = picture.color_primaries, picture.color_trc
    return canvas
