"""Frames around pictures that lie in memory, as another program hands them over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.frames import Family, Frame
from gfpvideo.media.convert import CHROMA, exists
from gfpvideo.media.orientation import Orientation
from gfpvideo.media.pixel_format import components, samples
from gfpvideo.media.source import NO_TURN, thumbnail_of_picture


@dataclass(frozen=True)
class Layout:
    """What the arrays of a picture hold; colour by the numbers of ITU-T H.273 (2 is unspecified)."""

    family: Family
    bits: int
    subsampling: tuple[int, int] = (1, 1)
    """Luma samples for each chroma sample, horizontally and vertically."""
    matrix: int = 2
    transfer: int = 2
    color_range: int = 0
    """0 unspecified, 1 limited, 2 full: FFmpeg's numbers."""
    aspect: Fraction = Fraction(1)
    """Width of a pixel over its height."""


def frame_of_arrays(
    index: int, planes: Sequence[NDArray[np.integer]], layout: Layout, thumbnail_side: int | None = None
) -> Frame:
    """A frame whose components are ``planes`` themselves.

    Args:
        index: position in the film.
        planes: Y, U, V or R, G, B or Y, each (H, W), uint8 up to 8 bits and uint16 beyond.
        layout: what they hold.
        thumbnail_side: long side of the thumbnail, by default :func:`gfpvideo.media.orientation.usual_side`.

    Raises:
        UnsupportedMediaError: if FFmpeg knows no such subsampling.
    """
    picture = _picture(planes, layout)
    how = replace(samples(picture), bits=layout.bits, shift=0)
    orientation = Orientation(picture.width, picture.height, layout.aspect, NO_TURN)
    thumbnail = thumbnail_of_picture(picture, how, orientation, thumbnail_side)
    width, height = orientation.display_size
    return Frame(
        index=index,
        pts=index,
        time_base=Fraction(1),
        components=tuple(planes),
        samples=how,
        to_display=orientation.to_display(),
        thumbnail=thumbnail,
        thumbnail_scale=(width / thumbnail.shape[1], height / thumbnail.shape[0]),
    )


def _picture(planes: Sequence[NDArray[np.integer]], layout: Layout) -> VideoFrame:
    """The same picture as FFmpeg's, in the nearest of its formats: for the thumbnail."""
    name, bits = _format(layout)
    height, width = planes[0].shape
    picture = VideoFrame(width, height, name)
    picture.colorspace, picture.color_trc, picture.color_range = layout.matrix, layout.transfer, layout.color_range
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
