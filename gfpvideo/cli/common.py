"""What the commands share: errors become one line and an exit code, options come from the options model."""

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Annotated, Any, ParamSpec

import typer

from gfpvideo.errors import GfpvideoError, OptionError
from gfpvideo.options import RestoreOptions

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""

P = ParamSpec("P")


def command(function: Callable[P, int]) -> Callable[P, None]:
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


def restore_option(name: str, *flags: str) -> Any:
    """A command-line option for the field ``name`` of the options model, with its help and default.

    Values stay text here: the model validates them, with the same message wherever they come from.
    """
    field = RestoreOptions.model_fields[name]
    default = "" if field.default is None or not isinstance(field.default, str | int | float) else f" [{field.default}]"
    metavar = None if flags else "VALUE"
    return typer.Option(
        *(flags or (f"--{name.replace('_', '-')}",)), metavar=metavar, help=f"{field.description}{default}"
    )


def need_packages(extra: str, *modules: str) -> None:
    """Check that the packages of one of our extras are installed.

    Raises:
        OptionError: if one is not, naming it and the extra.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise OptionError(f'{", ".join(missing)} is not installed; get it with: pip install "gfpvideo[{extra}]"')


WeightsDir = Annotated[Path | None, restore_option("weights_dir")]
