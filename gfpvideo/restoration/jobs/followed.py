"""What was followed in a film, kept in the work folder: faces, and places from which the film can be read.

Following must go over a film once from beginning to end: what a face is in one frame hangs on all before. Restoring
need not. Followed frames are kept in runs as long as a segment, the Nth in ``followed-0000N.json``, so that anybody who
has the film and the folder restores any segment; ``followed.json`` says that the film was followed to its end. Numbers
are written so that they are read again to the last bit.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gfpvideo.frames import Detection, Face, Frame, TrackedFrame
from gfpvideo.media.atomic import sync, write_error
from gfpvideo.media.colour import KnownColour
from gfpvideo.media.source import Account, VideoSource
from gfpvideo.media.trace import OtherPictureError, Place, place_of, trace
from gfpvideo.restoration.jobs.folder import FOLLOWED, write_whole
from gfpvideo.restoration.jobs.record import Found, pack, unpack

_KEPT = 4
"""Runs that are kept in memory once they have been read."""
Landmarks = Annotated[list[float], Field(min_length=10, max_length=10)]
FoundFace = tuple[int, bool, Landmarks]
"""Number of the track, whether the detector missed it, x and y of five landmarks."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


Kind = TypeVar("Kind", bound=_Record)


class RecordedPlace(_Record):
    """Where the film can be read from; see :class:`gfpvideo.media.trace.Place`."""

    offset: int = Field(ge=0)
    pts: int
    packets: int = Field(ge=0)
    end: Fraction
    turn: Annotated[tuple[int, ...], Field(min_length=9, max_length=9)] | None
    colour: KnownColour


def _bits(traces: list[int]) -> list[int]:
    if any(not 0 <= found < 1 << 32 for found in traces):
        raise ValueError("a trace has 32 bits")
    return traces


class FollowedRun(_Record):
    """Followed frames, one after the other."""

    first: int = Field(ge=0, description="Index of the first.")
    pts: list[int] = Field(min_length=1)
    traces: Annotated[list[int], AfterValidator(_bits)]
    cuts: list[int] = Field(description="Places in the run where shots begin.")
    places: list[RecordedPlace]
    detections: list[list[Found]]
    faces: list[list[FoundFace]]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not len(self.pts) == len(self.traces) == len(self.detections) == len(self.faces):
            raise ValueError("every frame has a time, a trace, detections and faces")
        return self

    @property
    def end(self) -> int:
        """Index of the first frame after it."""
        return self.first + len(self.pts)

    def tracked(self, frame: Frame) -> TrackedFrame:
        """A frame of the run with its faces."""
        offset = frame.index - self.first
        faces = tuple(
            Face(track, np.array(points, np.float64).reshape(5, 2), filled=filled)
            for track, filled, points in self.faces[offset]
        )
        return TrackedFrame(frame, faces, unpack(self.detections[offset]), offset in self.cuts)

    def place(self, until: int) -> Place | None:
        """The last place up to a frame."""
        found = [place for place in self.places if self.first + place.offset <= until]
        if not found:
            return None
        last = found[-1]
        return Place(self.first + last.offset, last.pts, last.packets, last.end, last.turn, last.colour)


class Whole(_Record):
    """A film that was followed to its end."""

    first: int = Field(ge=0, description="Index of its first frame.")
    frames: int = Field(ge=1)
    account: Account

    @property
    def end(self) -> int:
        """Index of the first frame that is not there."""
        return self.first + self.frames


@dataclass
class _Gathered:
    """A run that is not complete."""

    first: int
    pts: list[int]
    traces: list[int]
    cuts: list[int]
    places: list[RecordedPlace]
    detections: list[list[Found]]
    faces: list[list[FoundFace]]

    @classmethod
    def at(cls, first: int) -> Self:
        return cls(first, [], [], [], [], [], [])

    def add(self, tracked: TrackedFrame) -> None:
        frame, offset = tracked.frame, len(self.pts)
        if (place := place_of(frame)) is not None:
            self.places.append(
                RecordedPlace(
                    offset=offset,
                    pts=place.pts,
                    packets=place.packets,
                    end=place.end,
                    turn=place.turn,
                    colour=place.colour,
                )
            )
        if tracked.cut:
            self.cuts.append(offset)
        self.pts.append(frame.pts)
        self.traces.append(trace(frame))
        self.detections.append(pack(tracked.detections))
        self.faces.append([(face.track, face.filled, face.landmarks.ravel().tolist()) for face in tracked.faces])

    def run(self) -> FollowedRun:
        return FollowedRun(**vars(self))


