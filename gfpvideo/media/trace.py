"""Begin to read a film in its midst, and know that what comes is what came when it was read from the beginning.

Where a container says that a key frame lies is not always where decoding gives the same pictures as from the film's
beginning: indexes are wrong, groups of pictures lean on those before them, intra refresh takes a while. So nothing is
believed. Who read the film first noted a trace of every picture; whoever begins in its midst compares.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from gfpvideo.errors import CorruptMediaError
from gfpvideo.frames import Frame
from gfpvideo.media.colour import KnownColour


class OtherPictureError(CorruptMediaError):
    """What comes after a jump is not what came when the film was read from the beginning: read it so again."""


@dataclass(frozen=True)
class Place:
    """Where reading may begin: a key frame, and what is known there of all that comes before."""

    index: int
    """Of the key frame."""
    pts: int
    """Its presentation timestamp in the film's ticks."""
    packets: int
    """Packets of the picture before its own."""
    end: Fraction
    """Latest end of a packet until there, in seconds."""
    turn: tuple[int, ...] | None
    """The film's display matrix."""
    colour: KnownColour
    """Its tags, as they were until there."""


def place_of(frame: Frame) -> Place | None:
    """Where the film can be read from this frame on, ``None`` if it cannot."""
    assert frame.place is None or isinstance(frame.place, Place)
    return frame.place


def trace(frame: Frame) -> int:
    """32 bits that tell the samples of a frame from others."""
    found = 0
    for samples in frame.components:
        found = zlib.crc32(np.ascontiguousarray(samples).view(np.uint8).data, found)
    return found


def compared(frames: Iterator[Frame], known: Mapping[int, tuple[int, int]]) -> Iterator[Frame]:
    """Stage: frames, those that are known compared.

    Args:
        frames: frames from anywhere in a film on.
        known: presentation timestamp and trace of frames, by index.

    Raises:
        OtherPictureError: if one is not the frame that is known.
    """
    for frame in frames:
        expected = known.get(frame.index)
        if expected is not None and expected != (frame.pts, trace(frame)):
            raise OtherPictureError(f"frame {frame.index} is not what it was when the film was read from the beginning")
        yield frame
