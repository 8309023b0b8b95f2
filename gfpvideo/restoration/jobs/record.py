"""What is known of a finished segment: a file beside the segment's own, so that any process may write any of them."""

import re
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gfpvideo.frames import Detection

_RECORD = re.compile(r"segment-(\d{5,})\.json")


def _long(found: list[float]) -> list[float]:
    if len(found) not in (_PLAIN, _PLAIN + 5):
        raise ValueError("a detection has fifteen numbers, or twenty")
    return found


_PLAIN = 15
Found = Annotated[list[float], AfterValidator(_long)]
"""A detection: ten coordinates of landmarks, four of the box, the score, and deviations of five landmarks if known."""


class SegmentRecord(BaseModel):
    """A finished segment."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    first: int = Field(ge=0, description="Index of its first frame.")
    bytes: int = Field(ge=0, description="Size of its file.")
    pts: list[int] = Field(min_length=1)
    reorder: int = Field(ge=0)
    faces: int = Field(ge=0)
    spared: int = Field(ge=0)
    hopeless: int = Field(ge=0)
    pictures: int = Field(ge=0)
    tracks: list[int]

    @property
    def end(self) -> int:
        """Index of the first frame after it."""
        return self.first + len(self.pts)

    @property
    def counts(self) -> tuple[int, int, int, list[int], int]:
        """What a report counts of it beside its frames, as :meth:`gfpvideo.report.Report.add` takes it."""
        return self.faces, self.spared, self.hopeless, self.tracks, self.pictures


def pack(detections: tuple[Detection, ...]) -> list[Found]:
    """Detections as a record holds them, exactly."""
    return [
        np.concatenate([face.landmarks.ravel(), face.box, [face.score], *_optional(face.deviations)]).tolist()
        for face in detections
    ]


def _optional(deviations: NDArray[np.float64] | None) -> list[NDArray[np.float64]]:
    return [] if deviations is None else [deviations]


def unpack(found: list[Found]) -> tuple[Detection, ...]:
    """The inverse of :func:`pack`."""
    rows = (np.array(row, np.float64) for row in found)
    return tuple(
        Detection(row[:10].reshape(5, 2), row[10:14], float(row[14]), row[_PLAIN:] if len(row) > _PLAIN else None)
        for row in rows
    )


def segment_path(folder: Path, number: int) -> Path:
    """Where a finished segment lies."""
    return folder / f"segment-{number:05d}.mkv"


def record_path(folder: Path, number: int) -> Path:
    """Where its record lies."""
    return folder / f"segment-{number:05d}.json"


def recorded_numbers(folder: Path) -> set[int]:
    """Numbers of the segments of which there is a record, be it whole or not."""
    matches = (_RECORD.fullmatch(item.name) for item in folder.iterdir())
    return {int(match[1]) for match in matches if match}


def read_record(folder: Path, number: int) -> SegmentRecord | None:
    """The record of a segment, or ``None`` unless both it and the segment's file are whole."""
    try:
        record = SegmentRecord.model_validate_json(record_path(folder, number).read_bytes())
        whole = segment_path(folder, number).stat().st_size == record.bytes
    except (ValidationError, OSError):
        return None
    return record if whole else None
