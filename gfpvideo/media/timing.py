"""Presentation timestamps: keep them exactly, repair only what no container could hold."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, takewhile
from typing import TypeVar

from av.packet import Packet
from av.stream import Stream

from gfpvideo.media.container import describe

Item = TypeVar("Item")

_WINDOW = 8
"""Frames within which timestamps that are out of order are sorted: deeper than encoders reorder."""
_JOIN = Fraction(1, 2)
"""Seconds that a stream's clock steps back where a recording was joined to another."""
_GAP = Fraction(10)
"""Seconds by which packets of one time may lie apart in a file, or one packet of a stream from the next."""
_DENSE = {"audio", "video"}
"""Streams whose packets come all the time: that one of them steps back says that the file does."""
_AHEAD = 100
"""Packets that are looked at ahead, at most, to tell one that leaps from a join."""


class TimestampRepair:
    """Makes timestamps strictly increasing; leaves every good one as it is and counts the others.

    Frames come out of a decoder in the right order. Where their timestamps do not (AVI has none, so they are guessed),
    the same timestamps in increasing order are right; only one that is missing, or not later than one that was given
    out already, is made up.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        """Take the stream's ``time_base`` and its nominal frame ``rate`` (25 if unknown)."""
        self._step = max(1, round(1 / ((rate or 25) * time_base)))
        self._last: int | None = None
        self._usable: list[int] = []
        self.repaired = 0
        """How many timestamps were missing, equal to the one before, or out of order."""

    def __call__(self, frames: Iterator[tuple[Item, int | None]]) -> Iterator[tuple[Item, int]]:
        """Frames with the timestamps to use, a few frames late.

        Args:
            frames: decoded frames in order, and the timestamps that they came with.
        """
        waiting: deque[tuple[Item, int | None]] = deque()
        for frame, pts in frames:
            if pts is not None and self._later(pts):
                heapq.heappush(self._usable, pts)
                waiting.append((frame, pts))
            else:
                waiting.append((frame, None))
            if len(waiting) > _WINDOW:
                yield self._release(waiting)
        while waiting:
            yield self._release(waiting)

    def _release(self, waiting: deque[tuple[Item, int | None]]) -> tuple[Item, int]:
        # The frame that leaves gets the smallest timestamp of the whole window, not its own: that is what sorts them.
        # One that cannot be used (equal to that before it, or passed by one that was made up) is thrown away, and not
        # the next one taken: that is another frame's.
        missing = sum(1 for _ in takewhile(lambda item: item[1] is None, waiting))
        frame, pts = waiting.popleft()
        chosen = heapq.heappop(self._usable) if pts is not None and self._usable else None
        if chosen is None or not self._later(chosen):
            # Timestamps of frames further back stay in the heap: this one had none, so it takes none from them.
            chosen = self._made_up(max(1, missing))
        self.repaired += chosen != pts
        self._last = chosen
        return frame, chosen

    def _made_up(self, missing: int) -> int:
        """A timestamp for the first of ``missing`` frames without any."""
        if self._last is not None:
            return self._last + self._within(missing)
        # Before the first that is known: count back from it, so that all of the missing ones fit in front.
        return self._usable[0] - missing * self._step if self._usable else 0

    def _within(self, missing: int) -> int:
        """Ticks to the next frame of ``missing`` ones, so that good timestamps behind them stay as they are."""
        following = min((pts for pts in self._usable if self._later(pts)), default=None)
        if following is None or self._last is None:
            return self._step
        return max(1, min(self._step, (following - self._last) // (missing + 1)))

    def _later(self, pts: int) -> bool:
        return self._last is None or pts > self._last


@dataclass
class _Clock:
    """Of one stream."""

    raw: Fraction
    """The latest decoding time as it came, in seconds; of those that are believed."""
    given: int
    """The latest that was given out, in ticks."""
    made_up: bool = False
    """Whether that is not as it came."""
    ends: Fraction = Fraction(0)
    """When that packet ends, in seconds."""
    joins: int = 0
    """Joins that it has passed."""

    def late(self, ticks: int) -> int:
        """Ticks that a time lies before the earliest that may be given out; equal ones are kept as they came."""
        return max(0, self.given + 1 - ticks) if self.made_up or ticks < self.given else 0


class PacketRepair:
    """Keeps decoding times of copied packets from stepping back, which no container holds; leaves all others alone.

    Where recordings were joined, the clock begins anew. All streams then move by the same time, so that sound stays
    with the picture: by what lets the first stream that comes to the join go on without a gap. As a rule that is the
    picture's, whose frames go on so as well (:class:`TimestampRepair`). One packet whose time lies far from those
    before and after it is no join: it alone is moved.
    """

    def __init__(self) -> None:
        """Begin with a file's first packet."""
        self._clocks: dict[int, _Clock] = {}
        self._shifts = [Fraction(0)]
        """Seconds that everything moves by, after each join."""
        self._until = Fraction(0)
        """When what was given out ends, in seconds: where one is in the file."""
        self.repaired: dict[int, int] = {}
        """How many packets of each stream stepped back, those aside that a join moves."""

    def findings(self, streams: Iterable[Stream]) -> list[str]:
        """What was mended, of the streams that somebody took, in words."""
        moved = [
            f"{self.repaired[each.index]} packets of {describe(each)}"
            for each in streams
            if each.index in self.repaired
        ]
        found = [f"{packets} stepped back in time: moved to later times" for packets in moved]
        if joins := len(self._shifts) - 1:
            found.append(f"the file's clock begins anew {joins} times: what is copied goes on where it was")
        return found

    def __call__(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """A file's packets, their times mended in place.

        They come as they went in, some late: to tell a packet that leaps from a join takes the next of its stream.
        """
        waiting: deque[Packet] = deque()
        for packet in packets:
            waiting.append(packet)
            while waiting and (len(waiting) > _AHEAD or not self._leaps(waiting[0]) or _next_of(waiting) is not None):
                yield self._mended(waiting)
        while waiting:
            yield self._mended(waiting)

    def _leaps(self, packet: Packet) -> bool:
        """Whether its time lies where the next of its stream is not expected."""
        clock = self._clocks.get(packet.stream_index)
        return clock is not None and (time := _time(packet)) is not None and not _follows(time, clock.raw)

    def _mended(self, waiting: deque[Packet]) -> Packet:
        """The first packet of those that wait, which leaves them."""
        following = _next_of(waiting)
        packet = waiting.popleft()
        time, base = _time(packet), packet.time_base
        if time is None or packet.dts is None or base is None:
            return packet
        clock = self._clocks.get(packet.stream_index)
        if clock is None:
            clock = self._clocks[packet.stream_index] = _Clock(time, packet.dts)
            clock.joins = self._joins(time, clock, founds=False)
            moved, late = round(self._shifts[clock.joins] / base), 0
        elif following is not None and self._astray(time, following, clock):
            moved, late = 0, clock.given + 1 - packet.dts
        else:
            clock.joins = self._joins(time, clock, founds=packet.stream.type in _DENSE)
            clock.raw = time
            moved = round(self._shifts[clock.joins] / base)
            late = clock.late(packet.dts + moved)
        if late:
            self.repaired[packet.stream_index] = self.repaired.get(packet.stream_index, 0) + 1
        _move(packet, moved + late)
        clock.given, clock.made_up = packet.dts, late != 0
        clock.ends = (packet.dts + (packet.duration or 0)) * base
        self._until = max(self._until, clock.ends)
        return packet

    def _joins(self, time: Fraction, clock: _Clock, *, founds: bool) -> int:
        """Joins that lie before a packet: as many as put it nearest to where one is in the file.

        Args:
            time: as it came.
            clock: of its stream.
            founds: whether there is another one where it steps back, and none that is known comes near.
        """
        back = founds and clock.raw - time > _JOIN
        away = self._away(time, clock.joins + back)
        nearest = min(away, key=away.__getitem__, default=clock.joins)
        if back and away.get(nearest, _GAP + 1) > _GAP:
            self._shifts.append(clock.ends - time)
            return len(self._shifts) - 1
        return nearest

    def _astray(self, time: Fraction, following: Fraction, clock: _Clock) -> bool:
        """Whether a time is neither near those before and after it, nor near where one is behind a join."""
        if _follows(time, clock.raw) or not _follows(following, clock.raw):
            return False
        return all(away > _GAP for away in self._away(time, clock.joins + 1).values())

    def _away(self, time: Fraction, least: int) -> dict[int, Fraction]:
        """How far from where one is in the file a time lies, behind each of the joins from ``least`` on."""
        return {joins: abs(time + self._shifts[joins] - self._until) for joins in range(least, len(self._shifts))}


def _move(packet: Packet, ticks: int) -> None:
    if ticks and packet.dts is not None:
        packet.dts += ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks


def _time(packet: Packet) -> Fraction | None:
    """Decoding time in seconds."""
    return None if packet.dts is None or packet.time_base is None else packet.dts * packet.time_base


def _follows(time: Fraction, before: Fraction) -> bool:
    """Whether a packet of this time may well come after one of that."""
    return -_JOIN <= time - before <= _GAP


def _next_of(waiting: deque[Packet]) -> Fraction | None:
    """Time of the next packet of the stream that the first of these belongs to, if it is among them."""
    index = waiting[0].stream_index
    times = (_time(packet) for packet in islice(waiting, 1, None) if packet.stream_index == index)
    return next(times, None)
