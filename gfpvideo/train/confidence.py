"""The training of the network of confidence, from top to bottom.

Restorations are made once, by the generator that is to be judged, and kept; the network then learns what share of each
change brings the picture nearest to the clean one, to the eye (features) and by the number (distance).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gfpvideo.generator.models import find_model
from gfpvideo.networks.confidence_net import ConfidenceNet
from gfpvideo.networks.over_time import network_over_time
from gfpvideo.networks.weights import entry
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.regions import inside_face
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.train.confidence_options import ConfidenceOptions
from gfpvideo.train.features import feature_extractor
from gfpvideo.train.gather import charbonnier
from gfpvideo.train.gather_data import SIDE, Faces, Window, check_held, drawn_window, prepared
from gfpvideo.train.listing import key_of
from gfpvideo.train.losses import perceptual
from gfpvideo.train.over_time import DAMAGES, hardly
from gfpvideo.train.small import Watch, begun, cosine, descend, load, prepare, take_steps

CHECKPOINT = "confidence.pth"
_SAME = 0.005
"""Distance below which pictures count as the same."""


class Examples(NamedTuple):
    """Crops that were restored, each (B, 3, 256, 256) RGB in [-1, 1]."""

    shown: Tensor
    """What the generator was shown."""
    made: Tensor
    """What it made of it."""
    source: Tensor
    """What the film shows."""
    clean: Tensor
    """What it should be."""

    def blended(self, network: nn.Module) -> Tensor:
        """The film's picture with as much of each change as the network says."""
        gathered, made = network(torch.cat([self.shown, self.made, self.source], dim=1)).split(1, dim=1)
        return self.source + gathered * (self.shown - self.source) + made * (self.made - self.shown)


def train_confidence(options: ConfidenceOptions, folder: Path, *, resume: bool = False) -> Path:
    """Train the network; progress goes to ``log.txt`` in the folder.

    Args:
        options: what to train on, and how.
        folder: where the checkpoint, the decoded films and the restorations are kept; made if need be.
        resume: go on with the folder's checkpoint.

    Returns:
        Path of the last checkpoint.

    Raises:
        GfpvideoError: if data, weights or options are missing or wrong.
    """
    schedule, path = options.schedule, folder / CHECKPOINT
    prepare(path, schedule, resume=resume)
    learn, light, held = _restorations(options, folder)
    network = ConfidenceNet()
    training = begun(network, torch.optim.Adam(network.parameters(), lr=schedule.learning_rate))
    if resume:
        load(training, path)
    watch, features = Watch(folder, CHECKPOINT, schedule), feature_extractor("efficientnet-lite0")

    def step(batch: Examples) -> None:
        loss = _distance(batch.blended(training.network), batch.clean, features, options.perceptual)
        rate = schedule.learning_rate * cosine(training.step, schedule.steps)
        value = descend(training, loss, rate, schedule.average)
        watch(training, {"loss": value}, lambda: judged(training.average, held, features))

    take_steps(training, path, _batches(options, (learn, light), training.step), step)
    return path


def _distance(blended: Tensor, clean: Tensor, features: nn.Module, weight: float) -> Tensor:
    """Mean logarithm of the pictures' distances: a little harm to a good one counts like much to one that is bad."""
    apart = charbonnier(blended, clean)
    if weight:
        seen, wanted = ([layer.split(1) for layer in features(pictures)] for pictures in (blended, clean))
        singles = zip(zip(*seen, strict=True), zip(*wanted, strict=True), strict=True)
        apart = apart + weight * torch.stack([perceptual(*pair) for pair in singles])
    return apart.add(_SAME).log().mean()


