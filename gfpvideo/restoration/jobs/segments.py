"""The stages that remember: detections are recalled instead of found again, frames become segments."""

import logging
from collections.abc import Generator, Iterator
from itertools import chain, islice
from threading import Event

from gfpvideo.errors import StoppedError
from gfpvideo.faces.detect import detect
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.frames import DetectedFrame, Detection, Frame, RestoredFrame
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.restoration.jobs.journal import Journal, SegmentRecord, pack

_log = logging.getLogger(__name__)


class Memory:
    """What the detector found: in earlier runs, from the journal, and in this one, until a segment takes it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._found = journal.detections()

    def detect(self, frames: Iterator[tuple[Frame, bool]], detector: Detector, every: int) -> Iterator[DetectedFrame]:
        """Stage: like :func:`gfpvideo.faces.detect.detect`, but known frames are not searched again."""
        for detected in detect(frames, detector, every, self._found):
            self._found[detected.frame.index] = detected.detections
            yield detected

    def take(self, index: int) -> tuple[Detection, ...]:
        """What was found in a frame; it is forgotten."""
        return self._found.pop(index, ())


def write_segments(
    frames: Iterator[RestoredFrame], memory: Memory, encoder: SegmentEncoder, length: int, stop: Event | None
) -> Iterator[RestoredFrame]:
    """Stage: encode the frames that no segment holds yet, ``length`` frames a segment; hands on those frames.

    Raises:
        StoppedError: if ``stop`` is set when a segment is finished and there are more frames.
        OutputError: if a segment cannot be written.
    """
    journal = memory.journal
    begin = journal.next_index or 0
    fresh = (frame for frame in frames if frame.frame.index >= begin)
    while (first := next(fresh, None)) is not None:
        if stop is not None and stop.is_set():
            raise StoppedError(f"interrupted; {journal.next_index or 0} frames are done: go on with --resume")
        journal.add((yield from _segment(chain([first], islice(fresh, length - 1)), memory, encoder)))
        _log.info("segment %d is finished: %d frames", len(journal.records), len(journal.records[-1].pts))


def _segment(
    frames: Iterator[RestoredFrame], memory: Memory, encoder: SegmentEncoder
) -> Generator[RestoredFrame, None, SegmentRecord]:
    seen = _Seen(memory)
    scratch = memory.journal.scratch()
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

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.first = -1
        self.faces = self.spared = 0
        self.tracks: set[int] = set()
        self.detections: list[list[list[float]]] = []

    def note(self, restored: RestoredFrame) -> RestoredFrame:
        if self.first < 0:
            self.first = restored.frame.index
        self.faces += len(restored.touched)
        self.spared += restored.spared
        self.tracks.update(number for number, _ in restored.touched)
        self.detections.append(pack(self._memory.take(restored.frame.index)))
        return restored
