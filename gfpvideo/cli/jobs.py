"""``gfpvideo jobs``: interrupted restorations, listed and removed."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import command
from gfpvideo.errors import InputError, OutputError

jobs_app = typer.Typer(help="List and remove interrupted restorations.", no_args_is_help=True)


@jobs_app.command("list")
@command
def list_jobs(
    folder: Annotated[Path, typer.Argument(help="Folder to look in.")] = Path(),
) -> int:
    """List the interrupted restorations of a folder: target, frames that are done, size."""
    from gfpvideo.restoration.jobs.journal import SUFFIX, in_use, is_work_folder, read_records

    for work in sorted(folder.glob(f"*{SUFFIX}")):
        if not is_work_folder(work):
            continue
        records = read_records(work)
        frames, size = sum(len(record.pts) for record in records), sum(record.bytes for record in records)
        state = "running" if in_use(work) else "interrupted"
        typer.echo(f"{work.name.removesuffix(SUFFIX)}: {state}, {frames} frames done, {size / 1e6:.1f} MB")
    return 0


@jobs_app.command("clean")
@command
def clean_jobs(
    folders: Annotated[list[Path], typer.Argument(help="Work folders to remove (`TARGET.gfpvideo`).")],
) -> int:
    """Remove interrupted restorations for good."""
    from gfpvideo.restoration.jobs.journal import in_use, is_work_folder

    for work in folders:
        if not is_work_folder(work):
            raise InputError(f"{work}: not a work folder of gfpvideo")
        if in_use(work):
            raise OutputError(f"{work}: a gfpvideo works in it now; stop that first")
    for work in folders:
        shutil.rmtree(work)
    return 0
