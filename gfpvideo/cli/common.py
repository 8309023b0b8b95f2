"""What the commands share: errors become one line and an exit code, pipelines are read."""

import functools
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from gfpvideo.cli.flags import flag
from gfpvideo.errors import ClosedError, GfpvideoError, OptionError
from gfpvideo.media.atomic import write_error
from gfpvideo.options.restore import RestoreOptions

if TYPE_CHECKING:
    from gfpvideo.options.pipelines import Pipeline

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""

P = ParamSpec("P")


def command(function: Callable[P, int]) -> Callable[P, None]:
    """Turn our errors into one line and an exit code; the function returns the exit code of success."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = function(*args, **kwargs)
        except ClosedError as error:
            code = error.exit_code
        except GfpvideoError as error:
            typer.echo(f"gfpvideo: {error}", err=True)
            code = error.exit_code
        except KeyboardInterrupt:
            typer.echo("gfpvideo: interrupted, no target was written", err=True)
            code = INTERRUPTED
        raise typer.Exit(code)

    wrapped.__annotations__ = {**function.__annotations__, "return": None}
    return wrapped


@contextmanager
def stopping(stop: Event) -> Iterator[None]:
    """Within the block, a first Ctrl-C or SIGTERM sets ``stop``; a second one interrupts at once.

    Signals that the shell has told us to ignore (as it does for jobs in the background) stay ignored.
    """

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        typer.echo("\ngfpvideo: finishing this segment; press Ctrl-C again to stop at once", err=True)

    caught = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block, SIGTERM does what Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def start_log(level: str, file: Path | None) -> None:
    """Send what the package logs to standard error, or to a file.

    Raises:
        OptionError: if there is no such level.
        OutputError: if the file cannot be written.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise OptionError(f"option log-level = {level!r}: must be debug, info, warning or error")
    try:
        handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler()
    except OSError as error:
        raise write_error(file or Path(), error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("gfpvideo")
    logger.handlers = [handler]
    logger.setLevel(number)


def need_packages(extra: str, *modules: str) -> None:
    """Check that the packages of one of our extras are installed.

    Raises:
        OptionError: if one is not, naming it and the extra.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise OptionError(f'{", ".join(missing)} is not installed; get it with: pip install "gfpvideo[{extra}]"')


def with_pipeline(pipeline: str | None, given: dict[str, Any]) -> RestoreOptions:
    """The options that a pipeline presets, if one is named, with those of the command line over them.

    Raises:
        OptionError: if there is no such pipeline, or an option is wrong.
    """
    return RestoreOptions.parse({**(read_pipeline(pipeline).values if pipeline is not None else {}), **given})


def read_pipeline(name_or_path: str) -> "Pipeline":
    """A pipeline, its filters tried as well.

    Raises:
        OptionError: if there is no such pipeline, or it is wrong.
    """
    from gfpvideo.media.filters import check_filters
    from gfpvideo.options.pipelines import load_pipeline

    return load_pipeline(name_or_path, check_filters)


PipelineName = Annotated[
    str | None,
    typer.Option(
        "--pipeline", metavar="NAME", help="A name that `gfpvideo pipelines list` shows, or the path of a .toml file."
    ),
]
WeightsDir = Annotated[Path | None, flag("weights_dir")]
