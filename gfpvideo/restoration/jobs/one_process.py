"""Restore a film in one process: followed and restored at once, or gone on with from where something is missing."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event as Flag

from gfpvideo.errors import StoppedError
from gfpvideo.frames import Frame, RestoredFrame, TrackedFrame
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.trace import OtherPictureError, Place, compared
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import FrameDone, SegmentDone
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.going_on import followed_on, place_to_go_on
from gfpvideo.restoration.jobs.journal import Journal, count_done
from gfpvideo.restoration.jobs.pieces import recalled
from gfpvideo.restoration.jobs.segments import write_segments
from gfpvideo.restoration.load import Parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import follow, reach, restore_faces
from gfpvideo.stages.run import Run

_log = logging.getLogger(__name__)


@dataclass
class OneProcess:
    """Restores what no segment of a journal holds yet."""

    film: VideoSource
    """Opened; it knows all of itself in the end."""
    journal: Journal
    parts: Parts
    options: RestoreOptions
    report: Report
    stop: Flag
    followed: Followed = field(init=False)

    def __post_init__(self) -> None:
        """See what was followed before."""
        self.followed = Followed(self.journal.folder, self.journal.length)
        if self.followed.whole is not None and self.followed.whole.account.warnings:
            self.followed.forget_end()  # a film that could not be read to its end then may be whole now

    def run(self) -> Iterator[FrameDone | SegmentDone]:
        """Restore.

        Raises:
            StoppedError: if it was asked to stop.
            GfpvideoError: if the film cannot be restored.
        """
        try:
            place = self._place()
            if place is not None:
                yield from self._since(place)
                return
        except OtherPictureError as error:
            _log.info("%s; going on from the film's beginning", error)
        yield from self._from_the_beginning()

    @property
    def _first(self) -> int:
        """Index of the first frame that is missing."""
        return self.journal.next_index or 0

    def _place(self) -> Place | None:
        """Where to read the film from; ``None``: its beginning."""
        before = self._first - reach(self.options).back
        if not self.film.jumps:
            return None
        return place_to_go_on(self.followed, before) if self.followed.whole is None else self.followed.place(before)

    def _since(self, place: Place) -> Iterator[FrameDone | SegmentDone]:
        followed = self.followed
        with open_film(self.film.path, self.options) as film, Run() as run:
            frames = compared(film.frames(place), followed.known(place.index, followed.end))
            decoded = run("decode", self._unless_stopped(frames), thread=True)
            if followed.whole is None:
                tracked = followed_on(decoded, followed, self.parts, self.options, run)
            else:
                tracked = recalled(decoded, followed)
            yield from self._written(film, tracked, run)
            self.film.recall(film.account)

    def _from_the_beginning(self) -> Iterator[FrameDone | SegmentDone]:
        self.followed.check()
        known = self.followed.detections(0, self.followed.end)
        with Run() as run:
            decoded = run("decode", self._unless_stopped(self.film.frames()), thread=True)
            yield from self._written(self.film, follow(decoded, self.parts, self.options, run, known), run)

    def _unless_stopped(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """All frames; where nothing is written, before the first that is missing, a stop waits for no segment."""
        first = self._first
        for frame in frames:
            if frame.index < first and self.stop.is_set():
                raise StoppedError(f"interrupted; {first} frames are done: go on with --resume")
            yield frame

    def _written(
        self, film: VideoSource, tracked: Iterator[TrackedFrame], run: Run
    ) -> Iterator[FrameDone | SegmentDone]:
        """Restore and write followed frames, among them the first that is missing and those that it hangs on."""
        count_done(self.report, self.journal)
        encoder = SegmentEncoder(film, self.options)
        noted = run("note", self.followed.noted(tracked, film))
        restored = restore_faces(noted, self.parts, self.options, run, self._first)
        written = run("encode", write_segments(restored, self.journal, encoder, self.stop))
        yield from _told(written, self.report, self.film.expected_frames)
        self.report.warnings += encoder.warnings
        self.report.stages = run.seconds


def _told(
    written: Iterator[RestoredFrame | SegmentDone], report: Report, expected: int | None
) -> Iterator[FrameDone | SegmentDone]:
    """Count what was written, and tell."""
    for item in written:
        if isinstance(item, SegmentDone):
            yield item
        else:
            report.note(item)
            yield FrameDone(item, report.frames, expected)
