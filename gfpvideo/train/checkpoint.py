"""What changes while a network is trained, and the file that keeps it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from gfpvideo.errors import WeightsError
from gfpvideo.networks.gfpgan.network import Gfpgan
from gfpvideo.train.files import DAMAGED, write_checkpoint

CHECKPOINT = "checkpoint.pth"
"""Its name in the folder of a training. It is a model file as well."""


@dataclass
class Training:
    """What changes while a network is trained."""

    generator: nn.Module
    average: Gfpgan
    discriminators: nn.ModuleDict
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer | None
    step: int = 0
    """Whole steps that were taken."""
    halfway: bool = False
    """Whether a step has begun and is not whole: what is here then belongs in no checkpoint."""


def save(training: Training, path: Path, accelerator: Accelerator) -> None:
    """Write everything; one of several processes does.

    Raises:
        OutputError: if it cannot be written; the checkpoint before is still there.
    """
    if accelerator.is_main_process:
        write_checkpoint(_content(training, accelerator), path)


def _content(training: Training, accelerator: Accelerator) -> dict[str, Any]:
    return {
        "params_ema": training.average.state_dict(),
        "params": accelerator.unwrap_model(training.generator).network.state_dict(),
        "discriminators": {
            name: accelerator.unwrap_model(module).state_dict() for name, module in training.discriminators.items()
        },
        "generator_optimizer": training.generator_optimizer.state_dict(),
        "discriminator_optimizer": training.discriminator_optimizer and training.discriminator_optimizer.state_dict(),
        "scaler": accelerator.scaler and accelerator.scaler.state_dict(),
        "step": training.step,
    }


def load(training: Training, path: Path, accelerator: Accelerator) -> None:
    """Take up a checkpoint.

    Raises:
        WeightsError: if there is none, or it does not fit the options.
    """
    try:
        content = torch.load(path, map_location=accelerator.device, weights_only=True)
        training.average.load_state_dict(content["params_ema"])
        accelerator.unwrap_model(training.generator).network.load_state_dict(content["params"])
        for name, module in training.discriminators.items():
            accelerator.unwrap_model(module).load_state_dict(content["discriminators"][name])
        training.generator_optimizer.load_state_dict(content["generator_optimizer"])
        if training.discriminator_optimizer is not None:
            training.discriminator_optimizer.load_state_dict(content["discriminator_optimizer"])
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(content["scaler"])
        training.step = content["step"]
    except FileNotFoundError:
        raise WeightsError(f"{path}: no checkpoint to resume from") from None
    except DAMAGED as error:
        raise WeightsError(f"{path}: the checkpoint does not fit these options") from error
