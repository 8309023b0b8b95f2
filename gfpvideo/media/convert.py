"""Pixel formats that are not laid out in whole samples (palettes, packed bits, floats), and what they become."""

import re
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from gfpvideo.media.pixel_format import has_whole_samples, unsupported

CHROMA = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}
"""FFmpeg's names of subsamplings."""
_FLOAT = re.compile(r"f(16|32)(le|be)?$")
_FATAL = "yaf32"
"""FFmpeg's scaler ends the program when it is asked to read this one."""
_SWAPPED = re.compile(r"((?:rgb|bgr)5[56]5)be")
"""QuickTime's formats of 15 and 16 bits, whose byte order FFmpeg's scaler overlooks unless they are only swapped."""
_DEEPEST = 16
_EXACT = (
    Interpolation.POINT
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
_FULL_RANGE = 2
"""FFmpeg's number of full range."""


class Converter:
    """Passes pictures on in a format of whole samples: their own, if it is one."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def __call__(self, pictures: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The same pictures; all of them have the format of the first.

        Raises:
            UnsupportedMediaError: if FFmpeg converts the format into none that can be restored.
        """
        name = None
        for picture in pictures:
            if name is None:
                name = nearest(picture.format, transparent=_is_transparent(picture))
                if name != picture.format.name:
                    self.warnings.append(f"pixel format {picture.format.name} was converted to {name}")
            yield picture if name == picture.format.name else _converted(picture, name)


def nearest(source: VideoFormat, *, transparent: bool = False) -> str:
    """The smallest format of whole samples that holds what ``source`` does; floats get 16 bits.

    Args:
        source: any pixel format.
        transparent: whether a palette has transparent colours.

    Raises:
        UnsupportedMediaError: if there is none: the pictures lie in a device's memory.
    """
    if has_whole_samples(source):
        return source.name
    parts = [part for part in source.components if not part.is_alpha]
    if not parts or source.name.startswith(_FATAL):
        raise unsupported(source.name)
    alpha = transparent or len(parts) < len(source.components)
    for bits in (_bits(source), _DEEPEST):
        name = _name(source, bits, alpha=alpha)
        if exists(name):
            return name
    raise unsupported(source.name)


def exists(name: str) -> bool:
    """Whether FFmpeg knows a pixel format."""
    try:
        VideoFormat(name, 64, 64)
    except ValueError:
        return False
    return True


def _bits(source: VideoFormat) -> int:
    """Bits that hold a sample of a format."""
    if source.is_bayer:
        return 16 if "16" in source.name else 8
    if _FLOAT.search(source.name):
        return _DEEPEST
    return min(_DEEPEST, max(8, *(part.bits for part in source.components)))


def _name(source: VideoFormat, bits: int, *, alpha: bool) -> str:
    depth = "" if bits == 8 else f"{bits}le"
    if source.is_rgb or source.has_palette or source.is_bayer or source.name.startswith("xyz"):
        if bits == 8:
            return "rgba" if alpha else "rgb24"
        return f"{'gbrap' if alpha else 'gbrp'}{depth}"
    if len(source.components) < 3:
        return f"{'ya' if alpha else 'gray'}{depth or ('8' if alpha else '')}"
    chroma = CHROMA[64 // source.chroma_width(64), 64 // source.chroma_height(64)]
    return f"yuv{'a' if alpha else ''}{chroma}p{depth}"


def _is_transparent(picture: VideoFrame) -> bool:
    if not picture.format.has_palette:
        return False
    colours = np.frombuffer(cast(Any, picture.planes[1]), np.uint8)
    return bool((colours[3::4] < 255).any())  # B, G, R, A


def _converted(picture: VideoFrame, name: str) -> VideoFrame:
    full = picture.color_range or None
    swapped = _SWAPPED.fullmatch(picture.format.name)
    try:
        if swapped:
            picture = picture.reformat(format=f"{swapped[1]}le", interpolation=_EXACT)
        made = picture.reformat(format=name, interpolation=_EXACT, src_color_range=full, dst_color_range=full)
    except (ValueError, OSError):
        raise unsupported(picture.format.name) from None
    if name.startswith(("gray", "ya")):
        made.color_range = _FULL_RANGE  # black and white bits, and floats, are 0 and 1: nothing lies beyond
    return made
