"""The landmark network's training, from top to bottom.

Everything random depends on the seed and the step alone, so a resumed training goes on exactly where it stopped; a
longer schedule only stretches the fall of the learning rate.
"""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from gfpvideo.errors import OutputError, WeightsError
from gfpvideo.networks.landmark_net import LandmarkNet, Seen
from gfpvideo.networks.landmarks import GROUPS, POINTS, anchors
from gfpvideo.train.landmarks_options import LandmarkOptions, Weights
from gfpvideo.train.landmarks_pictures import Pictures, prepared
from gfpvideo.train.landmarks_samples import Batch, Samples

Scalars = dict[str, float]

CHECKPOINT = "landmarks.pth"
LOG = "log.txt"
_HELD = 384
"""Samples of held-out faces that are looked at every so often."""
_IMPORTANCE = {"outline": 0.6, "eyes": 1.3, "nose": 1.2}
"""What a group's points weigh, against 1."""


@dataclass
class Training:
    """What changes while the network is trained."""

    network: LandmarkNet
    average: LandmarkNet
    optimizer: torch.optim.Optimizer
    step: int = 0


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
    _prepare(options, folder)
    pictures = prepared(options, folder, held=False)
    training = _new_training(options, pictures)
    path = folder / CHECKPOINT
    if resume:
        _load(training, path)
    watch = _Watch(folder, options, _held_out(prepared(options, folder, held=True, canonical=pictures.canonical)))
    last = min(options.schedule.steps, stop_at or options.schedule.steps)
    try:
        for batch in _batches(options, pictures, training.step, last):
            watch.add(_step(training, batch, options), training)
    finally:  # an interrupt keeps what was learnt
        _save(training, path)
    return path


def _prepare(options: LandmarkOptions, folder: Path) -> None:
    """What is the same for the whole process."""
    torch.manual_seed(options.schedule.seed)
    torch.set_num_threads(options.schedule.threads)
    cv2.setNumThreads(0)
    folder.mkdir(parents=True, exist_ok=True)


class _Watch:
    """Writes how well the training goes into the log, and the training itself to the disk, every so often."""

    def __init__(self, folder: Path, options: LandmarkOptions, held: Batch) -> None:
        self._folder, self._schedule, self._held = folder, options.schedule, held
        self._began = self._saved = time.monotonic()
        self._sums: Scalars = {}

    def add(self, scalars: Scalars, training: Training) -> None:
        """Count a step that was done."""
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in scalars.items()}
        if training.step % self._schedule.check_steps == 0:
            self._log(training)
        if time.monotonic() - self._saved > 60 * self._schedule.checkpoint_minutes:
            _save(training, self._folder / CHECKPOINT)
            self._saved = time.monotonic()

    def _log(self, training: Training) -> None:
        means = {name: value / self._schedule.check_steps for name, value in self._sums.items()}
        seconds = time.monotonic() - self._began
        _write(self._folder / LOG, training.step, seconds, means | judged(training.average, self._held))
        self._sums = {}


def _step(training: Training, batch: Batch, options: LandmarkOptions) -> Scalars:
    for group in training.optimizer.param_groups:
        group["lr"] = rate(training.step, options)
    training.network.train()
    terms = losses(training.network(batch.crops), batch, options.losses)
    training.optimizer.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    torch.nn.utils.clip_grad_norm_(training.network.parameters(), options.schedule.clip)
    training.optimizer.step()
    _update_average(training, options.schedule.average)
    training.step += 1
    return {name: float(term.detach()) for name, term in terms.items()}


def rate(step: int, options: LandmarkOptions) -> float:
    """The learning rate: up along a line, then down along a cosine."""
    schedule = options.schedule
    rising = min(1.0, (step + 1) / max(1, schedule.warm_up))
    return schedule.learning_rate * rising * 0.5 * (1 + math.cos(math.pi * step / schedule.steps))


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


def _new_training(options: LandmarkOptions, pictures: Pictures) -> Training:
    network = LandmarkNet().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    network.canonical.copy_(torch.from_numpy(np.array(pictures.canonical)))
    schedule = options.schedule
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    return Training(network, deepcopy(network).requires_grad_(False), optimizer)


def _batches(options: LandmarkOptions, pictures: Pictures, first: int, last: int) -> Iterator[Batch]:
    """Batches from step ``first`` on."""
    schedule = options.schedule
    numbers = range(first * schedule.batch, last * schedule.batch)
    length = numbers.stop
    data = Samples(pictures, negatives=options.negatives, seed=schedule.seed, length=length)
    loader = DataLoader(Subset(data, numbers), schedule.batch, num_workers=schedule.workers)
    for fields in loader:
        batch = Batch(*fields)
        yield batch._replace(crops=batch.crops.contiguous(memory_format=torch.channels_last))


def _held_out(pictures: Pictures) -> Batch:
    samples = Samples(pictures, negatives=0.2, seed=987654321, length=_HELD)
    return Batch(*(torch.stack(field) for field in zip(*(samples[index] for index in range(_HELD)), strict=True)))


@torch.no_grad()
def _update_average(training: Training, decay: float) -> None:
    """Weights as a sliding mean; the statistics of the normalisation with them."""
    decay = min(decay, (1 + training.step) / (10 + training.step))
    new = training.network.state_dict()
    for name, kept in training.average.state_dict().items():
        if kept.is_floating_point():
            kept.lerp_(new[name], 1 - decay)
        else:
            kept.copy_(new[name])


def _write(path: Path, step: int, seconds: float, scalars: Scalars) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{step} {seconds:.0f}s " + ", ".join(f"{key} {value:.4f}" for key, value in scalars.items()) + "\n")


def _save(training: Training, path: Path) -> None:
    """Write everything to a temporary file and rename it."""
    content = {
        "average": training.average.state_dict(),
        "network": training.network.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "step": training.step,
    }
    scratch = path.with_suffix(".partial")
    torch.save(content, scratch)
    scratch.replace(path)


def _load(training: Training, path: Path) -> None:
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
    except (RuntimeError, KeyError, TypeError, ValueError, UnpicklingError) as error:
        raise WeightsError(f"{path}: not a checkpoint of this network") from error
    training.step = content["step"]


def export_landmarks(checkpoint: Path, target: Path) -> None:
    """Write the averaged network of a checkpoint in float16.

    Raises:
        WeightsError: if the checkpoint is none of this network.
        OutputError: if the target has another suffix or cannot be written.
    """
    if target.suffix != ".safetensors":
        raise OutputError(f"{target}: give a name that ends in .safetensors")
    network = LandmarkNet()
    try:
        network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["average"])
    except FileNotFoundError:
        raise WeightsError(f"{checkpoint}: no such checkpoint") from None
    except (RuntimeError, KeyError, TypeError, ValueError, UnpicklingError) as error:
        raise WeightsError(f"{checkpoint}: not a checkpoint of the landmark network") from error
    state = network.state_dict()
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    try:
        save_file({name: value.contiguous() for name, value in half.items()}, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from None
