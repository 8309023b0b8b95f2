"""The stage that keeps what is done: frames become segments."""

import logging
from collections.abc import Generator, Iterator
from itertools import chain, islice
from pathlib import Path
from threading import Event

from gfpvideo.errors import OutputError, StoppedError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.restoration.events import SegmentDone
from gfpvideo.restoration.jobs.journal import Journal
from gfpvideo.restoration.jobs.record import SegmentRecord

_log = logging.getLogger(__name__)


def write_segments(
    frames: Iterator[RestoredFrame],
    journal: Journal,
    encoder: SegmentEncoder,
    stop: Event,
    begin: int | None = None,
) -> Iterator[RestoredFrame | SegmentDone]:
    """Stage: encode the frames that no segment of the journal holds yet; hands on those frames, and tells of segments.

    Args:
        frames: from the film's first on, or from anywhere in what the journal holds without a gap.
        journal: holds the segments.
        encoder: writes segments.
        stop: ends it between two segments.
        begin: index of the film's first frame; ``None`` if the journal knows it, or ``frames`` begin with it.

    Raises:
        StoppedError: if ``stop`` is set when a segment is finished and there are more frames.
        OutputError: if a segment cannot be written.
    """
    begin = journal.begin if begin is None else begin
    while (first := next(frames, None)) is not None:
        begin = first.frame.index if begin is None else begin
        number, place = divmod(first.frame.index - begin, journal.length)
        run = chain([first], islice(frames, journal.length - place - 1))
        if number in journal:
            _pass_over(run, journal, number)
            continue
        if stop.is_set():
            raise StoppedError(f"interrupted; {journal.frames} frames are done: go on with --resume")
        record = yield from _segment(run, encoder, journal.scratch(number))
        journal.add(number, record)
        _log.info("segment %d is finished: %d frames", number, len(record.pts))
        yield SegmentDone(number, len(record.pts))


def _pass_over(frames: Iterator[RestoredFrame], journal: Journal, number: int) -> None:
    """Let frames go by that a segment holds.

    Raises:
        OutputError: if it does not: when it was made, the film could be read no further, and now it can.
    """
    end = journal.end(number)
    for restored in frames:
        if restored.frame.index >= end:
            journal.drop(number)
            raise OutputError(
                f"{journal.folder}: the film broke off after frame {end} when segment {number} was made, and now goes"
                " on; that segment has been dropped: go on with --resume"
            )


def _segment(
    frames: Iterator[RestoredFrame], encoder: SegmentEncoder, scratch: Path
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
        hopeless=seen.hopeless,
        pictures=seen.pictures,
        tracks=sorted(seen.tracks),
    )


class _Seen:
    """Counts what passes in one segment."""

    def __init__(self) -> None:
        self.first = -1
        self.faces = self.spared = self.hopeless = self.pictures = 0
        self.tracks: set[int] = set()

    def note(self, restored: RestoredFrame) -> RestoredFrame:
        if self.first < 0:
            self.first = restored.frame.index
        self.faces += len(restored.patches)
        self.spared += restored.spared
        self.hopeless += restored.hopeless
        self.pictures += restored.whole
        self.tracks.update(patch.track for patch in restored.patches)
        return restored
