"""The command line. Each command fills the options model, calls the library and prints what came of it."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from gfpvideo import __version__
from gfpvideo.errors import GfpvideoError, OptionError, WeightsError
from gfpvideo.frames import Report
from gfpvideo.options import RestoreOptions

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""

P = ParamSpec("P")

app = typer.Typer(
    help="Restore the faces in a film; leave everything else untouched.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(help="Fetch and check model weights.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


def _command(function: Callable[P, int]) -> Callable[P, None]:
    """Turn our errors into one line and an exit code; the function returns the exit code of success."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = function(*args, **kwargs)
        except GfpvideoError as error:
            typer.echo(f"gfpvideo: {error}", err=True)
            code = error.exit_code
        except KeyboardInterrupt:
            typer.echo("gfpvideo: interrupted, no target was written", err=True)
            code = INTERRUPTED
        raise typer.Exit(code)

    wrapped.__annotations__ = {**function.__annotations__, "return": None}
    return wrapped


def _option(name: str, *flags: str) -> Any:
    """A command-line option for the field ``name`` of the options model, with its help and default.

    Values stay text here: the model validates them, with the same message wherever they come from.
    """
    field = RestoreOptions.model_fields[name]
    default = "" if field.default is None or not isinstance(field.default, str | int | float) else f" [{field.default}]"
    metavar = None if flags else "VALUE"
    return typer.Option(
        *(flags or (f"--{name.replace('_', '-')}",)), metavar=metavar, help=f"{field.description}{default}"
    )


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"gfpvideo {__version__}")
        raise typer.Exit


