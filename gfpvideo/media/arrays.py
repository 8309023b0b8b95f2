"""Frames around pictures that lie in memory, as another program hands them over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.frames import Family, Frame, Samples
from gfpvideo.media.convert import CHROMA, exists
from gfpvideo.media.orientation import NO_TURN, Orientation
from gfpvideo.media.pixel_format import components, read_only, samples
from gfpvideo.media.thumbnail import shrunk


@dataclass(frozen=True)
class Layout:
    """What the arrays of a picture hold; colour by the numbers of ITU-T H.273 (2 is unspecified)."""

    family: Family
    bits: int
    subsampling: tuple[int, int] = (1, 1)
    """Luma samples for each chroma sample, horizontally and vertically."""
    siting: tuple[float, float] | None = None
    """Position of the first chroma sample, in luma pixels; ``None`` is where it usually lies."""
    matrix: int = 2
    transfer: int = 2
    color_range: int = 0
    """0 unspecified, 1 limited, 2 full: FFmpeg's numbers."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel over its height."""


def frame_of_arrays(index: int, planes: Sequence[NDArray[np.integer]], layout: Layout, picture: object = None) -> Frame:
    """A frame whose components are ``planes`` themselves.

    Args:
        index: position in the film.
        planes: Y, U, V or R, G, B or Y, each (H, W), uint8 up to 8 bits and uint16 beyond.
        layout: what they hold.
        picture: what owns their memory, kept as long as the frame.

    Raises:
        UnsupportedMediaError: if FFmpeg knows no such subsampling.
    """
    height, width = planes[0].shape
    how = _how(width, height, layout)
    orientation = Orientation(width, height, layout.aspect, NO_TURN)
    return Frame(
        index=index,
        pts=index,
        time_base=Fraction(1),
        components=read_only(tuple(planes)),
        samples=how,
        to_display=orientation.to_display(),
        shrink=lambda *size: shrunk(_picture(planes, layout), how, orientation, *size),
        picture=picture,
    )


@lru_cache(maxsize=8)
def _how(width: int, height: int, layout: Layout) -> Samples:
    usual = samples(_empty(width, height, layout))
    siting = usual.siting if layout.siting is None else layout.siting
    return replace(usual, bits=layout.bits, shift=0, siting=siting)


def _empty(width: int, height: int, layout: Layout) -> VideoFrame:
    """A picture of FFmpeg's, in the nearest of its formats."""
    picture = VideoFrame(width, height, _format(layout)[0])
    picture.colorspace, picture.color_trc, picture.color_range = layout.matrix, layout.transfer, layout.color_range
    return picture


def _picture(planes: Sequence[NDArray[np.integer]], layout: Layout) -> VideoFrame:
    """The same picture as FFmpeg's: for the thumbnail."""
    bits = _format(layout)[1]
    height, width = planes[0].shape
    picture = _empty(width, height, layout)
    for target, plane in zip(components(picture), planes, strict=True):
        shift = bits - layout.bits
        target[:] = plane.astype(target.dtype) << shift if shift >= 0 else plane >> -shift
    return picture


def _format(layout: Layout) -> tuple[str, int]:
    """Name and bits of FFmpeg's format that holds a layout, or what is needed of it to find faces."""
    stem = {"gray": "gray", "rgb": "gbrp", "yuv": f"yuv{CHROMA.get(layout.subsampling)}p"}[layout.family]
    for bits in (layout.bits, 16, 8):
        name = stem if bits == 8 else f"{stem}{bits}le"
        if exists(name):
            return name, bits
    raise UnsupportedMediaError(f"chroma subsampled by {layout.subsampling} is not supported")
