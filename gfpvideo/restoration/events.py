"""What a restoration tells while it runs: one type for each kind of news, read by bar, page, log and tests alike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import RestoredFrame
from gfpvideo.pixels.patches import seen
from gfpvideo.report import Report


@dataclass(frozen=True)
class Loading:
    """Networks are being loaded."""


@dataclass(frozen=True)
class Following:
    """The film is read to find out whom to restore, before the restoration itself or beside it."""

    done: int
    """Frames that have been read."""
    expected: int | None
    """About how many there are, if the container knows."""


@dataclass(frozen=True)
class FrameDone:
    """A frame is restored and written."""

    restored: RestoredFrame
    done: int
    """Frames that are finished, those of earlier runs included."""
    expected: int | None
    """About how many frames there will be, if the container knows."""

    def before(self, side: int = 320) -> NDArray[np.uint8]:
        """(h, w, 3) upright RGB, its long side at most ``side``: the frame as it was."""
        return seen(RestoredFrame(self.restored.source, ()), side)

    def after(self, side: int = 320) -> NDArray[np.uint8]:
        """The same, restored."""
        return seen(self.restored, side)


@dataclass(frozen=True)
class FramesDone:
    """Frames are restored and written by other processes, where their pictures stay."""

    done: int
    """Frames that are finished, those of earlier runs included."""
    faces: int
    """Faces that were restored in them."""
    expected: int | None
    """About how many frames there will be, if the container knows."""


@dataclass(frozen=True)
class SegmentDone:
    """A segment is safe on the disk: an interruption costs only what comes after it."""

    number: int
    """From 0."""
    frames: int


@dataclass(frozen=True)
class Muxing:
    """All frames are restored; the film is being put together."""


@dataclass(frozen=True)
class PictureDone:
    """A photograph is written."""

    source: Path
    target: Path
    done: int
    expected: int


@dataclass(frozen=True)
class FilmDone:
    """A film of a folder is written."""

    source: Path
    target: Path
    done: int
    expected: int


@dataclass(frozen=True)
class Warned:
    """Something that the user should know."""

    text: str


@dataclass(frozen=True)
class Done:
    """The target is there."""

    report: Report


Event = Loading | Following | FrameDone | FramesDone | SegmentDone | Muxing | PictureDone | FilmDone | Warned | Done
