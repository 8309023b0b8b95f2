"""``gfpvideo inspect``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from gfpvideo.cli.common import Overwrite, PipelineName, check_sheet, check_written, command, counting, with_pipeline
from gfpvideo.cli.flags import takes


@command
@takes("inspect")
def inspect(
    source: Annotated[Path, typer.Argument(help="A film.")],
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Write a picture of every face, before and after (png).")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Write the faces to this file, for `restore --tracks`.")
    ] = None,
    draw: Annotated[bool, typer.Option("--draw", help="Draw the points of each face into the sheet.")] = False,
    overwrite: Overwrite = False,
    pipeline: PipelineName = None,
    *,
    given: dict[str, Any],
) -> int:
    """List the faces of a film, and when and how large they are seen.

    With the same options, `restore` numbers them alike.
    """
    options = with_pipeline(pipeline, given)
    if sheet is not None:
        check_sheet(sheet, [source], overwrite=overwrite)
    if tracks is not None:
        check_written("tracks", tracks, [source], overwrite=overwrite)
    from gfpvideo.look.inspect import SHOWN, SIDE, inspect_sheet
    from gfpvideo.media.still import write_sheet
    from gfpvideo.restoration.run import Job

    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:
        job = Job(source, options=options)
        found = job.inspect(on_frame=counting(bar))
    if sheet is not None:
        moments = tqdm(job.moments_of(found, SHOWN, SIDE), unit="picture", file=sys.stderr, disable=None)
        write_sheet(sheet, inspect_sheet(found, moments, draw=draw))
    for track in found.tracks.tracks:
        where = f"{track.id:>4}  shot {track.shot:<4}{track.start} - {track.end}"
        typer.echo(f"{where}  {track.size:6.1f} px  trust {track.trust:.2f}")
    if tracks is not None:
        found.tracks.write(tracks)
    return 0
