"""The journal of a restoration: finished segments, and what is needed to go on after them.

It lies in the work folder beside the target (``film.restored.mp4.gfpvideo/``), with the segments' files. Its first line
is the restoration's fingerprint, every further line a segment, written and synced after the segment's own file was.
What a power failure leaves of a last line is not one, so it is dropped, and its segment made again.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gfpvideo.errors import OutputError
from gfpvideo.frames import Detection
from gfpvideo.media.atomic import write_error
from gfpvideo.media.segment import Segment
from gfpvideo.restoration.jobs.fingerprint import Fingerprint

SUFFIX = ".gfpvideo"
"""What a target's work folder has in addition to the target's name."""
_JOURNAL, _LOCK = "journal.jsonl", "lock"

Found = Annotated[list[float], Field(min_length=15, max_length=15)]
"""A detection: ten coordinates of landmarks, four of the box, the score."""


class SegmentRecord(BaseModel):
    """A finished segment."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    first: int = Field(ge=0, description="Index of its first frame.")
    bytes: int = Field(ge=0)
    pts: list[int] = Field(min_length=1)
    reorder: int = Field(ge=0)
    faces: int = Field(ge=0)
    spared: int = Field(ge=0)
    tracks: list[int]
    detections: list[list[Found]] = Field(description="What the detector found in each of its frames.")

    @property
    def end(self) -> int:
        """Index of the first frame after it."""
        return self.first + len(self.pts)


def pack(detections: tuple[Detection, ...]) -> list[Found]:
    """Detections as the journal holds them, exactly."""
    return [[*face.landmarks.ravel().tolist(), *face.box.tolist(), face.score] for face in detections]


def unpack(found: list[Found]) -> tuple[Detection, ...]:
    """The inverse of :func:`pack`."""
    return tuple(
        Detection(np.array(numbers[:10]).reshape(5, 2), np.array(numbers[10:14]), numbers[14]) for numbers in found
    )


class Journal:
    """The journal of one restoration; see :func:`open_journal`."""

    def __init__(self, folder: Path, records: list[SegmentRecord]) -> None:
        self.folder = folder
        self.records = records

    @property
    def next_index(self) -> int | None:
        """Index of the first frame that no segment holds yet; ``None`` if there is no segment."""
        return self.records[-1].end if self.records else None

    def detections(self) -> dict[int, tuple[Detection, ...]]:
        """What was found in the frames of all segments, by index."""
        return {
            record.first + offset: unpack(found)
            for record in self.records
            for offset, found in enumerate(record.detections)
        }

    def segments(self) -> list[Segment]:
        """The finished segments in order."""
        return [
            Segment(segment_path(self.folder, number), tuple(record.pts), record.reorder)
            for number, record in enumerate(self.records)
        ]

    def scratch(self) -> Path:
        """Where the next segment is written until it is finished."""
        return segment_path(self.folder, len(self.records)).with_suffix(".partial")

    def add(self, record: SegmentRecord) -> None:
        """Take the finished segment at :meth:`scratch` in.

        Raises:
            OutputError: if it cannot be written down.
        """
        scratch = self.scratch()
        try:
            _sync(scratch)
            scratch.replace(segment_path(self.folder, len(self.records)))
            _sync(self.folder)
            _append(self.folder / _JOURNAL, record.model_dump_json())
        except OSError as error:
            raise write_error(self.folder, error) from error
        self.records.append(record)


def segment_path(folder: Path, number: int) -> Path:
    """Where a finished segment lies."""
    return folder / f"segment-{number:05d}.mkv"


def work_folder(target: Path) -> Path:
    """The work folder of a target."""
    return target.with_name(target.name + SUFFIX)


@contextmanager
def open_journal(target: Path, fingerprint: Fingerprint, *, resume: bool) -> Iterator[Journal]:
    """The journal of the restoration into ``target``, new or gone on with.

    When the block ends well the work folder is removed; when it does not, it is kept if it holds a segment.

    Raises:
        OutputError: if another process works on it, it cannot be written, there is one from before but no ``resume``,
            or that one was begun with something else.
    """
    folder = work_folder(target)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(f"{target}: another gfpvideo is restoring into it; wait for it, or give another -o") from None
    journal = Journal(folder, [])
    try:
        _begin(journal, target, fingerprint, resume=resume)
        yield journal
        journal.records.clear()
    finally:
        lock.release()
        if not journal.records:
            shutil.rmtree(folder, ignore_errors=True)


def _begin(journal: Journal, target: Path, fingerprint: Fingerprint, *, resume: bool) -> None:
    folder = journal.folder
    journal.records = read_records(folder)
    if journal.records and not resume:
        raise OutputError(
            f"{target}: an interrupted restoration of it is in {folder.name}; go on with --resume, or remove it with:"
            f" gfpvideo jobs clean {folder.name}"
        )
    if journal.records:
        before = read_fingerprint(folder)
        difference = "its journal is damaged" if before is None else fingerprint.difference(before)
        if difference is not None:
            raise OutputError(
                f"{target}: cannot go on: {difference}; undo that, or remove the work with:"
                f" gfpvideo jobs clean {folder.name}"
            )
    lines = [fingerprint.model_dump_json(), *(record.model_dump_json() for record in journal.records)]
    try:
        _rewrite(folder / _JOURNAL, lines)
    except OSError as error:
        raise write_error(folder, error) from error


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """What a restoration was begun with, or ``None`` if the journal does not say."""
    try:
        return Fingerprint.model_validate_json(_lines(folder)[0])
    except (IndexError, ValidationError):
        return None


def read_records(folder: Path) -> list[SegmentRecord]:
    """The segments that a journal lists and whose files are whole, up to the first that is not."""
    records: list[SegmentRecord] = []
    for number, line in enumerate(_lines(folder)[1:]):
        try:
            record = SegmentRecord.model_validate_json(line)
            whole = segment_path(folder, number).stat().st_size == record.bytes
        except (ValidationError, OSError):
            break
        if not whole or (records and record.first != records[-1].end):
            break
        records.append(record)
    return records


def _lines(folder: Path) -> list[bytes]:
    try:
        content = (folder / _JOURNAL).read_bytes()
    except OSError:
        return []
    return content.split(b"\n")[:-1]


def _rewrite(path: Path, lines: list[str]) -> None:
    scratch = path.with_suffix(".partial")
    scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    _sync(scratch)
    scratch.replace(path)
    _sync(path.parent)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """See to it that a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def in_use(folder: Path) -> bool:
    """Whether a process works in a work folder now."""
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True


def is_work_folder(folder: Path) -> bool:
    """Whether a folder is one of ours, with nothing in it that is not."""
    if not folder.name.endswith(SUFFIX) or not (folder / _JOURNAL).is_file():
        return False
    ours = {_JOURNAL, _LOCK, "journal.partial"}
    return all(item.name in ours or item.name.startswith("segment-") for item in folder.iterdir())
