"""The training of the network that gathers, from top to bottom.

Everything random depends on the seed and the step alone, so a resumed training goes on exactly where it stopped; a
longer schedule only stretches the fall of the learning rate.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from gfpvideo.networks import gather_net
from gfpvideo.networks.gather_net import GatherNet
from gfpvideo.pixels.regions import inside_face
from gfpvideo.train.gather_data import SIDE, Faces, Patches, Window, check_held, drawn_window, prepared
from gfpvideo.train.gather_options import GatherOptions, GatherSchedule
from gfpvideo.train.interrupt import ignore_interrupts
from gfpvideo.train.over_time import DAMAGES
from gfpvideo.train.small import Training, Watch, begun, cosine, descend, load, prepare, take_steps

Shown = dict[str, list[Window]]
"""Windows of held-out films by kind of damage."""

CHECKPOINT = "gather.pth"
_EPSILON = 1e-3
"""Of Charbonnier's loss: differences below count as squares."""
_HELD = 4
"""Windows of held-out films for each kind of damage."""


def train_gather(options: GatherOptions, folder: Path, *, resume: bool = False, stop_at: int | None = None) -> Path:
    """Train the network; progress goes to ``log.txt`` in the folder.

    Args:
        options: what to train on, and how.
        folder: where checkpoints and the decoded films are kept; made if need be.
        resume: go on with the folder's checkpoint.
        stop_at: step to stop at before the schedule's end (with a checkpoint).

    Returns:
        Path of the last checkpoint.

    Raises:
        GfpvideoError: if data or options are missing or wrong.
    """
    schedule, path = options.schedule, folder / CHECKPOINT
    prepare(path, schedule, resume=resume)
    learn, held = prepared(options, folder)
    network = GatherNet() if options.start is None else gather_net.load(options.start)
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate)
    training = begun(network, optimizer)
    if resume:
        load(training, path)
    shown = _held_out(held)
    watch = Watch(folder, CHECKPOINT, schedule)

    def step(batch: tuple[Tensor, Tensor]) -> None:
        loss = _step(training, *batch, schedule)
        watch(training, {"loss": loss}, lambda: judged(training.average, shown))

    last = min(schedule.steps, stop_at or schedule.steps)
    take_steps(training, path, _batches(options, learn, training.step, last), step)
    return path


def _step(training: Training[GatherNet], seen: Tensor, clean: Tensor, schedule: GatherSchedule) -> float:
    # Of the logarithms: a little harm to a good film counts like much to one that is bad.
    apart = charbonnier(training.network(seen), clean).log().mean()
    rate = schedule.learning_rate * cosine(training.step, schedule.steps)
    return descend(training, apart, rate, schedule.average)


def charbonnier(restored: Tensor, clean: Tensor) -> Tensor:
    """(B,) mean of sqrt(difference^2 + epsilon^2) of each piece."""
    return torch.sqrt((restored - clean).square() + _EPSILON**2).mean(dim=(1, 2, 3))


@torch.no_grad()
def judged(network: GatherNet, shown: Shown) -> dict[str, float]:
    """PSNR inside the face by kind of damage, and what is won against the crop as it is."""
    inside = torch.tensor(inside_face(SIDE))
    scores, won = {}, []
    for name, windows in shown.items():
        seen = torch.from_numpy(np.stack([window.seen for window in windows]))
        clean = torch.from_numpy(np.stack([window.clean.transpose(2, 0, 1) for window in windows]))
        after, before = (_psnr(pictures, clean, inside) for pictures in (network(seen), seen[:, :3]))
        scores[name] = after
        won.append(after - before)
    return scores | {"won": float(np.mean(won))}


def _psnr(pictures: Tensor, clean: Tensor, inside: Tensor) -> float:
    errors = (pictures.clamp(-1, 1) - clean).square()[:, :, inside].mean(dim=(1, 2))
    return float((10 * torch.log10(4 / errors.clamp_min(1e-9))).mean())


def _held_out(held: Faces) -> Shown:
    """The same windows every time."""
    check_held(held)
    shown: Shown = {}
    for place, damage in enumerate(DAMAGES):
        shown[damage.__name__] = [drawn_window(held, np.random.default_rng([7, place, n]), place) for n in range(_HELD)]
    return shown


def _batches(options: GatherOptions, faces: Faces, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches from step ``first`` on."""
    schedule = options.schedule
    numbers = range(first * schedule.windows, last * schedule.windows)
    data = Patches(faces, seed=schedule.seed, patches=schedule.patches, length=numbers.stop)
    loader = DataLoader(
        Subset(data, numbers), schedule.windows, num_workers=schedule.workers, worker_init_fn=ignore_interrupts
    )
    for seen, clean in loader:
        yield seen.flatten(0, 1), clean.flatten(0, 1)
