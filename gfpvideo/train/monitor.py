"""Watch a training: a progress bar, TensorBoard scalars, sample sheets, and a preview of what it will see."""

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from gfpvideo.media.still import write_sheet
from gfpvideo.train.data import AgedFaces, training_faces
from gfpvideo.train.loop import Batch, Scalars, train
from gfpvideo.train.options import TrainOptions

_SHOW_EVERY = 20
"""Steps between two entries of the log; the entry is their mean."""


def train_with_monitor(options: TrainOptions, folder: Path, *, resume: bool) -> Path:
    """Train, with a bar on the terminal and TensorBoard files and sample sheets in ``folder``; see :func:`train`."""
    with ExitStack() as stack:
        monitor = _Monitor(folder, options.schedule.steps, stack)
        return train(options, folder, resume=resume, report=monitor.report, sheet=monitor.sheet)


class _Monitor:
    """Shows what is reported; opens its files only then, for of several processes one alone is told."""

    def __init__(self, folder: Path, steps: int, stack: ExitStack) -> None:
        self._folder, self._steps, self._stack = folder, steps, stack
        self._noted: dict[str, list[float]] = {}

    @cached_property
    def _log(self) -> SummaryWriter:
        return self._stack.enter_context(SummaryWriter(str(self._folder / "log")))

    @cached_property
    def _bar(self) -> tqdm:
        return self._stack.enter_context(tqdm(total=self._steps, unit="step"))

    def report(self, step: int, scalars: Scalars) -> None:
        """Move the bar, and every so often write the mean of the losses."""
        log = self._log
        self._bar.update(step - self._bar.n)
        for name, value in scalars.items():
            self._noted.setdefault(name, []).append(value)
        if step % _SHOW_EVERY == 0:
            self._write(step, log)

    def _write(self, step: int, log: SummaryWriter) -> None:
        means = {name: fmean(values) for name, values in self._noted.items()}
        for name, mean in means.items():
            log.add_scalar(name, mean, step)
        self._bar.set_postfix({name: f"{means[name]:.3f}" for name in ("l1", "perceptual") if name in means})
        self._noted.clear()

    def sheet(self, step: int, batch: Batch, restored: Tensor) -> None:
        """Write a picture of aged, restored and clean faces."""
        rows = (batch[0], restored.clamp(-1, 1), batch[1])
        write_sheet(self._folder / f"sheet-{step:07d}.png", _sheet([row.float().cpu() for row in rows]))


def write_preview(options: TrainOptions, target: Path, count: int) -> None:
    """Write ``count`` aged faces in a row above the same faces clean.

    Raises:
        InputError: if there are no faces.
        OutputError: if the picture cannot be written.
    """
    faces = training_faces(options.data, options.network.size)
    data = AgedFaces(faces, options.degradation, seed=options.schedule.seed, length=count)
    pairs = [data[index][:2] for index in range(count)]
    write_sheet(target, _sheet([torch.stack([pair[row] for pair in pairs]) for row in (0, 1)]))


def _sheet(rows: list[Tensor]) -> np.ndarray:
    """A BGR picture of rows of faces, each (B, 3, S, S) in [-1, 1]."""
    lines = [torch.cat(list(row), dim=2) for row in rows]
    picture = (torch.cat(lines, dim=1) + 1) * 127.5
    return picture.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()[..., ::-1]
