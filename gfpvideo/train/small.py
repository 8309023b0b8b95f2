"""What the trainings of the small networks share: averaged weights, checkpoints, a log, a file of weights."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Generic, Protocol, TypeVar

import cv2
import torch
from torch import nn

from gfpvideo.errors import TrainingError, WeightsError
from gfpvideo.train.files import (
    DAMAGED,
    check_new,
    check_weights_name,
    make_folders,
    write_checkpoint,
    write_weights,
)
from gfpvideo.train.interrupt import WholeSteps

Network = TypeVar("Network", bound=nn.Module)
Item = TypeVar("Item")

LOG = "log.txt"
Scores = Mapping[str, float]


class Schedule(Protocol):
    """What the schedules of all small networks say."""

    @property
    def seed(self) -> int:
        """Of everything that is drawn."""
        ...

    @property
    def threads(self) -> int:
        """Threads of the network."""
        ...

    @property
    def check_steps(self) -> int:
        """Steps between two looks at what is held out."""
        ...

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between two checkpoints."""
        ...


def prepare(checkpoint: Path, schedule: Schedule, *, resume: bool) -> None:
    """What is the same for the whole process; the checkpoint's folder is made if need be.

    Raises:
        OutputError: if there is a checkpoint already, and ``resume`` is not asked for.
    """
    check_new(checkpoint, resume=resume)
    torch.manual_seed(schedule.seed)
    torch.set_num_threads(schedule.threads)
    cv2.setNumThreads(0)
    make_folders(checkpoint.parent)


@dataclass
class Training(Generic[Network]):
    """What changes while a network is trained."""

    network: Network
    average: Network
    optimizer: torch.optim.Optimizer
    step: int = 0


def begun(network: Network, optimizer: torch.optim.Optimizer) -> Training[Network]:
    """A training of a network at its first step; ``optimizer`` has its parameters."""
    network.train()
    return Training(network, deepcopy(network).requires_grad_(False).eval(), optimizer)


def descend(
    training: Training[Network], loss: torch.Tensor, rate: float, decay: float, clip: float = math.inf
) -> float:
    """One step down the gradient of ``loss``, which is given back.

    Args:
        training: what changes.
        loss: a scalar.
        rate: the learning rate.
        decay: of the averaged weights; less in the beginning.
        clip: largest norm of the gradient.

    Raises:
        TrainingError: if the loss or the gradient is not finite any more; the network stays as it is.
    """
    _check_finite(training.step, loss)
    for group in training.optimizer.param_groups:
        group["lr"] = rate
    training.optimizer.zero_grad()
    loss.backward()
    _check_finite(training.step, nn.utils.clip_grad_norm_(training.network.parameters(), clip))
    training.optimizer.step()
    _update_average(training, decay)
    training.step += 1
    return float(loss.detach())


def _check_finite(step: int, value: torch.Tensor) -> None:
    if not math.isfinite(float(value.detach())):
        raise TrainingError(
            f"step {step + 1}: the loss or its gradient is not finite; the last checkpoint is kept: resume with a lower"
            " learning rate"
        )


def take_steps(
    training: Training[Network], path: Path, batches: Iterable[Item], step: Callable[[Item], object]
) -> None:
    """Take a step with each batch, and write the checkpoint in the end.

    Ctrl-C and SIGTERM wait until a step is whole, and keep what was learnt; any other end leaves the checkpoint before.

    Args:
        training: what changes.
        path: the checkpoint.
        batches: one for each step that is left.
        step: takes one.

    Raises:
        KeyboardInterrupt: after Ctrl-C or SIGTERM.
    """
    with WholeSteps() as steps:
        for batch in batches:
            step(batch)
            if steps.interrupted():
                save(training, path)
                raise KeyboardInterrupt
        save(training, path)


def cosine(step: int, steps: int) -> float:
    """What the learning rate is multiplied by at a step: from 1 down to 0 along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.no_grad()
def _update_average(training: Training[Network], decay: float) -> None:
    """Weights as a sliding mean; the statistics of a normalisation with them."""
    decay = min(decay, (1 + training.step) / (10 + training.step))
    new = training.network.state_dict()
    for name, kept in training.average.state_dict().items():
        if kept.is_floating_point():
            kept.lerp_(new[name], 1 - decay)
        else:
            kept.copy_(new[name])


class Watch:
    """Writes the log and the checkpoints of a training."""

    def __init__(self, folder: Path, checkpoint: str, schedule: Schedule) -> None:
        """Write both into ``folder``."""
        self._folder, self._checkpoint, self._schedule = folder, folder / checkpoint, schedule
        self._began = self._saved = time.monotonic()
        self._noted: list[Scores] = []

    def __call__(self, training: Training[Network], losses: Scores, judge: Callable[[], Scores]) -> None:
        """Take note of a step's losses; ``judge`` looks at what is held out, when it is time for that."""
        now = time.monotonic()
        self._noted.append(losses)
        if training.step % self._schedule.check_steps == 0:
            means = {name: fmean(noted[name] for noted in self._noted) for name in losses}
            self._write(training.step, now, {**means, **judge()})
            self._noted.clear()
        if now - self._saved > 60 * self._schedule.checkpoint_minutes:
            save(training, self._checkpoint)
            self._saved = now

    def _write(self, step: int, now: float, scores: Scores) -> None:
        line = ", ".join(f"{key} {value:.4f}" for key, value in scores.items())
        with (self._folder / LOG).open("a", encoding="utf-8") as file:
            file.write(f"{step} {now - self._began:.0f}s {line}\n")


def save(training: Training[Network], path: Path) -> None:
    """Write everything.

    Raises:
        OutputError: if it cannot be written; the checkpoint before is still there.
    """
    content = {
        "average": training.average.state_dict(),
        "network": training.network.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "step": training.step,
    }
    write_checkpoint(content, path)


def load(training: Training[Network], path: Path) -> None:
    """Take up a checkpoint.

    Raises:
        WeightsError: if there is none, or it does not fit the network.
    """
    try:
        content = torch.load(path, weights_only=True)
        training.average.load_state_dict(content["average"])
        training.network.load_state_dict(content["network"])
        training.optimizer.load_state_dict(content["optimizer"])
    except FileNotFoundError:
        raise WeightsError(f"{path}: no checkpoint to resume from") from None
    except DAMAGED as error:
        raise WeightsError(f"{path}: not a checkpoint of this network") from error
    training.step = content["step"]


def export_average(network: nn.Module, checkpoint: Path, target: Path) -> None:
    """Write the averaged weights of a checkpoint in float16.

    Args:
        network: one of the kind that the checkpoint is of; it gets its weights.
        checkpoint: what :func:`save` wrote.
        target: the file to write, ``.safetensors``.

    Raises:
        WeightsError: if the checkpoint is none of such a network.
        OutputError: if the target has another suffix or cannot be written.
    """
    check_weights_name(target)
    try:
        network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["average"])
    except FileNotFoundError:
        raise WeightsError(f"{checkpoint}: no such checkpoint") from None
    except DAMAGED as error:
        raise WeightsError(f"{checkpoint}: not a checkpoint of this network") from error
    state = network.state_dict()
    write_weights({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, target)
