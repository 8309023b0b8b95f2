"""GFP-GAN's training, from top to bottom.

Everything random depends on the seed and the step alone, so a resumed training goes on exactly where it stopped.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.ops import roi_align

from gfpvideo.errors import OptionError, TrainingError, WeightsError
from gfpvideo.networks.arcface import grey_faces, load_arcface
from gfpvideo.networks.gfpgan.loading import read_state_dict
from gfpvideo.networks.gfpgan.network import Gfpgan
from gfpvideo.networks.landmarks import installed_landmarks
from gfpvideo.networks.weights import installed, manifest
from gfpvideo.train import losses
from gfpvideo.train.checkpoint import CHECKPOINT, Training, load, save
from gfpvideo.train.data import AgedFaces, training_faces
from gfpvideo.train.discriminators import ComponentDiscriminator, StyleGAN2Discriminator
from gfpvideo.train.features import feature_extractor
from gfpvideo.train.files import check_new, make_folders
from gfpvideo.train.gather_data import SIDE, prepared
from gfpvideo.train.interrupt import WholeSteps, ignore_interrupts
from gfpvideo.train.moving_data import MovingFaces
from gfpvideo.train.options import TrainOptions

Batch = tuple[Tensor, Tensor, Tensor]
Scalars = dict[str, float]
Parts = dict[str, Tensor]
"""Cut-out components by name."""
Report = Callable[[int, Scalars], None]
Sheet = Callable[[int, Batch, Tensor], None]

_COMPONENTS = {"left_eye": 80, "right_eye": 80, "mouth": 120}
"""Sides of the cut-out components at 512 pixels."""
_BETAS = (0.0, 0.99)
"""Adam's decay rates; the first is 0 as in StyleGAN2, momentum unsettles the two-player game."""


def train(
    options: TrainOptions,
    folder: Path,
    *,
    resume: bool = False,
    stop_at: int | None = None,
    report: Report | None = None,
    sheet: Sheet | None = None,
) -> Path:
    """Train a network.

    Args:
        options: what to train, on what, and how.
        folder: where checkpoints are written; made if need be.
        resume: go on with the folder's checkpoint.
        stop_at: step to stop at before the schedule's end (with a checkpoint).
        report: called with the step and its losses, in one of several processes.
        sheet: called every so often with the step, a batch and what the averaged network makes of it; likewise.

    Returns:
        Path of the last checkpoint. It is a model file: `gfpvideo restore --model` takes it.

    Raises:
        GfpvideoError: if data, weights or options are missing or wrong.
        TrainingError: if a loss is not finite any more; the last checkpoint stays as it is.
        KeyboardInterrupt: after Ctrl-C, once the step is whole and in the checkpoint.
    """
    path = folder / CHECKPOINT
    check_new(path, resume=resume)
    torch.manual_seed(options.schedule.seed)
    accelerator = _accelerator(options)
    training = _prepared(_new_training(options), accelerator)
    make_folders(folder)
    if resume:
        load(training, path, accelerator)
    critics = _critics(options, accelerator.device)
    last = min(options.schedule.steps, stop_at or options.schedule.steps)
    saved = time.monotonic()
    with WholeSteps() as steps:
        try:
            for batch in _batches(options, folder, accelerator, training.step, last):
                scalars = _step(training, batch, options, accelerator, critics)
                if accelerator.is_main_process:
                    _show(training, batch, scalars, options, report, sheet)
                if _all_agree(steps.interrupted(), accelerator):
                    raise KeyboardInterrupt
                if time.monotonic() - saved > 60 * options.schedule.checkpoint_minutes:
                    save(training, path, accelerator)
                    saved = time.monotonic()
        except KeyboardInterrupt:  # keeps what was learnt; any other end leaves the checkpoint before, which was good
            if not training.halfway:
                save(training, path, accelerator)
            raise
        save(training, path, accelerator)
    return path


def _accelerator(options: TrainOptions) -> Accelerator:
    """What puts things on their device, and shares them among processes.

    Raises:
        OptionError: if the precision is not to be had here.
    """
    try:
        return Accelerator(mixed_precision=options.schedule.precision)
    except ValueError as error:
        raise OptionError(f"schedule.precision = {options.schedule.precision!r}: {error}") from None


