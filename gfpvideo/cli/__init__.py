"""The command line. Each command fills the options model, calls the library and prints what came of it."""

import io
import os
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from gfpvideo import __version__
from gfpvideo.cli.album import album
from gfpvideo.cli.bench import bench
from gfpvideo.cli.common import INTERRUPTED, ignore_signals
from gfpvideo.cli.doctor import doctor
from gfpvideo.cli.evaluate import evaluate_app
from gfpvideo.cli.flags import Restoring
from gfpvideo.cli.inspect import inspect
from gfpvideo.cli.jobs import jobs_app
from gfpvideo.cli.pipe import pipe
from gfpvideo.cli.pipelines import pipelines_app
from gfpvideo.cli.restore import restore
from gfpvideo.cli.train import align, train_app
from gfpvideo.cli.watch import watch
from gfpvideo.cli.web import web
from gfpvideo.cli.weights import weights_app
from gfpvideo.stages.threads import threads_left

app = typer.Typer(
    help="Restore the faces in a film; leave everything else untouched.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(cls=Restoring)(restore)
app.command(cls=Restoring)(watch)
app.command(cls=Restoring)(album)
app.command()(inspect)
app.command()(pipe)
app.command()(doctor)
app.command()(bench)
app.command()(align)
app.command()(web)
app.add_typer(jobs_app, name="jobs")
app.add_typer(pipelines_app, name="pipelines")
app.add_typer(weights_app, name="weights")
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"gfpvideo {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of the ``gfpvideo`` command."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of old disks may hold bytes that are no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            ignore_signals()
        if threads_left():
            _end_at_once(end.code)
        raise


def _end_at_once(code: str | int | None) -> NoReturn:
    """Leave threads behind, in which libraries may be at work: Python cannot take itself down under them."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)
