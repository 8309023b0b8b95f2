"""What travels with a decoded picture beside its samples."""

import struct
from typing import Any, cast

from av.video.frame import VideoFrame


def side_data(picture: VideoFrame, name: str) -> bytes | None:
    """The side data of a kind, ``None`` if there is none.

    Ask it of one picture a film: it ties a PyAV frame and its side data into a reference cycle, so that every frame
    would wait for the garbage collector.
    """
    try:
        return bytes(cast(Any, picture.side_data)[name])
    except KeyError:
        return None


def display_matrix(picture: VideoFrame) -> tuple[int, ...] | None:
    """The display matrix that came with a picture, nine integers, or ``None``."""
    data = side_data(picture, "DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", data)
