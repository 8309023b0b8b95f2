"""``gfpvideo watch``."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gfpvideo.cli.common import (
    LogFile,
    LogLevel,
    PipelineName,
    command,
    show_warnings,
    start_log,
    stopping,
    with_pipeline,
)
from gfpvideo.cli.flags import takes
from gfpvideo.cli.restore import frames_bar
from gfpvideo.errors import printable

if TYPE_CHECKING:
    from gfpvideo.report import Report


@command
@takes("watch")
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder in which films and pictures arrive.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the restored ones.")],
    done: Annotated[
        Path | None, typer.Option("--done", help="Move sources into this folder when they are restored.")
    ] = None,
    settle: Annotated[
        float, typer.Option("--settle", min=0.1, help="Seconds without a change after which a file is whole.")
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="End when all that is there is restored.")] = False,
    pipeline: PipelineName = None,
    log_level: LogLevel = "warning",
    log_file: LogFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, and no line for each file.")] = False,
    *,
    given: dict[str, Any],
) -> int:
    """Restore the films and pictures that arrive in a folder, until Ctrl-C."""
    start_log(log_level, log_file)
    options = with_pipeline(pipeline, given)

    from gfpvideo.restoration.watch import Watch

    stop = Event()
    watching = Watch(folder, output, options, finished=done, settle=settle, once=once, stop=stop)
    found = watching.run()
    if not quiet:
        typer.echo(f"watching {folder}", err=True)
    with stopping(stop), ExitStack() as bars:
        show = _teller(bars, quiet)
        for news in found:
            show(news)
    return 1 if watching.warned else 0


def _teller(bars: ExitStack, quiet: bool) -> Callable[[object], None]:
    """What shows the news: a bar for the file at work, a line for each that is restored or left out."""
    from gfpvideo.restoration.watch import Began, LeftOut, Restored

    frame: Callable[[object], None] | None = None

    def show(news: object) -> None:
        nonlocal frame
        if isinstance(news, Began):
            bars.close()
            frame = bars.enter_context(frames_bar(news.source.name, quiet=quiet))
        elif isinstance(news, LeftOut | Restored):
            bars.close()
            _tell(news.text if isinstance(news, LeftOut) else news.report, quiet)
        elif frame is not None:
            frame(news)

    return show


def _tell(news: "str | Report", quiet: bool) -> None:
    if isinstance(news, str):
        show_warnings([news])
        return
    show_warnings(f"{news.source}: {warning}" for warning in news.warnings)
    if not quiet:
        typer.echo(f"{printable(news.target)}: {news.frames} frames, {news.faces} faces restored, {news.seconds:.1f} s")
