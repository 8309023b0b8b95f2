"""What travels with a decoded picture beside its samples."""

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


def side_data(picture: VideoFrame) -> Mapping[str, bytes]:
    """The side data of a picture by kind, as PyAV names it; the colour profile is left out.

    Ask it of one picture a film: PyAV ties a frame and its side data into a reference cycle, so that every frame would
    wait for the garbage collector.
    """
    every: Any = _without_profile(picture).side_data
    return {item.type.name: bytes(item) for item in every}


def display_matrix(picture: VideoFrame) -> tuple[int, ...] | None:
    """The display matrix that came with a picture, nine integers, or ``None``."""
    data = side_data(picture).get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", data)


def _without_profile(picture: VideoFrame) -> VideoFrame:
    """The same picture without its colour profile.

    A profile bears its name (PNG), and PyAV frees the names of side data when its wrappers go, FFmpeg once more when
    the picture goes: that ends the program. Profiles are the only kind with a name.
    """
    graph = Graph()
    last = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 1000)
    )
    for name, options in (("sidedata", "mode=delete:type=ICC_PROFILE"), ("buffersink", None)):
        following = graph.add(name, options)
        last.link_to(following)
        last = following
    graph.configure()
    graph.push(picture)
    return cast(VideoFrame, graph.pull())


def _nameless(kind: type[Type], value: object) -> Type | None:
    """A member for a number that the enumeration lacks."""
    if not isinstance(value, int):
        return None
    member = object.__new__(kind)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member


# PyAV names 28 kinds, the FFmpeg inside it knows more (29: a view of multi-view HEVC, 31: EXIF). Where a picture bears
# one of those, not even the kinds that PyAV does know could be read; so the enumeration learns to take any number.
cast(Any, Type)._missing_ = classmethod(_nameless)
