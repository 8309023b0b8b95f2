"""The stage that keeps what is done: frames become segments."""

import logging
from collections.abc import Generator, Iterator
from itertools import chain, islice
from pathlib import Path
from threading import Event

from gfpvideo.errors import StoppedError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.restoration.jobs.journal import Journal, SegmentRecord, pack

_log = logging.getLogger(__name__)


def write_segments(
    frames: Iterator[RestoredFrame], journal: Journal, encoder: SegmentEncoder, length: int, stop: Event
) -> Iterator[RestoredFrame | SegmentRecord]:
    """Stage: encode frames, ``length`` frames a segment; hands them on, and after its frames each segment's record.

    Raises:
        StoppedError: if ``stop`` is set when a segment is finished and there are more frames.
        OutputError: if a segment cannot be written.
    """
    while (first := next(frames, None)) is not None:
        if stop.is_set():
            raise StoppedError(f"interrupted; {journal.next_index or 0} frames are done: go on with --resume")
        record = yield from _segment(chain([first], islice(frames, length - 1)), journal.scratch(), encoder)
        journal.add(record)
        yield record
        _log.info("segment %d is finished: %d frames", len(journal.records), len(journal.records[-1].pts))


def _segment(
    frames: Iterator[RestoredFrame], scratch: Path, encoder: SegmentEncoder
) -> Generator[RestoredFrame, None, SegmentRecord]:
    seen = _Seen()
    try:
        segment = yield from encoder.encode(scratch, map(seen.note, frames))
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return SegmentRecord(
        first=seen.first,
        bytes=scratch.stat().st_size,
        pts=list(segment.pts),
        reorder=segment.reorder,
        faces=seen.faces,
        spared=seen.spared,
        tracks=sorted(seen.tracks),
        detections=seen.detections,
    )


class _Seen:
    """Counts what passes in one segment."""

    def __init__(self) -> None:
        self.first = -1
        self.faces = self.spared = 0
        self.tracks: set[int] = set()
        self.detections: list[list[list[float]]] = []

    def note(self, restored: RestoredFrame) -> RestoredFrame:
        if self.first < 0:
            self.first = restored.frame.index
        self.faces += len(restored.patches)
        self.spared += restored.spared
        self.tracks.update(patch.track for patch in restored.patches)
        self.detections.append(pack(restored.detections))
        return restored