def _show(
    training: Training,
    batch: Batch,
    scalars: Scalars,
    options: TrainOptions,
    report: Report | None,
    sheet: Sheet | None,
) -> None:
    if report is not None:
        report(training.step, scalars)
    if sheet is not None and training.step % options.schedule.sheet_steps == 0:
        with torch.no_grad():
            sheet(training.step, batch, training.average(batch[0]))


def _all_agree(interrupted: bool, accelerator: Accelerator) -> bool:
    """Whether any process was interrupted: all stop after the same step, or one would wait for the others for ever."""
    if interrupted:
        accelerator.set_trigger()
    return accelerator.check_trigger()


def _step(
    training: Training, batch: Batch, options: TrainOptions, accelerator: Accelerator, critics: "_Critics"
) -> Scalars:
    """One step of the generator, then one of the discriminators."""
    training.halfway = True
    _set_rates(training, options)
    scalars = _mean(_generator_step(training, batch, options, accelerator, critics), accelerator)
    if not all(map(math.isfinite, scalars.values())):
        raise _diverged(training, scalars)
    training.step += 1
    training.halfway = False
    return scalars


def _diverged(training: Training, scalars: Scalars) -> TrainingError:
    """What is said where a loss is not finite any more, or else the gradient of all of them."""
    wrong = [name for name, value in scalars.items() if not math.isfinite(value)]
    what = f"loss {wrong[0]!r}" if wrong else "gradient"
    return TrainingError(
        f"step {training.step + 1}: the {what} is not finite; the last checkpoint is kept: resume with a lower learning"
        " rate, a smaller schedule.clip, or another schedule.precision"
    )


def _mean(scalars: Scalars, accelerator: Accelerator) -> Scalars:
    """Each loss, averaged over all processes."""
    values = torch.tensor(list(scalars.values()), device=accelerator.device)
    averaged: Any = accelerator.reduce(values, "mean")
    return dict(zip(scalars, averaged.tolist(), strict=True))


def _generator_step(
    training: Training, batch: Batch, options: TrainOptions, accelerator: Accelerator, critics: "_Critics"
) -> Scalars:
    aged, clean, boxes = batch
    parts = {name: component(clean, boxes, name) for name in _COMPONENTS if name in training.discriminators}
    with accelerator.autocast():
        restored, pyramid = training.generator(aged)
        terms = generator_losses(restored, pyramid, clean, boxes, parts, training, options, critics)
    accelerator.backward(torch.stack(list(terms.values())).sum())
    clip = math.inf if options.schedule.clip is None else options.schedule.clip
    norm = accelerator.clip_grad_norm_(training.generator.parameters(), clip)
    # In float16 a gradient may be too large for a step: it is left out, and the scale of the next ones made smaller.
    if accelerator.scaler is None and norm is not None and not math.isfinite(float(norm)):
        raise _diverged(training, {name: float(term.detach()) for name, term in terms.items()})
    training.generator_optimizer.step()
    training.generator_optimizer.zero_grad()
    _update_average(training, accelerator, options.schedule.average)
    scalars = {name: float(term.detach()) for name, term in terms.items()}
    if training.discriminator_optimizer is None:
        return scalars
    return scalars | _discriminator_step(training, restored.detach(), clean, boxes, parts, options, accelerator)


