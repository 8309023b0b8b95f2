"""What the commands share: errors become one line and an exit code, pipelines are read."""

import errno
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TextIO

import typer
from platformdirs import user_log_path

from gfpvideo.cli.flags import flag
from gfpvideo.errors import ClosedError, GfpvideoError, OptionError, OutputError, printable
from gfpvideo.media.atomic import write_error
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.version import __version__

if TYPE_CHECKING:
    from tqdm import tqdm

    from gfpvideo.options.pipelines import Pipeline

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""
CRASHED = 70
"""Exit code after an error that nobody expected: "internal software error" in sysexits.h."""
_CRASH_WORDS = 200
"""Characters of such an error that are shown."""
_DENIALS = {
    getattr(errno, name, None)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EIO", "ESTALE", "ELOOP", "ENAMETOOLONG")
} - {None}
"""What a system may say of any file, at any time."""
_ENDINGS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
"""Signals that do what Ctrl-C does; the second comes when a terminal is closed, and not on Windows."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

P = ParamSpec("P")


def command(function: Callable[P, int]) -> Callable[P, None]:
    """Turn whatever ends the function into a line and an exit code; it returns the exit code of success.

    SIGTERM, or a terminal that is closed, does what Ctrl-C does, so that everything is cleaned up.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        with terminable():
            code = _outcome(functools.partial(function, *args, **kwargs))
        raise typer.Exit(code)

    wrapped.__annotations__ = {**function.__annotations__, "return": None}
    return wrapped


def _outcome(run: Callable[[], int]) -> int:
    try:
        return run()
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except (ClosedError, BrokenPipeError):
        _forget_output()
        return ClosedError.exit_code
    except GfpvideoError as error:
        typer.echo(f"gfpvideo: {printable(str(error))}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        ignore_signals()
        typer.echo("gfpvideo: interrupted, no target was written", err=True)
        return INTERRUPTED
    except Exception as error:
        denied = _denied(error)
        typer.echo(f"gfpvideo: {denied or _crash(error)}", err=True)
        return GfpvideoError.exit_code if denied else CRASHED


def _denied(error: Exception) -> str:
    """What the user is told where the system denies us a file: that is nobody's bug, whoever asked for it."""
    if not isinstance(error, OSError) or error.errno not in _DENIALS or error.filename is None:
        return ""
    return f"{printable(os.fsdecode(error.filename))}: {error.strerror}"


def ignore_signals() -> None:
    """Let nothing interrupt what is left to do, which is to say so and to end; :func:`terminable` restores them."""
    for number in (signal.SIGINT, *_ENDINGS):
        signal.signal(number, signal.SIG_IGN)


def _forget_output() -> None:
    """Send what is still to be written to standard output nowhere: Python would complain at its end."""
    with suppress(OSError, ValueError):  # tests have an output of their own, without a descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _crash(error: Exception) -> str:
    """What the user is told of an error that nobody expected; the traceback goes to a file."""
    words = " ".join(f"{type(error).__name__}: {error}".split())[:_CRASH_WORDS]
    advice = "this is a bug of gfpvideo: please report it with what `gfpvideo doctor` prints"
    logger = logging.getLogger("gfpvideo")
    before = logger.handlers
    try:
        logger.handlers = [handler for handler in before if isinstance(handler, logging.FileHandler)] or [_crash_file()]
        logger.critical("gfpvideo %s crashed", __version__, exc_info=error)
        return f"{printable(words)}; {advice}, and with {' and '.join(_files(logger.handlers))}"
    except OSError:
        return f"{printable(words)}; {advice}, and with the file that --log-file FILE writes"
    finally:
        logger.handlers = before


def _crash_file() -> logging.FileHandler:
    folder = user_log_path("gfpvideo", appauthor=False, ensure_exists=True)
    handler = logging.FileHandler(folder / "crash.txt", mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


def _files(handlers: list[logging.Handler]) -> list[str]:
    return [handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)]


@contextmanager
def stopping(stop: Event, piece: str = "segment") -> Iterator[None]:
    """Within the block, a first Ctrl-C, SIGTERM or SIGHUP sets ``stop``; a second one interrupts at once.

    Signals that the shell has told us to ignore (as it does for jobs in the background) stay ignored.

    Args:
        stop: what to set.
        piece: what is finished then: "segment" or "picture".
    """

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        _say_at_once(f"\ngfpvideo: finishing this {piece}; press Ctrl-C again to stop at once")

    with _handled(handle, signal.SIGINT, *_ENDINGS):
        yield


def _say_at_once(text: str) -> None:
    """Write to standard error from a signal handler: the stream may be in the middle of a write, and takes no other."""
    try:
        os.write(sys.stderr.fileno(), f"{text}\n".encode())
    except (AttributeError, OSError, ValueError):  # tests have an output of their own, without a descriptor
        typer.echo(text, err=True)


@contextmanager
def terminable() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP do what Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt, *_ENDINGS), _restored(signal.SIGINT):
        yield


@contextmanager
def _handled(handler: Callable[..., None], *numbers: int) -> Iterator[None]:
    with _restored(*numbers):
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, handler)
        yield


@contextmanager
def _restored(*numbers: int) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # another language's
                signal.signal(number, handler)


class _Terminal(logging.StreamHandler[TextIO]):
    """The log on standard error: there, warnings look like all that commands say."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno < logging.WARNING:
            return super().format(record)
        text = record.getMessage()
        self.told.add(text)
        return f"gfpvideo: {record.levelname.lower()}: {text}"


def show_warnings(warnings: Iterable[str]) -> None:
    """Print warnings, but for those that the log has shown on the terminal already."""
    handlers = logging.getLogger("gfpvideo").handlers
    told = {text for handler in handlers if isinstance(handler, _Terminal) for text in handler.told}
    for warning in warnings:
        if warning not in told:
            typer.echo(f"gfpvideo: warning: {printable(warning)}", err=True)


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
        handler = logging.FileHandler(file, encoding="utf-8") if file else _Terminal()
    except OSError as error:
        raise write_error(file or Path(), error) from error
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger("gfpvideo")
    logger.handlers = [handler]
    logger.setLevel(number)


def check_written(option: str, path: Path, named: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse before any work what cannot be written beside the command's own result, and what should not be.

    Args:
        option: the option that names it.
        path: the file.
        named: what the command reads, and writes otherwise.
        overwrite: whether a file that is there may be replaced.

    Raises:
        OutputError: if it is no file in a folder that exists, or is there already.
        OptionError: if it is one of ``named``.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"option {option}: {path}: give the name of a file, in a folder that exists")
    if path.resolve() in (each.resolve() for each in named):
        raise OptionError(f"option {option}: {path} is the source or the target; give another file")
    if path.exists() and not overwrite:
        raise OutputError(f"option {option}: {path} exists already; give --overwrite to replace it, or another name")


def check_sheet(path: Path, named: Iterable[Path], *, overwrite: bool) -> None:
    """:func:`check_written` of a picture.

    Raises:
        OutputError: as there.
        OptionError: as there, or if its name is not that of a picture.
    """
    from gfpvideo.media.still import check_picture_target

    check_written("sheet", path, named, overwrite=overwrite)
    check_picture_target(path)


def counting(bar: "tqdm") -> Callable[[int], None]:
    """What moves a bar on to how much is done."""

    def show(count: int) -> None:
        bar.update(count - bar.n)

    return show


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
LogLevel = Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")]
LogFile = Annotated[Path | None, typer.Option("--log-file", help="Log to this file instead.")]
Overwrite = Annotated[bool, flag("overwrite")]
WeightsDir = Annotated[Path | None, flag("weights_dir")]