@torch.no_grad()
def judged(network: nn.Module, held: NDArray, features: nn.Module) -> dict[str, float]:
    """PSNR inside the face and perceptual distance: of what was shown, what was made, and the two together."""
    scores: dict[str, list[float]] = {}
    inside = torch.tensor(inside_face(SIDE))
    for place in range(0, len(held), 8):
        examples = _tensors(held[place : place + 8])
        clean_features = features(examples.clean)
        for name, pictures in (
            ("shown", examples.shown), ("made", examples.made), ("blended", examples.blended(network)),
        ):  # fmt: skip
            errors = (pictures - examples.clean).square()[:, :, inside].mean(dim=(1, 2)).clamp_min(1e-9)
            scores.setdefault(f"{name} dB", []).append(float((10 * torch.log10(4 / errors)).mean()))
            scores.setdefault(f"{name} apart", []).append(float(perceptual(features(pictures), clean_features)))
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _batches(options: ConfidenceOptions, learn: tuple[NDArray, NDArray], first: int) -> Iterator[Examples]:
    """Batches from step ``first`` on, the last example of each hardly damaged; each depends on seed and step alone."""
    for step in range(first, options.schedule.steps):
        random = np.random.default_rng([options.schedule.seed, step])
        drawn = []
        for kept, count in zip(learn, (options.schedule.batch - 1, 1), strict=True):
            chosen = np.sort(random.choice(len(kept), count, replace=False))
            drawn.append(kept[chosen])
        yield _tensors(np.concatenate(drawn)[:, :, :, :: -1 if random.random() < 0.5 else 1])


def _tensors(kept: NDArray) -> Examples:
    """Examples of bytes (B, 4, S, S, 3)."""
    pictures = torch.from_numpy(np.ascontiguousarray(kept.transpose(1, 0, 4, 2, 3))).float() / 127.5 - 1
    return Examples(*pictures)


def _restorations(options: ConfidenceOptions, folder: Path) -> tuple[NDArray, NDArray, NDArray]:
    """(N, 4, 256, 256, 3) restorations to learn from, such of good films, and some to check by.

    They are kept in ``folder`` after the first time.
    """
    learn, held = prepared(options, folder)
    check_held(held)
    made_by = find_model(options.model).sha256, entry("gather").sha256
    key = key_of(options.model_copy(update={"schedule": options.schedule.seed}), made_by)
    wanted = (
        (f"learn-{key}.npy", learn, options.examples, None),
        (f"light-{key}.npy", learn, options.light_examples, DAMAGES.index(hardly)),
        (f"held-{key}.npy", held, options.held_examples, None),
    )
    missing = [item for item in wanted if not (folder / item[0]).is_file()]
    if missing:
        parts = load_parts(RestoreOptions(model=options.model))
        for name, faces, count, damage in missing:
            _restore(_drawn(faces, options, count, damage), parts, folder / name, count)
    first, second, third = (np.load(folder / name, mmap_mode="r") for name, *_ in wanted)
    return first, second, third


def _drawn(faces: Faces, options: ConfidenceOptions, count: int, damage: int | None) -> Iterator[tuple[Window, bool]]:
    """Windows, and whether each is gathered; they depend on the seed, their number and the count."""
    for number in range(count):
        random = np.random.default_rng([options.schedule.seed, count, number])
        yield drawn_window(faces, random, damage), bool(random.random() >= options.alone)


def _restore(windows: Iterator[tuple[Window, bool]], parts: Parts, target: Path, count: int) -> None:
    gather = network_over_time("gather", SIDE)
    scratch = target.with_suffix(".partial")
    kept = np.lib.format.open_memmap(scratch, "w+", np.uint8, (count, 4, SIDE, SIDE, 3))
    for number, (window, gathered) in enumerate(windows):
        source = window.seen[:3]
        shown = np.clip(gather(window.seen) if gathered else source, -1, 1)
        (made,) = parts.generator(shown[None])
        pictures = np.stack([shown, made, source, window.clean.transpose(2, 0, 1)]).transpose(0, 2, 3, 1)
        kept[number] = np.rint(np.clip(pictures, -1, 1) * 127.5 + 127.5)
    kept.flush()
    scratch.rename(target)
