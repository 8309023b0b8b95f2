"""``gfpvideo jobs``: interrupted restorations, listed and removed."""

from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import command, show_warnings
from gfpvideo.errors import InputError, OutputError, printable

jobs_app = typer.Typer(help="List and remove interrupted restorations.", no_args_is_help=True)


@jobs_app.command("list")
@command
def list_jobs(
    folder: Annotated[Path, typer.Argument(help="Folder to look in.")] = Path(),
) -> int:
    """List the interrupted restorations of a folder: target, frames that are done, size."""
    from gfpvideo.restoration.jobs.folder import SUFFIX, in_use, is_work_folder

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    for work in sorted(folder.glob(f"*{SUFFIX}")):
        if is_work_folder(work):
            state = "running" if in_use(work) else "interrupted"
            typer.echo(f"{printable(work.name.removesuffix(SUFFIX))}: {state}, {_done(work)}")
    return 0


def _done(work: Path) -> str:
    """What lies in a work folder, in words."""
    from gfpvideo.restoration.jobs.fingerprint import read_begun
    from gfpvideo.restoration.jobs.journal import Journal

    begun = read_begun(work)
    if begun is None:
        return "cannot be gone on with (damaged, or of another version of gfpvideo)"
    journal = Journal(work, begun.length)
    size = sum(record.bytes for _, record in journal.records())
    return f"{journal.frames} frames done, {size / 1e6:.1f} MB"


@jobs_app.command("clean")
@command
def clean_jobs(
    folders: Annotated[list[Path], typer.Argument(help="Work folders to remove (`TARGET.gfpvideo`).")],
) -> int:
    """Remove interrupted restorations for good."""
    from gfpvideo.restoration.jobs.folder import busy, clean, in_use, is_work_folder

    for work in folders:
        if not is_work_folder(work):
            raise InputError(f"{work}: not a work folder of gfpvideo")
        if in_use(work):
            raise OutputError(busy(work))
    for work in folders:
        clean(work)
    left = [work for work in folders if work.exists()]
    show_warnings(f"{work}: what is not gfpvideo's stays in it" for work in left)
    return 1 if left else 0
