"""A part of a film: which frames and packets belong to it, and where they go.

The part is counted from the film's beginning. Its first frame takes the place of the film's first, and everything else
moves with it, so that sound and subtitles stay in step to within one tick of their own clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.stream import Stream

_INTERLEAVED = 10
"""Seconds by which packets of one time may lie apart in a file."""
_HELD = 600
"""Packets without a key frame after which a stream has none to wait for."""


@dataclass(frozen=True)
class Span:
    """Seconds from ``start`` up to, but not including, ``end``, counted from the film's beginning."""

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of the film."""
        return not self.start and self.end is None

    def past(self, time: Fraction) -> bool:
        """Whether ``time`` lies behind it."""
        return self.end is not None and time >= self.end

    def exhausted(self, time: Fraction) -> bool:
        """Whether a file that has come to packets of ``time`` holds no more of it."""
        return self.end is not None and time >= self.end + _INTERLEAVED


def times(packet: Packet) -> tuple[Fraction, Fraction] | None:
    """Beginning and end of a packet in seconds, or ``None`` if it bears no time."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    if ticks is None:
        return None
    assert packet.time_base is not None
    return ticks * packet.time_base, (ticks + (packet.duration or 0)) * packet.time_base


@dataclass(frozen=True)
class Part:
    """What a span came to, once its first frame is known; on the file's clock, in seconds."""

    first: Fraction
    """Time of its first frame."""
    end: Fraction | None
    """Where it ends."""
    offset: Fraction
    """By how much everything moves to earlier times."""

    def trim(self, packet: Packet, kind: str) -> bool:
        """Move a packet's times to where the part puts it, in place; whether anything of it is left.

        Sound begins and ends with whole packets; a subtitle that is on screen at either end is shortened.

        Args:
            packet: a packet of a copied stream.
            kind: ``audio``, ``subtitle`` or another type of stream.
        """
        found = times(packet)
        if found is None:
            return True
        begins, ends = found
        if self.end is not None and begins >= self.end:
            return False
        if kind == "subtitle":
            if ends <= self.first and begins < self.first:
                return False
            _clip(packet, max(begins, self.first), min(ends, self.end) if self.end is not None else ends)
        elif begins < self.first:
            return False
        move(packet, -self.offset)
        return True

    def chapters(self, chapters: Iterable[Any]) -> Iterator[Any]:
        """Those of a film's chapters (as PyAV gives them) that belong to it, at their new times."""
        for chapter in chapters:
            base = chapter["time_base"]
            begins, ends = max(chapter["start"] * base, self.first), chapter["end"] * base
            ends = ends if self.end is None else min(ends, self.end)
            if begins < ends:
                start, end = (round((time - self.offset) / base) for time in (begins, ends))
                yield {**chapter, "start": start, "end": end}


def _clip(packet: Packet, begins: Fraction, ends: Fraction) -> None:
    base = packet.time_base
    assert base is not None
    ticks = -(-begins // base)
    if packet.duration:
        packet.duration = max(1, int(ends // base) - ticks)
    packet.pts = packet.dts = ticks


def move(packet: Packet, seconds: Fraction | int) -> None:
    """Move a packet's times to later ones, or to earlier ones, in place; to the nearest tick."""
    assert packet.time_base is not None
    ticks = round(seconds / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts + ticks
    packet.dts = None if packet.dts is None else packet.dts + ticks


def from_last_key_frame(packets: Iterator[Packet], stream: Stream, start: Fraction) -> Iterator[Packet]:
    """Leave out the packets of ``stream`` that no frame from ``start`` on depends on.

    What comes before the last key frame at or before ``start`` need not be decoded; it is found by reading, not by an
    index, so it is right for every file. ``start`` is in seconds on the file's clock.
    """
    held: list[Packet] = []
    waiting = True
    for packet in packets:
        if not waiting or packet.stream_index != stream.index:
            yield packet
            continue
        found = times(packet)
        if packet.is_keyframe and found is not None and found[0] <= start:
            held.clear()
        held.append(packet)
        if (found is not None and found[0] >= start) or len(held) > _HELD:
            waiting = False
            yield from held
            held.clear()
    yield from held