class Followed:
    """The followed frames in a work folder, in runs of ``length``."""

    def __init__(self, folder: Path, length: int) -> None:
        """Look what is in ``folder``."""
        self.folder, self.length = folder, length
        self._token = secrets.token_hex(4)
        self.run = lru_cache(_KEPT)(self._run)
        """Reads a run by its number; one that is damaged is not known any more, nor what comes after it."""
        self._runs = 0
        self.whole: Whole | None = None
        """Set when the film was followed to its end."""
        self.refresh()

    def refresh(self) -> None:
        """Take note of what another process has followed since: names alone, for a file has one when it is whole."""
        if self.whole is not None:
            return
        names = {path.name for path in self.folder.glob("followed*.json")}
        whole = _read(Whole, self.folder / FOLLOWED) if FOLLOWED in names else None
        while _name(self._runs) in names:
            self._runs += 1
        if whole is not None and self._runs >= -(-whole.frames // self.length):
            self._runs, self.whole = -(-whole.frames // self.length), whole
            return
        last = _read(FollowedRun, self.folder / _name(self._runs - 1)) if self._runs else None
        if self._runs and (last is None or len(last.pts) != self.length):
            self._runs -= 1  # the film's end, of which nobody says that it is that

    def check(self) -> None:
        """Read all; what is damaged, and what comes after it, is not known any more."""
        with suppress(OtherPictureError):
            for number in range(self._runs):
                self.run(number)

    def _run(self, number: int) -> FollowedRun:
        run = _read(FollowedRun, self.folder / _name(number))
        if run is None or (number and run.first != self.run(0).first + number * self.length):
            self.whole, self._runs = None, number
            raise OtherPictureError(f"{self.folder / _name(number)}: what was followed is damaged")
        return run

    @property
    def begin(self) -> int | None:
        """Index of the film's first frame; ``None`` if nothing is known."""
        return self.run(0).first if self._runs else None

    @property
    def end(self) -> int:
        """Index of the first frame that is not known."""
        return self.run(self._runs - 1).end if self._runs else 0

    def forget_end(self) -> None:
        """Take the film for one that was not followed to its end.

        Raises:
            OutputError: if that cannot be written down.
        """
        try:
            (self.folder / FOLLOWED).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        self.whole, self._runs = None, 0
        self.refresh()

    def files(self) -> set[str]:
        """Names of all files that count."""
        return {_name(number) for number in range(self._runs)} | ({FOLLOWED} if self.whole is not None else set())

    def runs(self, first: int, end: int) -> Iterator[FollowedRun]:
        """The runs that hold frames from ``first`` up to ``end``, as far as they are known."""
        begin = self.begin
        if begin is not None and end > begin:
            numbers = range(max(0, first - begin) // self.length, (end - 1 - begin) // self.length + 1)
            yield from (self.run(number) for number in numbers if number < self._runs)

    def run_of(self, index: int) -> FollowedRun:
        """The run that holds a frame that is known."""
        assert self.begin is not None
        return self.run((index - self.begin) // self.length)

    def known(self, first: int, end: int) -> dict[int, tuple[int, int]]:
        """Presentation timestamps and traces of frames, by index."""
        return {
            run.first + offset: found
            for run in self.runs(first, end)
            for offset, found in enumerate(zip(run.pts, run.traces, strict=True))
        }

    def detections(self, first: int, end: int) -> Mapping[int, tuple[Detection, ...]]:
        """What was found in frames, by index."""
        return {
            run.first + offset: unpack(found)
            for run in self.runs(first, end)
            for offset, found in enumerate(run.detections)
        }

    def tracks(self) -> set[int]:
        """Numbers of all tracks of the known frames."""
        found: set[int] = set()
        with suppress(OtherPictureError):
            for number in range(self._runs):
                found.update(track for faces in self.run(number).faces for track, *_ in faces)
        return found

    def place(self, until: int) -> Place | None:
        """The last place up to a frame from which the film can be read; ``None``: only from its beginning."""
        for number in reversed(range(self._runs)):
            run = self.run(number)
            if run.first <= until and (place := run.place(until)) is not None:
                return place if place.index > (self.begin or 0) else None
        return None

    def cut(self) -> int:
        """Beginning of the last shot of the known frames in which there is a face after it; else the film's."""
        faces = False
        for number in reversed(range(self._runs)):
            run = self.run(number)
            for offset in reversed(range(len(run.pts))):
                faces = faces or bool(run.faces[offset])
                if faces and offset in run.cuts:
                    return run.first + offset
        return self.begin or 0

    def noted(self, frames: Iterator[TrackedFrame], film: VideoSource) -> Iterator[TrackedFrame]:
        """Stage: followed frames, from anywhere in what is known on, those kept that are not.

        Args:
            frames: the frames.
            film: what is read; when ``frames`` end, it has been read to its end.

        Raises:
            OutputError: if they cannot be written down.
        """
        gathered: _Gathered | None = None
        for tracked in frames:
            index = tracked.frame.index
            if gathered is None and (self.begin is None or index >= self.end):
                gathered = _Gathered.at(index)
            if gathered is not None:
                gathered.add(tracked)
                if len(gathered.pts) == self.length:
                    self._add(gathered.run())
                    gathered = _Gathered.at(index + 1)
            yield tracked
        self._finish(gathered, film)

    def _finish(self, gathered: _Gathered | None, film: VideoSource) -> None:
        if self.whole is not None:
            return
        if gathered is not None and gathered.pts:
            self._add(gathered.run())
        assert self.begin is not None
        whole = Whole(first=self.begin, frames=self.end - self.begin, account=film.account)
        self._write(FOLLOWED, whole)
        self.whole = whole

    def _add(self, run: FollowedRun) -> None:
        self._write(_name(self._runs), run)
        self._runs += 1
        self.run.cache_clear()

    def _write(self, name: str, record: _Record) -> None:
        try:
            write_whole(self.folder / name, record.model_dump_json(), self._token)
            sync(self.folder)
        except OSError as error:
            raise write_error(self.folder, error) from error


def _name(number: int) -> str:
    return f"followed-{number:05d}.json"


def _read(kind: type[Kind], path: Path) -> Kind | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (ValidationError, OSError):
        return None
