"""Enlarge the pictures of frames: by Lanczos, or by an upscaler that works on RGB."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.frames import Frame
from gfpvideo.media.one_filter import OneFilter
from gfpvideo.media.pixel_format import components, read_only
from gfpvideo.media.still import components_of, planes_of
from gfpvideo.pixels.geometry import compose, enlarging, invert

Enlarge = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(H, W, 3) RGB in [0, 1] in, the same enlarged out."""
_HDR = {16, 18}
"""Transfer characteristics of PQ and HLG in ITU-T H.273: upscalers know ordinary pictures alone."""


def lanczos(times: int) -> str:
    """FFmpeg's filter that enlarges pictures by Lanczos."""
    return f"scale=iw*{times}:ih*{times}:flags=lanczos"


class Enlarger:
    """Makes frames larger, those of films and of photographs; what they look like aside, nothing of them changes."""

    def __init__(self, times: int, network: Enlarge | None = None) -> None:
        """Say how.

        Args:
            times: how many times in width and height.
            network: what enlarges as many times, instead of Lanczos.
        """
        self.times, self.redraws = times, network is not None
        self._network = network
        self._lanczos = OneFilter(*lanczos(times).split("=", 1))

    def __call__(self, frame: Frame) -> Frame:
        """The same frame, larger.

        Raises:
            UnsupportedMediaError: if a network is to enlarge an HDR picture.
        """
        if isinstance(frame.picture, VideoFrame):
            picture = self._of_film(frame.picture, frame)
            views = components(picture)
        else:
            assert isinstance(frame.picture, np.ndarray), "frames of photographs carry their samples"
            picture = self._of_photograph(frame.picture, frame)
            views = components_of(picture)
        to_large = enlarging(self.times)
        to_display = compose(to_large, compose(frame.to_display, invert(to_large)))
        return replace(frame, picture=picture, components=read_only(views), to_display=to_display)

    def _of_film(self, picture: VideoFrame, frame: Frame) -> VideoFrame:
        if self._network is not None:
            return enlarged(picture, self._network)
        large = self._lanczos(picture, frame.time_base)
        large.pts, large.time_base = frame.pts, frame.time_base
        return large

    def _of_photograph(self, pixels: NDArray[np.integer], frame: Frame) -> NDArray[np.integer]:
        """(H, W) or (H, W, C) samples, larger; a network draws their colours, never their transparency."""
        planes = planes_of(pixels)
        count = len(frame.components)
        if self._network is None:
            large = [self._plane(plane, frame) for plane in planes]
        else:
            drawn = _drawn(np.stack(planes[:count], axis=2), self._network)
            large = [*drawn, *(self._plane(plane, frame) for plane in planes[count:])]
        return large[0] if pixels.ndim == 2 else np.stack(large, axis=2)

    def _plane(self, plane: NDArray[np.integer], frame: Frame) -> NDArray[np.integer]:
        name = "gray" if plane.dtype == np.uint8 else "gray16le"
        samples: Any = np.ascontiguousarray(plane)
        large: Any = self._lanczos(VideoFrame.from_ndarray(samples, format=name), frame.time_base)
        return large.to_ndarray()


def _drawn(colours: NDArray[np.integer], network: Enlarge) -> list[NDArray[np.integer]]:
    """The planes of a photograph (H, W, 3) or, in shades of grey, (H, W, 1), enlarged by a network."""
    peak = np.iinfo(colours.dtype).max
    rgb = np.repeat(colours, 3 // colours.shape[2], axis=2).astype(np.float32) / np.float32(peak)
    large = np.clip(network(rgb), 0.0, 1.0)
    shades = large if colours.shape[2] == 3 else large.mean(axis=2, keepdims=True)
    return [np.rint(shades[..., index] * peak).astype(colours.dtype) for index in range(shades.shape[2])]


def enlarged(picture: VideoFrame, enlarge: Enlarge) -> VideoFrame:
    """``picture``, larger, with its format, colour tags and time.

    Raises:
        UnsupportedMediaError: if it is an HDR picture.
    """
    if picture.color_trc in _HDR:
        raise UnsupportedMediaError("--background-model works on ordinary pictures, not on HDR; leave it out")
    deep = max(part.bits for part in picture.format.components) > 8
    name, peak = ("rgb48le", 65535) if deep else ("rgb24", 255)
    rgb = np.asarray(picture.reformat(format=name).to_ndarray(), np.float32) / np.float32(peak)
    large: Any = np.rint(np.clip(enlarge(rgb), 0.0, 1.0) * peak).astype(np.uint16 if deep else np.uint8)
    made: Any = VideoFrame.from_ndarray(np.ascontiguousarray(large), format=name)
    # Back by the matrix and range that were used on the way here.
    full = picture.color_range or None
    result = made.reformat(format=picture.format.name, dst_colorspace=picture.colorspace, dst_color_range=full)
    result.pts = picture.pts
    if picture.time_base is not None:
        result.time_base = picture.time_base
    result.color_range, result.colorspace = picture.color_range, picture.colorspace
    result.color_primaries, result.color_trc = picture.color_primaries, picture.color_trc
    return result
