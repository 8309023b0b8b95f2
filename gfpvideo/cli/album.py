"""``gfpvideo album``."""

import json
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gfpvideo.cli.common import (
    LogFile,
    LogLevel,
    PipelineName,
    check_sheet,
    command,
    show_warnings,
    start_log,
    stopping,
    with_pipeline,
)
from gfpvideo.cli.flags import plain, takes
from gfpvideo.cli.restore import frames_bar
from gfpvideo.errors import InputError, OptionError

if TYPE_CHECKING:
    from gfpvideo.restoration.album import Album, Person


@command
@takes("watch")
def album(
    folder: Annotated[Path, typer.Argument(help="Folder of films and photographs.")],
    restore: Annotated[
        str | None, typer.Option("--restore", metavar="<int>,<int>", help="Restore these people alone; `all` for all.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the restored files.")] = None,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help=plain("Picture of everybody [default: FOLDER.people.png]."))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print who is where as JSON.")] = False,
    pipeline: PipelineName = None,
    log_level: LogLevel = "warning",
    log_file: LogFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    *,
    given: dict[str, Any],
) -> int:
    """Find out who appears in a box of films and photographs, and restore whom you choose in all of them."""
    start_log(log_level, log_file)
    if (restore is None) != (output is None):
        raise OptionError("option restore: say whom, and with --output where to: give both, or neither")
    if restore is not None and (sheet is not None or as_json):
        raise OptionError("option restore: shows nobody; ask for --sheet or --json without it, before")

    options = with_pipeline(pipeline, given)
    if options.person or options.changed("likeness"):
        raise OptionError("option person: an album finds out itself who is who; choose them with --restore")
    if sheet is not None:
        check_sheet(sheet, [], overwrite=options.overwrite)

    from gfpvideo.restoration.album import Album

    stop = Event()
    found = Album(folder, options, stop)
    with stopping(stop, "file"):
        _look(found, quiet)
        people = found.people()
        if restore is not None and output is not None:
            if not people:
                show_warnings(found.warnings)  # why there may be nobody
            return _restored(found, _chosen(people, restore), output, quiet)
    _show(found, people, sheet or folder.resolve().with_name(f"{folder.resolve().name}.people.png"), as_json)
    show_warnings(found.warnings)
    return 1 if found.warnings else 0


def _look(found: "Album", quiet: bool) -> None:
    from tqdm import tqdm

    from gfpvideo.restoration.album import Looked

    with tqdm(unit="file", disable=quiet, file=sys.stderr, dynamic_ncols=True, delay=0.1) as bar:
        for news in found.look():
            if isinstance(news, Looked):
                bar.total = news.expected
                bar.update(news.done - bar.n)
            else:
                bar.set_postfix(frames=news.done)


def _chosen(people: "list[Person]", numbers: str) -> "list[Person]":
    if not people:
        raise InputError("nobody was found whose face is large enough to be recognised: there is nobody to restore")
    if numbers == "all":
        return people
    wanted = {part.strip() for part in numbers.split(",") if part.strip()}
    if not wanted:
        raise OptionError("option restore: give the numbers of people, or all")
    chosen = [person for person in people if str(person.number) in wanted]
    if unknown := sorted(wanted - {str(person.number) for person in people}):
        raise OptionError(f"option restore: there is no person {unknown[0]}; there are {len(people)}, counted from 1")
    return chosen


def _show(found: "Album", people: "list[Person]", sheet: Path, as_json: bool) -> None:
    from gfpvideo.look.people import people_sheet, told
    from gfpvideo.media.still import write_sheet

    if people:
        write_sheet(sheet, people_sheet(people))
    if as_json:
        typer.echo(json.dumps([{"person": one.number, "tracks": _tracks(one)} for one in people], indent=1))
        return
    for person in people:
        typer.echo(told(person))
    if not people:
        typer.echo("nobody was found whose face is large enough to be recognised")
        return
    typer.echo(f"pictures of everybody: {sheet}")
    typer.echo(f"to restore some of them: gfpvideo album {found.folder} --restore 1,2 -o FOLDER")


def _tracks(person: "Person") -> dict[str, list[int]]:
    return {str(path): [each.track for each in seen] for path, seen in person.where.items()}


def _restored(found: "Album", chosen: "list[Person]", output: Path, quiet: bool) -> int:
    from gfpvideo.report import Report

    report = Report(str(found.folder), str(output))
    with frames_bar(found.folder.name, quiet=quiet) as show:
        for event in found.restore(chosen, output, report):
            show(event)
    show_warnings([*found.warnings, *report.warnings])
    if not quiet:
        typer.echo(f"{output}: {len(report.pieces)} restored")
    return 1 if found.warnings else report.exit_code
