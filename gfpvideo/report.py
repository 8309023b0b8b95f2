"""What a restoration did: counts, streams, warnings, seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gfpvideo.frames import RestoredFrame


@dataclass
class Report:
    """What a restoration did."""

    source: str
    target: str
    model: str = ""
    engine: str = ""
    frames: int = 0
    tracks: int = 0
    """Tracks of which at least one face was restored."""
    faces: int = 0
    """Restored faces, counted once a frame."""
    spared: int = 0
    """Faces that were left alone because they need no restoration (or cannot get one), counted once a frame."""
    hopeless: int = 0
    """Those among the spared whose eyes and mouth cannot be placed: what is left of the face is too little."""
    why_none: str = ""
    """Why no face was restored; empty if one was."""
    pictures: int = 0
    """Frames whose whole picture was gathered, so that it changed outside the faces as well."""
    resumed: int = 0
    """Frames that an earlier run had finished."""
    copied: list[str] = field(default_factory=list)
    """Streams that were copied packet by packet."""
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds that each stage spent at work (not waiting for the stage before it)."""
    pieces: "list[Report]" = field(default_factory=list)
    """Of a folder: what was done to each of its films and pictures."""
    _numbers: set[int] = field(default_factory=set, repr=False)

    def use(self, model: str, engine: str) -> None:
        """Say which model restores, and on what."""
        self.model, self.engine = model, engine

    def note(self, restored: "RestoredFrame") -> None:
        """Count one frame that is finished."""
        tracks = (patch.track for patch in restored.patches)
        self.add(1, len(restored.patches), restored.spared, restored.hopeless, tracks, int(restored.whole))

    def add(
        self, frames: int, faces: int, spared: int, hopeless: int, tracks: Iterable[int], pictures: int = 0
    ) -> None:
        """Count frames that are finished, restored and spared faces, the tracks of the restored, and whole pictures."""
        self.frames += frames
        self.faces += faces
        self.spared += spared
        self.hopeless += hopeless
        self.pictures += pictures
        self._numbers.update(tracks)
        self.tracks = len(self._numbers)

    def begin(self) -> None:
        """Count no frame yet."""
        self.frames = self.faces = self.spared = self.hopeless = self.pictures = self.tracks = self.resumed = 0
        self._numbers.clear()

    def take_in(self, other: "Report") -> None:
        """Add what was done to one film or picture of several; each has tracks of its own."""
        self.pieces.append(other)
        self.use(other.model, other.engine)
        self.frames += other.frames
        self.faces += other.faces
        self.spared += other.spared
        self.hopeless += other.hopeless
        self.pictures += other.pictures
        self.tracks += other.tracks
        self.resumed += other.resumed
        self.warnings += [f"{other.source}: {warning}" for warning in other.warnings]
        self.add_seconds(other.stages)

    def add_seconds(self, stages: Mapping[str, float]) -> None:
        """Add the seconds that stages spent at work."""
        for name, seconds in stages.items():
            self.stages[name] = self.stages.get(name, 0.0) + seconds

    @property
    def exit_code(self) -> int:
        """0, or 1 if there was something to warn of."""
        return 1 if self.warnings else 0
