"""The options of the training of the network that gathers, read from a TOML file."""

from pathlib import Path

from pydantic import Field

from gfpvideo.train.table import Numbers, Table


class Films(Table):
    """A folder of stabilised films of faces, 288x288 of which the middle 256x256 is the crop."""

    folder: Path
    share: float = Field(gt=0, description="How often the folder is drawn from, relative to the others.")
    held: tuple[str, ...] = Field(default=(), description="Films that are held out, without suffix.")


class Stills(Table):
    """A folder of aligned faces."""

    folder: Path
    share: float = Field(gt=0, description="How often the folder is drawn from, relative to the others.")
    take: Numbers = Field(description="Pictures to learn from, of the sorted names; names that are numbers by value.")


class GatherSchedule(Table):
    """How long and how fast."""

    steps: int = Field(ge=1)
    windows: int = Field(default=4, ge=1, description="Windows of frames in a step.")
    patches: int = Field(default=4, ge=1, description="Pieces of 128x128 taken of each window.")
    learning_rate: float = 6e-4
    average: float = Field(default=0.998, description="Decay of the averaged weights.")
    workers: int = Field(default=1, ge=0, description="Processes that make the windows.")
    threads: int = Field(default=1, ge=1, description="Threads of the network.")
    checkpoint_minutes: float = 5.0
    check_steps: int = Field(default=250, ge=1, description="Steps between two looks at held-out films.")
    seed: int = 0


class FacesTable(Table):
    """Where faces over time come from."""

    films: Films
    stills: tuple[Stills, ...] = Field(default=(), description="These are moved artificially.")


class GatherOptions(FacesTable):
    """Everything that fixes a training."""

    start: Path | None = Field(default=None, description="Weights to begin with, .safetensors.")
    schedule: GatherSchedule
