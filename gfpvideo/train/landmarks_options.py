"""The options of the landmark network's training, read from a TOML file."""

from pathlib import Path

from pydantic import Field

from gfpvideo.train.table import Numbers, Table


class Stills(Table):
    """A folder of faces and the file of their points (``names``, ``points`` (N, 478, 3) in the file's pixels)."""

    folder: Path
    labels: Path
    share: float = Field(gt=0, description="How often the folder is drawn from, relative to the others.")
    take: Numbers = Field(description="Pictures to learn from, of the sorted names; names that are numbers by value.")
    held: Numbers | None = Field(default=None, description="Pictures that are held out.")
    views: int = Field(default=0, ge=0, description="Turned views to make of each picture to learn from.")
    views_share: float = Field(default=0.4, ge=0, le=1, description="How often one of these is drawn instead.")


class Clips(Table):
    """A folder of films of faces, and the file of their points by film (frames, 478, 3)."""

    folder: Path
    labels: Path
    share: float = Field(gt=0, description="How often the folder is drawn from, relative to the others.")
    every: int = Field(default=3, ge=1, description="Every which frame is taken.")
    held: tuple[str, ...] = Field(default=(), description="Films that are held out, without suffix.")


class Empty(Table):
    """Films to take pieces without a face from.

    Around every detection in ``crowded`` that scores at least ``sure``, nothing is taken; in ``films`` there is no face
    at all, so that whatever a detector finds there is an error to learn from.
    """

    folder: Path
    films: tuple[str, ...] = ()
    crowded: tuple[str, ...] = ()
    held: tuple[str, ...] = Field(default=(), description="Films without a face that are held out.")
    frames: int = Field(default=24, ge=1, description="Frames of each film, evenly spread.")
    sure: float = 0.3


class Schedule(Table):
    """How long and how fast."""

    steps: int = Field(ge=1)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warm_up: int = Field(default=300, ge=0, description="Steps over which the rate rises.")
    clip: float = Field(default=5.0, description="Largest norm of the gradient.")
    average: float = Field(default=0.997, description="Decay of the averaged weights.")
    workers: int = Field(default=1, ge=0, description="Processes that make the pictures.")
    threads: int = Field(default=1, ge=1, description="Threads of the network.")
    checkpoint_minutes: float = 5.0
    check_steps: int = Field(default=200, ge=1, description="Steps between two looks at held-out faces.")
    seed: int = 0


class Weights(Table):
    """Weights of the losses."""

    likelihood: float = 1.0
    distance: float = 2.0
    presence: float = 0.3
    pose: float = 0.3


class LandmarkOptions(Table):
    """Everything that fixes a training."""

    stills: tuple[Stills, ...] = ()
    clips: tuple[Clips, ...] = ()
    empty: Empty | None = None
    negatives: float = Field(default=0.2, ge=0, le=1, description="Share of pictures without a face.")
    losses: Weights = Weights()
    schedule: Schedule
