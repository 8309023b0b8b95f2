"""Presentation timestamps: keep them exactly, repair only what no container could hold."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from typing import TypeVar

from av.packet import Packet
from av.stream import Stream

from gfpvideo.media.container import describe

Item = TypeVar("Item")

_WINDOW = 8
"""Frames within which timestamps that are out of order are sorted: deeper than encoders reorder."""
_JOIN = Fraction(1, 2)
"""Seconds that a stream's clock steps back where a recording was joined to another."""


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
        # The frame that leaves gets the smallest timestamp of the whole window, not its own: that is what sorts them. A
        # timestamp that can no longer be used (another frame's making up has passed it) is thrown away for the next.
        missing = sum(1 for _ in takewhile(lambda item: item[1] is None, waiting))
        frame, pts = waiting.popleft()
        chosen = None
        while pts is not None and self._usable and chosen is None:
            smallest = heapq.heappop(self._usable)
            chosen = smallest if self._later(smallest) else None
        if chosen is None:
            # Timestamps of frames further back stay in the heap: this one had none, so it takes none from them.
            chosen = self._made_up(missing)
        self.repaired += chosen != pts
        self._last = chosen
        return frame, chosen

    def _made_up(self, missing: int) -> int:
        """A timestamp for the first of ``missing`` frames without any."""
        if self._last is not None:
            return self._last + self._step
        # Before the first that is known: count back from it, so that all of the missing ones fit in front.
        return self._usable[0] - missing * self._step if self._usable else 0

    def _later(self, pts: int) -> bool:
        return self._last is None or pts > self._last


@dataclass
class _Clock:
    """Of one stream."""

    raw: int
    """The latest decoding time as it came, in ticks."""
    given: int
    """The latest that was given out."""
    ends: Fraction = Fraction(0)
    """When that packet ends, in seconds."""
    joins: int = 0
    """Joins that it has passed."""


class PacketRepair:
    """Keeps decoding times of copied packets from stepping back, which no container holds; leaves all others alone.

    Where recordings were joined, the clock begins anew. All streams then move by the same time, so that sound stays
    with the picture: by what lets the first stream that comes to the join go on without a gap. As a rule that is the
    picture's, whose frames go on so as well (:class:`TimestampRepair`).
    """

    def __init__(self) -> None:
        """Begin with a file's first packet."""
        self._clocks: dict[int, _Clock] = {}
        self._shifts = [Fraction(0)]
        """Seconds that everything moves by, after each join."""
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

    def __call__(self, packet: Packet) -> None:
        """Mend the times of the file's next packet in place."""
        base, index = packet.time_base, packet.stream_index
        if packet.dts is None or base is None:
            return
        clock = self._clocks.setdefault(index, _Clock(packet.dts, packet.dts))
        if (clock.raw - packet.dts) * base > _JOIN:
            clock.joins += 1
            if clock.joins == len(self._shifts):
                self._shifts.append(clock.ends - packet.dts * base)
        clock.raw = packet.dts
        moved = round(self._shifts[clock.joins] / base)
        if packet.dts + moved < clock.given:
            self.repaired[index] = self.repaired.get(index, 0) + 1
            moved = clock.given + 1 - packet.dts
        if moved:
            packet.dts += moved
            packet.pts = None if packet.pts is None else packet.pts + moved
        clock.given, clock.ends = packet.dts, (packet.dts + (packet.duration or 0)) * base
