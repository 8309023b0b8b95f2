"""The options of the training of the network of confidence, read from a TOML file."""

from pydantic import Field

from gfpvideo.train.gather_options import FacesTable
from gfpvideo.train.table import Table


class ConfidenceSchedule(Table):
    """How long and how fast."""

    steps: int = Field(ge=1)
    batch: int = Field(default=4, ge=2)
    learning_rate: float = 1e-3
    average: float = Field(default=0.995, description="Decay of the averaged weights.")
    threads: int = Field(default=1, ge=1, description="Threads of the network.")
    checkpoint_minutes: float = 5.0
    check_steps: int = Field(default=200, ge=1, description="Steps between two looks at held-out films.")
    seed: int = 0


class ConfidenceOptions(FacesTable):
    """Everything that fixes a training."""

    model: str = Field(default="compact", description="Generator whose restorations are judged.")
    examples: int = Field(default=1400, ge=4, description="Restorations that are made to learn from.")
    light_examples: int = Field(default=300, ge=1, description="The same of good films: every batch has one of them.")
    held_examples: int = Field(default=72, ge=1, description="Restorations of held-out films to check by.")
    alone: float = Field(default=0.25, ge=0, le=1, description="Share of crops that are restored without neighbours.")
    perceptual: float = Field(default=0.004, description="Weight of the perceptual loss, against 1 of the distance.")
    schedule: ConfidenceSchedule