def generator_losses(
    restored: Tensor,
    pyramid: list[Tensor],
    clean: Tensor,
    boxes: Tensor,
    parts: Parts,
    training: Training,
    options: TrainOptions,
    critics: "_Critics",
) -> dict[str, Tensor]:
    """The weighted terms of equation 9, by name; ``parts`` are the components of ``clean``."""
    weights, discriminators = options.losses, training.discriminators
    terms = {"l1": weights.l1 * losses.reconstruction(restored, clean)}
    if weights.pyramid:
        # Later of no weight, but never left out: several processes wait for the gradient of every parameter.
        weight = weights.pyramid if training.step < weights.pyramid_steps else 0.0
        terms["pyramid"] = weight * losses.pyramid(pyramid, clean)
    if critics.features is not None:
        seen = [critics.features(picture) for picture in (restored, clean)]
        terms["perceptual"] = weights.perceptual * losses.perceptual(*seen)
        if weights.perceptual_style:
            terms["style"] = weights.perceptual_style * losses.feature_style(*seen)
    if critics.identity is not None:
        embeddings = (critics.identity(grey_faces(picture)) for picture in (restored, clean))
        terms["identity"] = weights.identity * losses.identity(*embeddings)
    if "face" in discriminators:
        scores = _frozen(discriminators["face"], restored)
        terms["adversarial"] = weights.adversarial * losses.generator_adversarial(scores)
    for name, part in parts.items():
        terms |= _component_terms(name, discriminators[name], component(restored, boxes, name), part, options)
    return terms


def _component_terms(
    name: str, discriminator: nn.Module, restored: Tensor, clean: Tensor, options: TrainOptions
) -> dict[str, Tensor]:
    """Adversarial and feature loss of one component (equation 7)."""
    weights = options.losses
    scores, features = _frozen(discriminator, restored)
    terms = {name: weights.component * losses.generator_adversarial(scores)}
    if weights.component_features != "none":
        with torch.no_grad():
            _, wanted = discriminator(clean)
        compare = losses.feature_style if weights.component_features == "style" else losses.feature_matching
        terms[f"{name}_features"] = weights.component_style * compare(features, wanted)
    return terms


def _discriminator_step(
    training: Training,
    restored: Tensor,
    clean: Tensor,
    boxes: Tensor,
    parts: Parts,
    options: TrainOptions,
    accelerator: Accelerator,
) -> Scalars:
    """Teach the discriminators to tell restored from clean; every so often with the gradient penalty (lazy R1)."""
    optimizer, weights = training.discriminator_optimizer, options.losses
    assert optimizer is not None
    terms: dict[str, Tensor] = {}
    with accelerator.autocast():
        for name, discriminator in training.discriminators.items():
            if name == "face":
                real, fake = discriminator(clean), discriminator(restored)
            else:
                real, _ = discriminator(parts[name])
                fake, _ = discriminator(component(restored, boxes, name))
            terms[f"{name}_discriminator"] = losses.discriminator_adversarial(real, fake)
    if "face" in training.discriminators and training.step % weights.gradient_penalty_every == 0:
        real = clean.detach().requires_grad_(True)
        penalty = losses.gradient_penalty(training.discriminators["face"](real), real)
        terms["penalty"] = weights.gradient_penalty / 2 * weights.gradient_penalty_every * penalty
    accelerator.backward(torch.stack([term.float() for term in terms.values()]).sum())
    optimizer.step()
    optimizer.zero_grad()
    return {name: float(term.detach()) for name, term in terms.items()}


def component(pictures: Tensor, boxes: Tensor, name: str) -> Tensor:
    """Cut a facial component out of (B, 3, S, S) pictures by ROI align; ``boxes`` is (B, 3, 4) in pixels."""
    index = list(_COMPONENTS).index(name)
    side = _COMPONENTS[name] * pictures.shape[-1] // 512
    numbers = torch.arange(len(boxes), device=boxes.device, dtype=boxes.dtype)[:, None]
    regions = torch.cat([numbers, boxes[:, index]], dim=1)
    return roi_align(pictures.float(), regions, (side, side), aligned=True)


def _frozen(discriminator: nn.Module, pictures: Tensor) -> Any:
    """Judge ``pictures`` without collecting gradients for the judge."""
    discriminator.requires_grad_(False)
    judged = discriminator(pictures)
    discriminator.requires_grad_(True)
    return judged


class _Trainee(nn.Module):
    """The generator as the loop calls it: the restored picture and the pyramid in one pass."""

    def __init__(self, network: Gfpgan) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        encoded = self.network.encode(x)
        return self.network.stylegan_decoder(*encoded[:3]), self.network.pyramid(encoded)


