"""The landmark network's training, from top to bottom.

Everything random depends on the seed and the step alone, so a resumed training goes on exactly where it stopped; a
longer schedule only stretches the fall of the learning rate.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from gfpvideo.networks.landmark_net import LandmarkNet, Seen
from gfpvideo.networks.landmarks import GROUPS, POINTS, anchors
from gfpvideo.train.interrupt import ignore_interrupts
from gfpvideo.train.landmarks_options import LandmarkOptions, Weights
from gfpvideo.train.landmarks_pictures import Pictures, prepared
from gfpvideo.train.landmarks_samples import Batch, Samples
from gfpvideo.train.small import Training, Watch, begun, cosine, descend, load, prepare, take_steps

Scalars = dict[str, float]

CHECKPOINT = "landmarks.pth"
_HELD = 384
"""Samples of held-out faces that are looked at every so often."""
_IMPORTANCE = {"outline": 0.6, "eyes": 1.3, "nose": 1.2}
"""What a group's points weigh, against 1."""


def train_landmarks(
    options: LandmarkOptions, folder: Path, *, resume: bool = False, stop_at: int | None = None
) -> Path:
    """Train the network; progress goes to ``log.txt`` in the folder.

    Args:
        options: what to train on, and how.
        folder: where checkpoints and the shrunk pictures are kept; made if need be.
        resume: go on with the folder's checkpoint.
        stop_at: step to stop at before the schedule's end (with a checkpoint).

    Returns:
        Path of the last checkpoint.

    Raises:
        GfpvideoError: if data or options are missing or wrong.
    """
    path = folder / CHECKPOINT
    prepare(path, options.schedule, resume=resume)
    pictures = prepared(options, folder, held=False)
    training = _new_training(options, pictures)
    if resume:
        load(training, path)
    held = _held_out(prepared(options, folder, held=True, canonical=pictures.canonical))
    watch = Watch(folder, CHECKPOINT, options.schedule)
    last = min(options.schedule.steps, stop_at or options.schedule.steps)

    def step(batch: Batch) -> None:
        watch(training, _step(training, batch, options), lambda: judged(training.average, held))

    take_steps(training, path, _batches(options, pictures, training.step, last), step)
    return path


def _step(training: Training[LandmarkNet], batch: Batch, options: LandmarkOptions) -> Scalars:
    training.network.train()
    terms, schedule = losses(training.network(batch.crops), batch, options.losses), options.schedule
    total = torch.stack(list(terms.values())).sum()
    descend(training, total, rate(training.step, options), schedule.average, schedule.clip)
    return {name: float(term.detach()) for name, term in terms.items()}


def rate(step: int, options: LandmarkOptions) -> float:
    """The learning rate: up along a line, then down along a cosine."""
    schedule = options.schedule
    rising = min(1.0, (step + 1) / max(1, schedule.warm_up))
    return schedule.learning_rate * rising * cosine(step, schedule.steps)


def losses(seen: Seen, batch: Batch, weights: Weights) -> dict[str, Tensor]:
    """The weighted terms by name; without a known face, points and pose count nothing."""
    known = batch.known / batch.known.sum().clamp_min(1)
    certain = batch.certain / batch.certain.sum().clamp_min(1)
    distances = (seen.points - batch.points).abs()
    importance = _importance()
    likelihood = laplace(distances, seen.log_deviations)
    right = functional.binary_cross_entropy_with_logits(seen.presence, batch.presence, reduction="none")
    return {
        "likelihood": weights.likelihood * ((likelihood * importance).mean(1) * known).sum(),
        "distance": weights.distance * ((distances.mean(2) * importance).mean(1) * known).sum(),
        "presence": weights.presence * (right * certain).sum(),
        "pose": weights.pose * ((seen.pose - batch.pose).abs().mean(1) * known).sum(),
    }


def laplace(distances: Tensor, log_deviations: Tensor) -> Tensor:
    """Negative log likelihood (B, N) of distances (B, N, 2) along x and y, less its constant."""
    return (distances * torch.exp(-log_deviations)[..., None]).mean(2) + log_deviations


def _importance() -> Tensor:
    weights = torch.ones(POINTS)
    for name, weight in _IMPORTANCE.items():
        weights[GROUPS[name]] = weight
    return weights / weights.mean()


@torch.no_grad()
def judged(network: LandmarkNet, batch: Batch) -> Scalars:
    """Errors as shares of the eye distance, by the detail that is left; how sure it was; how well presence tells."""
    seen = network.eval()(batch.crops)
    wanted, found = batch.points.double().numpy(), seen.points.double().numpy()
    eyes = np.linalg.norm(np.diff(anchors(wanted)[:, :2], axis=1)[:, 0], axis=1)
    errors = np.linalg.norm(anchors(found) - anchors(wanted), axis=2).mean(1) / np.maximum(eyes, 1e-6)
    dense = np.linalg.norm(found - wanted, axis=2).mean(1) / np.maximum(eyes, 1e-6)
    known, detail = batch.known.numpy() > 0, batch.detail.numpy()
    scalars: Scalars = {}
    for low, high in ((3.2, 6), (6, 12), (12, 24), (24, 1000)):
        some = known & (detail >= low) & (detail < high)
        scalars[f"anchors {low:g}-{high:g}px"] = float(errors[some].mean())
    some = known & (detail >= 3.2)
    scalars["points"] = float(dense[some].mean())
    scalars["pose, degrees"] = float(np.degrees((seen.pose - batch.pose).abs().numpy()[some].mean()))
    scalars["false presence"] = false_presence(seen.presence.numpy(), batch)
    return scalars


def false_presence(logits: NDArray[np.float32], batch: Batch, passing: float = 0.98) -> float:
    """Share of what is no restorable face above the threshold at which ``passing`` of the restorable faces pass."""
    sure, there = batch.certain.numpy() > 0, batch.presence.numpy() > 0
    threshold = np.quantile(logits[sure & there], 1 - passing)
    return float(np.mean(logits[sure & ~there] > threshold))


def _new_training(options: LandmarkOptions, pictures: Pictures) -> Training[LandmarkNet]:
    network = LandmarkNet().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    network.canonical.copy_(torch.from_numpy(np.array(pictures.canonical)))
    schedule = options.schedule
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    return begun(network, optimizer)


def _batches(options: LandmarkOptions, pictures: Pictures, first: int, last: int) -> Iterator[Batch]:
    """Batches from step ``first`` on."""
    schedule = options.schedule
    numbers = range(first * schedule.batch, last * schedule.batch)
    length = numbers.stop
    data = Samples(pictures, negatives=options.negatives, seed=schedule.seed, length=length)
    loader = DataLoader(
        Subset(data, numbers), schedule.batch, num_workers=schedule.workers, worker_init_fn=ignore_interrupts
    )
    for fields in loader:
        batch = Batch(*fields)
        yield batch._replace(crops=batch.crops.contiguous(memory_format=torch.channels_last))


def _held_out(pictures: Pictures) -> Batch:
    samples = Samples(pictures, negatives=0.2, seed=987654321, length=_HELD)
    return Batch(*(torch.stack(field) for field in zip(*(samples[index] for index in range(_HELD)), strict=True)))
