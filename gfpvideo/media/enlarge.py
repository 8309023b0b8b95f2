"""Hand pictures to an upscaler that works on RGB, and take them back in their own format."""

from collections.abc import Callable
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError

Enlarge = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(H, W, 3) RGB in [0, 1] in, the same enlarged out."""
_HDR = {16, 18}
"""Transfer characteristics of PQ and HLG in ITU-T H.273: upscalers know ordinary pictures alone."""


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