@dataclass(frozen=True)
class _Critics:
    """Fixed networks that losses look through."""

    features: nn.Module | None
    identity: nn.Module | None


def _critics(options: TrainOptions, device: torch.device) -> _Critics:
    features = feature_extractor(options.losses.features).to(device) if options.losses.perceptual else None
    if features is not None:
        _channels_last(features)
    if not options.losses.identity:
        return _Critics(features, None)
    path = options.losses.identity_weights or installed("arcface-resnet18")
    return _Critics(features, load_arcface(path).to(device))


def _new_training(options: TrainOptions) -> Training:
    network = Gfpgan(options.network)
    if options.start is not None:
        start_from(network, read_state_dict(options.start))
    if options.prior is not None:
        load_prior(network, options.prior)
    network.stylegan_decoder.requires_grad_(not options.freeze_prior)
    for name in untrained(options):
        network.get_parameter(name).requires_grad_(False)
    discriminators = nn.ModuleDict()
    if options.losses.adversarial:
        width = options.discriminator
        discriminators["face"] = StyleGAN2Discriminator(
            options.network.size, channel_multiplier=width.channel_multiplier, narrow=width.narrow
        )
    if options.losses.component:
        discriminators.update({name: ComponentDiscriminator() for name in _COMPONENTS})
    rate = options.schedule.learning_rate
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=rate, betas=_BETAS)
    other = torch.optim.Adam(discriminators.parameters(), lr=rate, betas=_BETAS) if len(discriminators) else None
    average = deepcopy(network).eval().requires_grad_(False)
    return Training(_Trainee(network), average, discriminators, optimizer, other)


def untrained(options: TrainOptions) -> list[str]:
    """The parameters that no loss depends on, found out on a network without content.

    The mapping network's, which is kept for its weights alone; without pyramid loss those that make the pyramid's
    pictures. Several processes would wait for their gradients for ever.
    """
    size = options.network.size
    with torch.device("meta"):
        network = Gfpgan(options.network)
        restored, pyramid = _Trainee(network)(torch.zeros(1, 3, size, size))
    seen = [restored, *pyramid] if options.losses.pyramid else [restored]
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad([picture.sum() for picture in seen], parameters, allow_unused=True)
    return [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]


def load_prior(network: Gfpgan, name_or_path: str) -> None:
    """Give the decoder the weights of a StyleGAN2 of its size.

    Raises:
        WeightsError: if they are not here, or belong to a network of another shape.
    """
    path = installed(name_or_path) if name_or_path in manifest() else Path(name_or_path)
    try:
        network.stylegan_decoder.load_state_dict(read_state_dict(path))
    except RuntimeError:
        config = network.config
        shape = f"{config.variant}, {config.size} pixels, multiplier {config.channel_multiplier:g}"
        raise WeightsError(f"{path}: not a StyleGAN2 of the prior's shape ({shape})") from None


def start_from(network: Gfpgan, state: dict[str, Tensor]) -> list[str]:
    """Load the weights that fit by name and shape; another size's are those of the scales that both share.

    A narrower network takes channels evenly out of the wider one's. The codes w of the coarsest layers come first.

    Features are counted from the coarsest scale in the prior and from the finest in the U-Net's encoder, so the
    encoder's weights of a smaller network move up by the difference in levels.

    Returns:
        The names that stay as they were.
    """
    own = network.state_dict()
    downs = {key.split(".")[1] for key in state if key.startswith("conv_body_down.")}
    shift = len(network.conv_body_down) - len(downs)
    renamed = {_moved_down_block(key, shift): value for key, value in state.items()}
    for key in ("final_linear.weight", "final_linear.bias"):
        if key not in renamed:
            raise WeightsError(f"start: holds no {key}: not a GFP-GAN")
        renamed[key] = renamed[key][: len(own[key])]
    offered = {key: thinned(value, own[key].shape) for key, value in renamed.items() if key in own}
    fitting = {key: value for key, value in offered.items() if value is not None}
    network.load_state_dict(own | fitting)
    return sorted(own.keys() - fitting.keys())


