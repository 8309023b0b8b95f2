"""Tracks in a file: written by `gfpvideo inspect`, edited by people, used instead of detecting again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from gfpvideo.errors import InputError, OutputError
from gfpvideo.frames import Face, Frame, ShotFrame, TrackedFrame
from gfpvideo.options.restore import Placement, one_line


def _apart(points: list[float]) -> list[float]:
    x, y = points[::2], points[1::2]
    if max(x) - min(x) + max(y) - min(y) < _APART:
        raise ValueError("the five landmarks of a face must not coincide")
    return points


_APART = 0.5
"""Least extent of a face in display pixels, width and height together: smaller ones have no place and no turn."""
Landmarks = Annotated[list[float], Field(min_length=10, max_length=10), AfterValidator(_apart)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class RecordedTrack(_Record):
    """One face from its first frame to its last."""

    id: int = Field(ge=1, description="Number of the track.")
    restore: bool = Field(default=True, description="Whether to restore it: the one thing that is usually edited.")
    shot: int = Field(ge=1, description="Number of the shot.")
    start: str = Field(default="", description="Time of its first frame.")
    end: str = Field(default="", description="Time of its last frame.")
    size: float = Field(default=0.0, description="Median distance from eyes to mouth in display pixels.")
    trust: float = Field(default=1.0, description="Median trust in the places of its points, 0 to 1.")
    frames: dict[int, Landmarks] = Field(description="Frame index: x and y of the five landmarks in display pixels.")


class Tracks(_Record):
    """The faces of a film."""

    version: Literal[2] = Field(default=2, description="Version of this schema.")
    placement: Placement = Field(description="Whose landmarks they are: each places them differently.")
    width: int = Field(ge=1, description="Width of the film's stored picture.")
    height: int = Field(ge=1, description="Height of the film's stored picture.")
    tracks: list[RecordedTrack]

    @field_validator("tracks")
    @classmethod
    def _once_each(cls, tracks: list[RecordedTrack]) -> list[RecordedTrack]:
        numbers = [track.id for track in tracks]
        if twice := sorted({number for number in numbers if numbers.count(number) > 1}):
            raise ValueError(f"track {twice[0]} is there twice: give each an id of its own")
        return tracks

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            InputError: if it cannot be read, or is not of this schema.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: the tracks cannot be read ({error.strerror})") from None
        except ValidationError as error:
            raise InputError(f"{path}: not a file of tracks: {one_line(error).split('; ')[0][:200]}") from None

    def write(self, path: Path) -> None:
        """Write a file, one line a frame of a track.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: the tracks cannot be written ({error.strerror})") from None

    def check(self, frame: Frame, placement: Placement, path: Path) -> None:
        """See that a film's first frame and the chosen landmarks fit.

        Raises:
            InputError: if its picture has another size, or the landmarks are others.
        """
        if placement != self.placement:
            asked = "--refine" if self.placement == "landmarks" else f"--detector {self.placement} --no-refine"
            raise InputError(f"{path}: made with {asked}; give the same here")
        if frame.size != (self.width, self.height):
            size = f"{frame.size[0]}x{frame.size[1]}"
            raise InputError(f"{path}: made of a film of {self.width}x{self.height}, this one is {size}")

    def by_frame(self) -> dict[int, tuple[Face, ...]]:
        """The faces that are to be restored, by the index of their frame."""
        found: dict[int, list[Face]] = {}
        for record in self.tracks:
            for index, points in record.frames.items() if record.restore else ():
                face = Face(record.id, np.array(points, np.float64).reshape(5, 2), filled=False)
                found.setdefault(index, []).append(face)
        return {index: tuple(faces) for index, faces in found.items()}


def recorded(shots: Iterator[ShotFrame], path: Path, placement: Placement) -> Iterator[TrackedFrame]:
    """Stage: frames with the faces of a file, those that it says to restore; ``placement`` is the one in use.

    Raises:
        InputError: if the file is not one of tracks, or belongs to a film of another size.
    """
    known: dict[int, tuple[Face, ...]] = {}
    for number, shot in enumerate(shots):
        if number == 0:
            known = recorded_faces(path, shot.frame, placement)
        yield TrackedFrame(shot.frame, known.get(shot.frame.index, ()), cut=shot.cut)


def recorded_faces(path: Path, first: Frame, placement: Placement) -> dict[int, tuple[Face, ...]]:
    """The faces of a file that are to be restored, by frame.

    Args:
        path: the file.
        first: the film's first frame, which must fit it.
        placement: whose landmarks are in use.

    Raises:
        InputError: if it is not a file of tracks, or belongs to a film of another size.
    """
    tracks = Tracks.read(path)
    tracks.check(first, placement, path)
    return tracks.by_frame()
