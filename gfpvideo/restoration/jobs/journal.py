"""The journal of a restoration: finished segments, and what is needed to go on after them.

It lies in the work folder beside the target (``film.restored.mp4.gfpvideo/``). ``job.json`` says what was begun.
Segments are runs of frames of one length: the Nth is ``segment-0000N.mkv``, and ``segment-0000N.json`` vouches for it,
written when it was finished. So they may be finished in any order and by any process, and what a power failure leaves
of a file is not one: that segment is made again. What was followed lies beside them (:mod:`.followed`).
"""

import logging
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gfpvideo.errors import OutputError, StoppedError
from gfpvideo.media.atomic import sync, write_error
from gfpvideo.media.places import Segment
from gfpvideo.report import Report
from gfpvideo.restoration.jobs.fingerprint import Begun, Fingerprint, read_begun
from gfpvideo.restoration.jobs.folder import (
    FOLLOWED,
    JOB,
    OLD,
    empty,
    owned,
    partial,
    take_in,
    work_folder,
    write_whole,
)
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.record import (
    SegmentRecord,
    read_record,
    record_path,
    recorded_numbers,
    segment_path,
)

_log = logging.getLogger(__name__)


class Journal:
    """The finished segments in a work folder.

    Segment ``number`` holds ``length`` frames from index ``begin + number * length`` on, fewer at the film's end.
    Whoever wants to add one needs no lock and no other record: only :func:`open_journal` owns the folder.
    """

    def __init__(self, folder: Path, length: int) -> None:
        """Look what is in ``folder``; segments have ``length`` frames."""
        self.folder, self.length = folder, length
        self.begin: int | None = None
        """Index of the film's first frame, once there is a record."""
        self._counts: dict[int, int] = {}
        self._token = secrets.token_hex(4)
        self.refresh()

    def refresh(self) -> None:
        """Take note of all segments that other processes have added."""
        for number in sorted(recorded_numbers(self.folder) - self._counts.keys()):
            self.take_note(number)

    def take_note(self, number: int) -> SegmentRecord | None:
        """Take note of one segment that another process has added; its record, unless it is known or none."""
        record = None if number in self else read_record(self.folder, number)
        if record is None or not self._fits(number, record):
            return None
        self._note(number, record)
        return record

    def _fits(self, number: int, record: SegmentRecord) -> bool:
        begin = record.first - number * self.length
        return begin >= 0 and self.begin in (None, begin) and len(record.pts) <= self.length

    def _note(self, number: int, record: SegmentRecord) -> None:
        self.begin = record.first - number * self.length
        self._counts[number] = len(record.pts)

    def __contains__(self, number: int) -> bool:
        return number in self._counts

    def __len__(self) -> int:
        """Finished segments."""
        return len(self._counts)

    @property
    def frames(self) -> int:
        """Frames of all finished segments."""
        return sum(self._counts.values())

    @property
    def next_index(self) -> int | None:
        """Index of the first frame that no segment holds yet; ``None`` if not even the film's first is held."""
        if self.begin is None or 0 not in self._counts:
            return None
        gap = next(number for number in range(len(self._counts) + 1) if number not in self._counts)
        return self.end(gap - 1)

    def end(self, number: int) -> int:
        """Index of the first frame after a finished segment."""
        assert self.begin is not None
        return self.begin + number * self.length + self._counts[number]

    def missing(self, total: int) -> list[int]:
        """Numbers of the segments of a film of ``total`` frames that are still to be made."""
        numbers = range(-(-total // self.length))
        return [n for n in numbers if self._counts.get(n) != min(self.length, total - n * self.length)]

    def records(self) -> Iterator[tuple[int, SegmentRecord]]:
        """Numbers and records of the finished segments in order, read one by one; those damaged since are left out."""
        for number in sorted(self._counts):
            record = read_record(self.folder, number)
            if record is not None:
                yield number, record

    def segments(self) -> list[Segment]:
        """The segments of a film of which none is missing, in order.

        Raises:
            OutputError: if one is missing or damaged after all.
        """
        segments: list[Segment] = []
        end = self.begin
        for number, record in self.records():
            if number != len(segments) or record.first != end:
                break
            segments.append(Segment(segment_path(self.folder, number), tuple(record.pts), record.reorder))
            end = record.end
        if len(segments) != len(self):
            path = segment_path(self.folder, len(segments))
            raise OutputError(f"{path}: the segment is missing or damaged; go on with --resume")
        return segments

    def files(self) -> set[str]:
        """Names of the files of all finished segments."""
        paths = ((segment_path(self.folder, number), record_path(self.folder, number)) for number in self._counts)
        return {path.name for pair in paths for path in pair}

    def scratch(self, number: int) -> Path:
        """Where a segment is written until it is finished; no other journal writes there."""
        return partial(segment_path(self.folder, number), self._token)

    def add(self, number: int, record: SegmentRecord) -> None:
        """Take the finished segment at :meth:`scratch` in; if somebody else has added the same before, theirs stays.

        Raises:
            OutputError: if it cannot be written down.
        """
        if not self._fits(number, record):
            raise ValueError(f"frames {record.first} to {record.end} are not segment {number} of {self.length} frames")
        scratch = self.scratch(number)
        try:
            there = read_record(self.folder, number)
            if there is not None and there.pts == record.pts:
                scratch.unlink()
            else:
                self._take_in(scratch, number, record)
        except OSError as error:
            raise write_error(self.folder, error) from error
        self._note(number, record)

    def _take_in(self, scratch: Path, number: int, record: SegmentRecord) -> None:
        path = record_path(self.folder, number)
        path.unlink(missing_ok=True)  # a record never vouches for a file that is newer
        take_in(scratch, segment_path(self.folder, number))
        write_whole(path, record.model_dump_json(), self._token)
        sync(self.folder)

    def drop(self, number: int) -> None:
        """Have a finished segment made again.

        Raises:
            OutputError: if its record cannot be removed.
        """
        try:
            record_path(self.folder, number).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        self._counts.pop(number, None)


def count_done(report: Report, journal: Journal) -> None:
    """Let a report tell of what earlier runs have finished, and of nothing else."""
    report.begin()
    for _, record in journal.records():
        report.add(len(record.pts), *record.counts)
    report.resumed = report.frames


@contextmanager
def open_journal(target: Path, fingerprint: Fingerprint, length: int, *, resume: bool) -> Iterator[Journal]:
    """The journal of the restoration into ``target``, new or gone on with.

    When the block ends well the work folder is removed; when it does not, it is kept if it holds a segment.

    Raises:
        StoppedError: if the block was interrupted (by a second Ctrl-C), and a segment is finished.
        OutputError: if another process works on it, it cannot be written, there is one from before but no ``resume``,
            or that one was begun with something else.
    """
    folder = work_folder(target)
    with owned(target):
        try:
            journal = _begin(folder, target, Begun(length=length, fingerprint=fingerprint), resume=resume)
            with _told_what_is_kept(journal, resume=resume):
                yield journal
        except BaseException:
            if not _worth_keeping(folder):
                with suppress(OutputError):  # what went wrong before is what matters
                    empty(folder)
            raise
        _remove_done(folder)


@contextmanager
def _told_what_is_kept(journal: Journal, *, resume: bool) -> Iterator[None]:
    """Say of an interruption, or of a disk that is full, that what is finished is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        if not journal.frames:
            raise
        raise StoppedError(f"interrupted at once; {journal.frames} frames are done: go on with --resume") from None
    except OutputError as error:
        if resume or not journal.frames or "--resume" in str(error):
            raise  # who goes on already knows, or is told by the command that does it by itself
        kept = f"{journal.frames} frames are done: with the same target, go on with --resume"
        raise OutputError(f"{error}; {kept}") from error


def _worth_keeping(folder: Path) -> bool:
    return bool(recorded_numbers(folder)) or any((folder / name).exists() for name in (FOLLOWED, OLD))


def _remove_done(folder: Path) -> None:
    """Remove what is done with; the film is there, so that nothing is lost if some of it stays."""
    try:
        empty(folder)
    except OutputError as error:
        _log.warning("%s; the film is finished, the folder is not needed any more", error)


def _begin(folder: Path, target: Path, begun: Begun, *, resume: bool) -> Journal:
    """The journal of what was begun before, if it may be gone on with, or else of what begins now."""
    before = read_begun(folder)
    journal = Journal(folder, begun.length if before is None else before.length)
    followed = resume and before is not None and Followed(folder, before.length).whole is not None
    if _worth_keeping(folder) and (len(journal) or before is None or followed):
        refusal = _refusal(folder, before, begun, resume=resume)
        if refusal is not None:
            raise OutputError(f"{target}: {refusal} with: gfpvideo jobs clean {shlex.quote(str(folder))}")
        empty(folder, but={JOB, *journal.files(), *Followed(folder, journal.length).files()})
        return journal
    empty(folder)
    try:
        write_whole(folder / JOB, begun.model_dump_json(), secrets.token_hex(4))
        sync(folder)
    except OSError as error:
        raise write_error(folder, error) from error
    return Journal(folder, begun.length)


def _refusal(folder: Path, before: Begun | None, begun: Begun, *, resume: bool) -> str | None:
    """Why the work in a folder can be neither gone on with nor thrown away; ``None`` if it can be gone on with."""
    if (folder / OLD).exists():
        return f"{folder.name} was made by an older gfpvideo, and cannot be gone on with; remove it"
    if before is None:
        return f"cannot go on: {folder.name}/{JOB} is damaged, or of another version of gfpvideo; remove the work"
    if not resume:
        return f"an interrupted restoration of it is in {folder.name}; go on with --resume, or remove it"
    difference = begun.difference(before)
    return f"cannot go on: {difference}; undo that, or remove the work" if difference else None
