"""``gfpvideo restore``."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from gfpvideo.cli.common import (
    LogFile,
    LogLevel,
    PipelineName,
    check_written,
    command,
    counting,
    show_warnings,
    start_log,
    stopping,
    with_pipeline,
)
from gfpvideo.cli.external import FfmpegArgs, ViaFfmpeg, check_heard, via_ffmpeg
from gfpvideo.cli.flags import plain, takes
from gfpvideo.cli.piped import PIPE, named, piped
from gfpvideo.errors import OptionError, printable
from gfpvideo.media.atomic import write_error
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report


@command
@takes("restore")
def restore(
    source: Annotated[
        list[Path], typer.Argument(help="A film, a picture, or a folder of both; several films; - is standard input.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=plain("Target [default: SOURCE with .restored before the suffix]; - is standard output (Matroska)."),
        ),
    ] = None,
    pipeline: PipelineName = None,
    through: ViaFfmpeg = None,
    ffmpeg_args: FfmpegArgs = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write a sheet of a frame of each shot, before and after, and no film.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write what was done to this file, as JSON.")] = None,
    log_level: LogLevel = "warning",
    log_file: LogFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    *,
    given: dict[str, Any],
) -> int:
    """Restore the faces in a film, a picture, or a folder of films and pictures."""
    start_log(log_level, log_file)
    if output is not None and "container" in given and len(source) == 1 and not source[0].is_dir():
        raise OptionError(f"option container: the name of the target, {output}, says which; give one of the two")
    options = with_pipeline(pipeline, given)
    check_heard(through or [], given)
    if report is not None:
        check_written("report", report, [*source, *([output] if output is not None else [])], overwrite=True)
    if len(source) > 1:
        if preview or through or ffmpeg_args or PIPE in (output, *source):
            raise OptionError("several films: no pipe, --preview or --via-ffmpeg; give those one film at a time")
        done = _restore_with_bar(source, output, options, quiet)
    elif preview:
        if source[0].is_dir():
            raise OptionError(f"{source[0]}: is a folder, and --preview shows one film; give one of those in it")
        if report is not None or through or ffmpeg_args:
            raise OptionError("--preview writes nothing but its picture: leave --report and --via-ffmpeg out")
        return _preview(source[0], output or source[0].with_name(f"{source[0].stem}.preview.png"), options, quiet)
    else:
        with piped(source[0], output, options) as (film, target):
            run = partial(_restore_with_bar, quiet=quiet)
            done = via_ffmpeg(film, target, options, through or [], ffmpeg_args, run)
        done.source, done.target = named(source[0], done.source), named(output, done.target)
    show_warnings(done.warnings)
    if report is not None:
        write_report(done, report)
    if not quiet:
        typer.echo(summary(done), err=output == PIPE)
    return done.exit_code


def write_report(report: Report, path: Path) -> None:
    """Write what was done as JSON.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        path.write_text(json.dumps(_content(report), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from error


def _content(report: Report) -> dict[str, Any]:
    shown = {item.name: getattr(report, item.name) for item in fields(report) if not item.name.startswith("_")}
    return shown | {"pieces": [_content(piece) for piece in report.pieces]}


def _preview(source: Path, sheet: Path, options: RestoreOptions, quiet: bool) -> int:
    from tqdm import tqdm

    from gfpvideo.look.preview import preview_sheet
    from gfpvideo.media.atomic import check_target
    from gfpvideo.media.still import check_picture_target, write_sheet
    from gfpvideo.restoration.run import Job

    check_target(sheet, overwrite=options.overwrite)
    check_picture_target(sheet)
    with tqdm(unit="frame", disable=quiet, file=sys.stderr, dynamic_ncols=True) as bar:
        moments = Job(source, options=options).preview(on_frame=counting(bar))
    write_sheet(sheet, preview_sheet(moments))
    if not quiet:
        typer.echo(f"{sheet}: {len(moments)} shots")
    return 0


def _restore_with_bar(source: Path | list[Path], output: Path | None, options: RestoreOptions, quiet: bool) -> Report:
    from gfpvideo.restoration.run import restore

    stop = Event()
    with stopping(stop, _piece(source)), frames_bar(quiet=quiet) as show:
        return restore(source, output, options, on_event=show, stop=stop)


@contextmanager
def frames_bar(name: str = "", *, quiet: bool) -> Iterator[Callable[[object], None]]:
    """A progress bar on standard error; what it gives takes the events of a restoration.

    Args:
        name: stands before the bar.
        quiet: whether there is none after all.
    """
    from tqdm import tqdm

    from gfpvideo.restoration.events import FrameDone, FramesDone

    faces = 0
    with tqdm(desc=name or None, unit="frame", disable=quiet, file=sys.stderr, dynamic_ncols=True, delay=0.1) as bar:

        def show(event: object) -> None:
            nonlocal faces
            if isinstance(event, FrameDone | FramesDone):
                faces = event.faces if isinstance(event, FramesDone) else faces + len(event.restored.patches)
                bar.total = max(event.expected, event.done) if event.expected else None
                bar.set_postfix(faces=faces, refresh=False)
                bar.update(event.done - bar.n)

        yield show


def _piece(source: Path | list[Path]) -> str:
    """What is finished when the user stops a restoration."""
    from gfpvideo.restoration.batch import found_in, is_picture

    files = source if isinstance(source, list) else found_in(source)[1] if source.is_dir() else [source]
    return "picture" if all(map(is_picture, files)) else "segment"


def summary(report: Report) -> str:
    """The few lines that are printed after a restoration."""
    lines = [
        printable(report.target),
        f"  frames    {report.frames}",
        f"  tracks    {report.tracks}",
        f"  faces     {report.faces} restored, {report.spared} left as they were{_hopeless(report)}",
        *([f"  why none  {report.why_none}"] if report.why_none else []),
        *_pictures(report),
        f"  model     {report.model} on {report.engine}",
        f"  copied    {', '.join(report.copied) or 'nothing else to copy'}",
        f"  warnings  {len(report.warnings) or 'none'}",
        f"  seconds   {report.seconds:.1f}",
    ]
    return "\n".join(lines)


def _pictures(report: Report) -> list[str]:
    return [f"  pictures  {report.pictures} changed outside the faces as well"] if report.pictures else []


def _hopeless(report: Report) -> str:
    return f" ({report.hopeless} too blurred or hidden to be placed)" if report.hopeless else ""