def thinned(value: Tensor, shape: Sequence[int]) -> Tensor | None:
    """Weights with channels taken out evenly until they have a shape; ``None`` if they lack some.

    Halves of a layer stay halves, as channel-split modulation wants.
    """
    if value.dim() != len(shape) or (value.dim() > 2 and value.shape[-2:] != tuple(shape[-2:])):
        return None
    for dim, (have, want) in enumerate(zip(value.shape, shape, strict=True)):
        if have < want:
            return None
        value = value.index_select(dim, torch.arange(want) * have // want)
    return value


def _moved_down_block(key: str, shift: int) -> str:
    parts = key.split(".")
    if parts[0] != "conv_body_down":
        return key
    return ".".join([parts[0], str(int(parts[1]) + shift), *parts[2:]])


def _prepared(training: Training, accelerator: Accelerator) -> Training:
    """Everything on its device, split among processes, convolutions with their channels last."""
    for network in (training.generator, training.discriminators):
        _channels_last(network)
    training.generator, training.generator_optimizer = accelerator.prepare(
        training.generator, training.generator_optimizer
    )
    training.average.to(accelerator.device)
    for name in list(training.discriminators):
        training.discriminators[name] = accelerator.prepare(training.discriminators[name])
    if training.discriminator_optimizer is not None:
        training.discriminator_optimizer = accelerator.prepare(training.discriminator_optimizer)
    return training


def _channels_last(network: nn.Module) -> None:
    """Lay convolution weights out as processors like them: a step is a third faster on a CPU."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)


def _batches(options: TrainOptions, folder: Path, accelerator: Accelerator, first: int, last: int) -> Iterator[Batch]:
    """The batches of steps ``first`` to ``last``; each process gets its share of every batch."""
    schedule, world = options.schedule, accelerator.num_processes
    if schedule.batch % world:
        raise OptionError(f"a batch of {schedule.batch} cannot be shared by {world} processes")
    data = _faces(options, folder)
    share = schedule.batch // world
    offset = accelerator.process_index * share
    wanted = [step * schedule.batch + offset + item for step in range(first, last) for item in range(share)]
    loader = DataLoader(Subset(data, wanted), share, num_workers=options.data.workers, worker_init_fn=ignore_interrupts)
    for aged, clean, boxes in loader:
        aged, clean = (pictures.to(accelerator.device, memory_format=torch.channels_last) for pictures in (aged, clean))
        yield aged, clean, boxes.to(accelerator.device)


def _faces(options: TrainOptions, folder: Path) -> Dataset[Batch]:
    """What is learnt from: single pictures, and where the options say so, faces of films."""
    schedule, size, moving = options.schedule, options.network.size, options.data.moving
    network = installed_landmarks() if options.losses.component else None
    faces = training_faces(options.data, size, network)
    single = AgedFaces(faces, options.degradation, seed=schedule.seed, length=schedule.steps * schedule.batch)
    if moving is None:
        return single
    if size != SIDE:
        raise OptionError(f"data.moving: faces of films are {SIDE} pixels wide, network.size is {size}")
    learn, _ = prepared(moving, folder)
    return MovingFaces(single, learn, moving, network, seed=schedule.seed)


def _set_rates(training: Training, options: TrainOptions) -> None:
    schedule = options.schedule
    if schedule.cosine:
        factor = 0.5 * (1 + math.cos(math.pi * training.step / schedule.steps))
    else:
        factor = 0.5 ** sum(training.step >= step for step in schedule.halve_at)
    for group in training.generator_optimizer.param_groups:
        group["lr"] = schedule.learning_rate * factor
    if training.discriminator_optimizer is not None:
        for group in training.discriminator_optimizer.param_groups:
            group["lr"] = (schedule.discriminator_rate or schedule.learning_rate) * factor


@torch.no_grad()
def _update_average(training: Training, accelerator: Accelerator, decay: float) -> None:
    network = accelerator.unwrap_model(training.generator).network
    decay = min(decay, (1 + training.step) / (10 + training.step))
    for kept, new in zip(training.average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
