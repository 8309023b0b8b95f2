"""The options of a training, read from a TOML file."""

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from gfpvideo.networks.gfpgan.network import GfpganConfig
from gfpvideo.train.degrade import Degradation
from gfpvideo.train.features import FeatureName
from gfpvideo.train.gather_options import FacesTable, Stills
from gfpvideo.train.table import Table


class Moving(FacesTable):
    """Faces over time, which are seen as the generator sees them in a film: with their neighbours gathered."""

    share: float = Field(gt=0, le=1, description="Share of all faces that are such.")
    alone: float = Field(default=0.2, ge=0, le=1, description="Share of these that have no neighbours all the same.")


class Data(Table):
    """Where the faces are."""

    folder: Path
    first: int | None = Field(default=None, description="First number of the file names that are used.")
    last: int | None = Field(default=None, description="Last number of the file names that are used.")
    further: tuple[Stills, ...] = Field(default=(), description="Further folders; the first one has a share of 1.")
    workers: int = Field(default=1, ge=0)
    moving: Moving | None = Field(default=None, description="Without it all faces are single pictures.")

    @property
    def numbers(self) -> range | None:
        """The file names that are used, as numbers; ``None`` for all."""
        if self.first is None and self.last is None:
            return None
        return range(self.first or 0, sys.maxsize if self.last is None else self.last + 1)


class Losses(Table):
    """Weights of the losses, by default the paper's (section 4.1); 0 switches one off, as the ablations do."""

    l1: float = 0.1
    perceptual: float = 1.0
    perceptual_style: float = 50.0
    features: FeatureName = "vgg19"
    pyramid: float = 1.0
    pyramid_steps: int = Field(default=50_000, description="Steps after which the pyramid loss ends.")
    adversarial: float = 0.1
    gradient_penalty: float = 10.0
    gradient_penalty_every: int = Field(default=16, ge=1)
    component: float = 1.0
    component_style: float = 200.0
    component_features: Literal["none", "matching", "style"] = "style"
    identity: float = 10.0
    identity_weights: Path | None = Field(default=None, description="File of ArcFace; by default the installed one.")


class Schedule(Table):
    """How long and how fast."""

    steps: int = Field(default=800_000, ge=1)
    batch: int = Field(default=12, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    discriminator_rate: float | None = Field(default=None, gt=0, description="By default that of the generator.")
    halve_at: tuple[int, ...] = (700_000, 750_000)
    cosine: bool = Field(default=False, description="Let the rate fall to nothing along a cosine.")
    clip: float | None = Field(default=None, description="Largest norm of a generator's gradient.")
    average: float = Field(default=0.999, ge=0, lt=1, description="Decay of the averaged weights.")
    precision: Literal["no", "bf16", "fp16"] = "no"
    checkpoint_minutes: float = 10.0
    sheet_steps: int = Field(default=1000, ge=1, description="Steps between two sample sheets.")
    seed: int = Field(default=0, ge=0)


class Discriminator(Table):
    """Width of the discriminator of whole faces."""

    channel_multiplier: float = 1.0
    narrow: float = 1.0


class TrainOptions(Table):
    """Everything that fixes a training."""

    data: Data
    network: GfpganConfig = GfpganConfig()
    start: Path | None = Field(default=None, description="Model file whose weights are the start.")
    prior: str | None = Field(
        default=None, description="StyleGAN2 that the prior starts from, a known name or a file; without: the ablation."
    )
    freeze_prior: bool = Field(default=False, description="Leave the prior's weights as they are, as version 1 does.")
    degradation: Degradation = Degradation()
    losses: Losses = Losses()
    discriminator: Discriminator = Discriminator()
    schedule: Schedule = Schedule()