@app.command()
@_command
def restore(
    source: Annotated[Path, typer.Argument(help="A film, a picture, or a folder of pictures.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Target [default: SOURCE with .restored before the suffix].")
    ] = None,
    model: Annotated[str | None, _option("model")] = None,
    weights_dir: Annotated[Path | None, _option("weights_dir")] = None,
    engine: Annotated[str | None, _option("engine")] = None,
    device: Annotated[str | None, _option("device")] = None,
    precision: Annotated[str | None, _option("precision")] = None,
    batch: Annotated[str | None, _option("batch")] = None,
    detector: Annotated[str | None, _option("detector")] = None,
    detect_size: Annotated[str | None, _option("detect_size")] = None,
    min_score: Annotated[str | None, _option("min_score")] = None,
    min_face: Annotated[str | None, _option("min_face")] = None,
    lag: Annotated[str | None, _option("lag")] = None,
    max_gap: Annotated[str | None, _option("max_gap")] = None,
    strength: Annotated[str | None, _option("strength")] = None,
    color: Annotated[str | None, _option("color")] = None,
    codec: Annotated[str | None, _option("codec")] = None,
    crf: Annotated[str | None, _option("crf")] = None,
    preset: Annotated[str | None, _option("preset")] = None,
    encoder_option: Annotated[
        list[str] | None, typer.Option("--encoder-option", help="KEY=VALUE for the encoder; may be repeated.")
    ] = None,
    overwrite: Annotated[bool, _option("overwrite", "--overwrite")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Restore the faces in a film, a picture, or a folder of pictures."""
    given = {name: value for name, value in locals().items() if name in RestoreOptions.model_fields}
    values = {name: value for name, value in given.items() if value is not None}
    values["encoder_options"] = _pairs(encoder_option or [])
    options = RestoreOptions.parse(values)
    report = _restore_with_bar(source, output, options, quiet)
    for warning in report.warnings:
        typer.echo(f"gfpvideo: warning: {warning}", err=True)
    if not quiet:
        typer.echo(summary(report))
    return report.exit_code


def _pairs(items: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in items:
        key, separator, value = item.partition("=")
        if not separator:
            raise OptionError(f"option encoder-option = {item!r}: must be KEY=VALUE")
        pairs[key] = value
    return pairs


def _restore_with_bar(source: Path, output: Path | None, options: RestoreOptions, quiet: bool) -> Report:
    from tqdm import tqdm

    from gfpvideo.pipeline import Progress, restore

    faces = 0
    with tqdm(unit="frame", disable=quiet, file=sys.stderr, dynamic_ncols=True) as bar:

        def show(progress: Progress) -> None:
            nonlocal faces
            faces += len(progress.restored.touched)
            bar.total = max(progress.expected or 0, bar.n + 1) if progress.expected else None
            bar.set_postfix(faces=faces, refresh=False)
            bar.update()

        return restore(source, output, options, on_frame=show)


def summary(report: Report) -> str:
    """The few lines that are printed after a restoration."""
    lines = [
        f"{report.target}",
        f"  frames    {report.frames}",
        f"  tracks    {report.tracks}",
        f"  faces     {report.faces} restored",
        f"  model     {report.model} on {report.engine}",
        f"  copied    {', '.join(report.copied) or 'nothing else to copy'}",
        f"  warnings  {len(report.warnings) or 'none'}",
        f"  seconds   {report.seconds:.1f}",
    ]
    return "\n".join(lines)


WeightsDir = Annotated[Path | None, _option("weights_dir")]


@weights_app.command("list")
@_command
def weights_list(weights_dir: WeightsDir = None) -> int:
    """List the weights that gfpvideo knows, and which of them are here."""
    from gfpvideo.generator.manifest import manifest, weights_folder

    folder = weights_folder(weights_dir)
    for known in manifest().values():
        state = "embedded" if known.embedded else "installed" if known.path(folder).is_file() else "-"
        size = f"{known.bytes / 1e6:.0f} MB" if known.bytes else "?"
        typer.echo(f"{known.name:<30}{known.use:<12}{size:>8}  {state:<10}{known.licence}")
    return 0


@weights_app.command("get")
@_command
def weights_get(
    name: Annotated[str, typer.Argument(help="A name that `gfpvideo weights list` shows.")],
    weights_dir: WeightsDir = None,
) -> int:
    """Download weights and check their SHA-256. The only command that uses the network."""
    from gfpvideo.generator.manifest import fetch

    typer.echo(fetch(name, weights_dir))
    return 0


@weights_app.command("verify")
@_command
def weights_verify(
    file: Annotated[Path | None, typer.Argument(help="A file to identify [default: all that is installed].")] = None,
    weights_dir: WeightsDir = None,
) -> int:
    """Check weights against their SHA-256; a wrong download is removed."""
    from gfpvideo.generator.manifest import check_hash, identify, manifest, weights_folder

    if file is not None:
        if not file.is_file():
            raise WeightsError(f"{file}: no such file")
        known = identify(file)
        if known is None:
            raise WeightsError(f"{file}: its SHA-256 is not that of any known weights")
        typer.echo(f"{file}: {known.name}")
        return 0
    folder = weights_folder(weights_dir)
    for known in manifest().values():
        path = known.path(folder)
        if path.is_file():
            check_hash(known, path)
            typer.echo(f"{known.name}: right")
    return 0


@weights_app.command("path")
@_command
def weights_path(weights_dir: WeightsDir = None) -> int:
    """Print the folder of downloaded weights."""
    from gfpvideo.generator.manifest import weights_folder

    typer.echo(weights_folder(weights_dir))
    return 0


train_app = typer.Typer(help="Train a model.", no_args_is_help=True)
app.add_typer(train_app, name="train")


@train_app.command("run")
@_command
def train_run(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example pipelines/train_compact.toml.")],
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder of checkpoints, logs and sample sheets.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's checkpoint.")] = False,
) -> int:
    """Train a network; Ctrl-C saves a checkpoint, which `restore --model` takes as well."""
    _need_training()
    from gfpvideo.train.monitor import train_with_monitor
    from gfpvideo.train.options import TrainOptions

    typer.echo(train_with_monitor(TrainOptions.read(options), folder, resume=resume))
    return 0


@train_app.command("preview")
@_command
def train_preview(
    options: Annotated[Path, typer.Argument(help="A TOML file, for example pipelines/train_compact.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The picture to write, a PNG.")],
    count: Annotated[int, typer.Option("--count", min=1, max=64, help="How many faces to show.")] = 8,
) -> int:
    """Write a picture of faces as the network will see them, above the same faces clean."""
    _need_training()
    from gfpvideo.train.monitor import write_preview
    from gfpvideo.train.options import TrainOptions

    write_preview(TrainOptions.read(options), output, count)
    return 0


def _need_training() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("accelerate", "tensorboard") if find_spec(name) is None]
    if missing:
        raise OptionError(f'training needs {", ".join(missing)}; get it with: pip install "gfpvideo[train]"')


def main() -> None:
    """Entry point of the ``gfpvideo`` command."""
    app()
