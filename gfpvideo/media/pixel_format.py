"""Pixel formats: how FFmpeg lays samples out in memory, as views of one array a component.

PyAV tells planes and bits of a format but not the order inside packed and semi-planar ones; those are listed here.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.frames import Curve, Family, Matrix, Samples

_SEMI_PLANAR = re.compile(r"(nv(12|21|16|24|42|20))|(p[024]1[026])")
_PACKED_YUV = {"yuyv422": "YUYV", "uyvy422": "UYVY", "yvyu422": "YVYU", "y210": "YUYV", "y212": "YUYV"}
_NOT_WHOLE = re.compile(r".*(f16|f32|msb)(le|be)?")
"""Floats, and samples that lie at the upper end of their words."""
_PACKED_RGB = re.compile(r"(?P<order>[rgba0x]{3,4})(?P<bits>24|48|64)?")

_MATRICES: dict[int, Matrix] = {
    1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020", 10: "bt2020",
}  # fmt: skip
"""Matrix coefficients by their number in ITU-T H.273."""
_PQ = 16
"""Transfer characteristics of SMPTE ST 2084 in ITU-T H.273."""
_FULL_RANGE = 2
"""FFmpeg's number of full range."""


@dataclass(frozen=True)
class _Position:
    """Where a component's samples lie: every ``step``-th element of ``plane`` from ``offset``."""

    plane: int
    offset: int = 0
    step: int = 1


def components(frame: VideoFrame) -> tuple[NDArray[np.integer], ...]:
    """Views of the samples of ``frame``, one (H, W) array a component: Y, U, V or R, G, B or Y; alpha is left out.

    Raises:
        UnsupportedMediaError: if the pixel format is not laid out in whole samples (palettes, bit packing, floats).
    """
    name, order = _split_endianness(frame.format.name)
    bits = _bits(frame.format)
    dtype = np.dtype(np.uint8) if bits <= 8 else np.dtype(f"{order}u2")
    sizes = [(part.width, part.height) for part in frame.format.components]
    views = []
    for position, (width, height) in zip(_positions(name, frame.format), sizes, strict=False):
        plane = frame.planes[position.plane]
        rows = np.frombuffer(cast(Any, plane), np.uint8).reshape(-1, abs(plane.line_size)).view(dtype)
        if plane.line_size < 0:  # stored from the last row up (raw AVI); the buffer begins at the lowest address
            rows = rows[::-1]
        views.append(rows[:height, position.offset : position.offset + position.step * width : position.step])
    return tuple(views)


def read_only(views: tuple[NDArray[np.integer], ...]) -> tuple[NDArray[np.integer], ...]:
    """The same samples, as views that nobody can write to."""
    views = tuple(view.view() for view in views)
    for view in views:
        view.setflags(write=False)
    return views


def samples(frame: VideoFrame) -> Samples:
    """How to read the components of ``frame``; what the stream does not say is guessed as players do."""
    name, _ = _split_endianness(frame.format.name)
    family = _family(frame.format)
    bits = _bits(frame.format)
    subsampling = _subsampling(frame.format) if family == "yuv" else (1, 1)
    matrix = _matrix(frame)
    jpeg = name.startswith("yuvj")
    return Samples(
        family=family,
        bits=bits,
        shift=16 - bits if re.match(r"p[024]1[02]|y21|nv20", name) and name != "nv20" else 0,
        subsampling=subsampling,
        siting=_siting(subsampling, jpeg, matrix),
        matrix=matrix,
        full_range=family == "rgb" or jpeg or frame.color_range == _FULL_RANGE,
        curve=_curve(frame),
    )


def has_whole_samples(video_format: VideoFormat) -> bool:
    """Whether :func:`components` can show pictures of a format."""
    try:
        return bool(_positions(_split_endianness(video_format.name)[0], video_format))
    except UnsupportedMediaError:
        return False


def _split_endianness(name: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.*\d)(le|be)", name)
    if match is None:
        return name, "="
    return match[1], "<" if match[2] == "le" else ">"


def _bits(video_format: VideoFormat) -> int:
    return video_format.components[0].bits


def _family(video_format: VideoFormat) -> Family:
    if video_format.is_rgb:
        return "rgb"
    return "yuv" if len(video_format.components) >= 3 else "gray"


def _positions(name: str, video_format: VideoFormat) -> list[_Position]:
    """Positions of the colour components in canonical order."""
    parts = video_format.components
    widths = {part.bits for part in parts if not part.is_alpha}
    whole = widths <= set(range(8, 17)) and len(widths) == 1
    if (
        not whole
        or _NOT_WHOLE.fullmatch(name)
        or video_format.has_palette
        or video_format.is_bit_stream
        or video_format.is_bayer
    ):
        raise unsupported(video_format.name)
    if _SEMI_PLANAR.fullmatch(name):
        u, v = (1, 0) if name in {"nv21", "nv42"} else (0, 1)
        return [_Position(0), _Position(1, u, 2), _Position(1, v, 2)]
    if name in _PACKED_YUV:
        order = _PACKED_YUV[name]
        return [_Position(0, order.index("Y"), 2), _Position(0, order.index("U"), 4), _Position(0, order.index("V"), 4)]
    if len({part.plane for part in parts}) == len(parts):
        return [_Position(part.plane) for part in parts if not part.is_alpha]
    if name in {"ya8", "ya16"}:
        return [_Position(0, 0, 2)]
    packed = _PACKED_RGB.fullmatch(name)
    if packed and video_format.is_rgb:
        order = packed["order"]
        return [_Position(0, order.index(part), len(order)) for part in "rgb"]
    raise unsupported(video_format.name)


def unsupported(name: str) -> UnsupportedMediaError:
    """Our error for a pixel format."""
    return UnsupportedMediaError(f"pixel format {name} is not supported; convert the film to yuv420p, yuv444p or rgb24")


def _subsampling(video_format: VideoFormat) -> tuple[int, int]:
    return 64 // video_format.chroma_width(64), 64 // video_format.chroma_height(64)


def _siting(subsampling: tuple[int, int], jpeg: bool, matrix: Matrix) -> tuple[float, float]:
    """Usual place of the first chroma sample: JPEG centred, BT.2020 top left, all else left (PyAV does not tell)."""
    centre_x, centre_y = ((factor - 1) / 2 for factor in subsampling)
    if jpeg:
        return centre_x, centre_y
    return 0.0, 0.0 if matrix == "bt2020" else centre_y


def _matrix(frame: VideoFrame) -> Matrix:
    untagged: Matrix = "bt709" if frame.width >= 1280 or frame.height > 576 else "bt601"  # as mpv
    return _MATRICES.get(frame.colorspace, untagged)


def _curve(frame: VideoFrame) -> Curve:
    return "pq" if frame.color_trc == _PQ else "sdr"
