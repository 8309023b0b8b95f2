"""The files of segments, in which a timestamp is a frame's place.

A Matroska file counts milliseconds, too coarse for many films. In a segment's file a timestamp is therefore the frame's
place in the segment; the true ones are kept beside it, in the journal, and put back when the film is assembled.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.error
from av.codec import CodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from gfpvideo.errors import CorruptMediaError
from gfpvideo.media.atomic import write_error

PLACE_BASE = Fraction(1, 1000)
_EARLIER = 64
"""Places by which decoding times lie before presentation times: deeper than any encoder reorders frames."""


@dataclass(frozen=True)
class Segment:
    """A finished segment."""

    path: Path
    pts: tuple[int, ...]
    """Presentation timestamps of its frames in the film's ticks, increasing."""
    reorder: int
    """Places by which a packet comes later in decoding than in presentation order, at most."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what FFmpeg raises while a file is written into our error."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise write_error(path, OSError(error.errno, error.strerror)) from error


class Places:
    """Muxes the packets of a segment with their places for timestamps."""

    def __init__(self, path: Path, container: OutputContainer, stream: VideoStream, pts: list[int]) -> None:
        self.count = self.reorder = 0
        self._path, self._container, self._stream, self._pts = path, container, stream, pts
        self._places: dict[int | None, int] = {}

    def mux(self, packets: list[Packet]) -> None:
        """Write packets; presentation times must stand in ``pts`` before a packet of theirs comes."""
        for packet in packets:
            # An encoder gives packets out in decoding order, marked with the film's own time. _places holds that time's
            # place for every frame that went in so far; pts grows as frames go in, before their packets come out.
            for place in range(len(self._places), len(self._pts)):
                self._places[self._pts[place]] = place
            place = self._places[packet.pts]
            self.reorder = max(self.reorder, self.count - place)
            packet.stream, packet.time_base = self._stream, PLACE_BASE
            # The file needs decoding times that increase and never pass presentation times: the packets' own count is
            # one, once places are shifted by more than any encoder reorders.
            packet.pts, packet.dts, packet.duration = place + _EARLIER, self.count, 1
            with writing(self._path):
                self._container.mux_one(packet)
            self.count += 1


def timed_packets(segments: Sequence[Segment], time_base: Fraction, last_duration: int) -> Iterator[Packet]:
    """The packets of all segments in decoding order, with the film's own timestamps and durations.

    Decoding times are the presentation times, ``reorder`` frames late: that is what encoders do themselves, and it
    holds over the borders of segments. ``last_duration`` is that of the last frame, in ticks of ``time_base``.

    Raises:
        CorruptMediaError: if a segment's file is damaged.
    """
    pts = [ticks for segment in segments for ticks in segment.pts]
    durations = [after - before for before, after in pairwise(pts)]
    durations.append(last_duration or (durations or [1])[-1])
    delay = max(segment.reorder for segment in segments)
    before = [pts[0] - (delay - index) * max(1, durations[0]) for index in range(delay)]
    decoding = iter([*before, *pts])
    begin = 0
    for segment in segments:
        for packet, place in _placed(segment):
            packet.pts, packet.dts = pts[begin + place], next(decoding)
            packet.duration, packet.time_base = durations[begin + place], time_base
            yield packet
        begin += len(segment.pts)


def _placed(segment: Segment) -> Iterator[tuple[Packet, int]]:
    """The packets of a segment and their places in presentation order."""
    places = set()
    with av.open(f"file:{segment.path}") as container:
        for packet in container.demux(video=0):
            if packet.size:
                place = (packet.pts or 0) - _EARLIER
                places.add(place)
                yield packet, place
    if places != set(range(len(segment.pts))):
        raise CorruptMediaError(f"{segment.path}: the segment is damaged; remove its folder and restore again")


def same_codec(first: CodecContext, other: CodecContext) -> bool:
    """Whether packets of two segments can follow each other in one stream."""
    return (first.name, first.extradata) == (other.name, other.extradata)
