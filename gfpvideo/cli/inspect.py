"""``gfpvideo inspect``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from gfpvideo.cli.common import PipelineName, command, with_pipeline
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
    pipeline: PipelineName = None,
    *,
    given: dict[str, Any],
) -> int:
    """List the faces of a film, and when and how large they are seen.

    With the same options, `restore` numbers them alike.
    """
    options = with_pipeline(pipeline, given)
    from gfpvideo.look.inspect import inspect as inspect_film

    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def show(count: int) -> None:
            bar.update(count - bar.n)

        found = inspect_film(source, options, sheet=sheet, on_frame=show)
    for track in found.tracks:
        typer.echo(f"{track.id:>4}  shot {track.shot:<4}{track.start} - {track.end}  {track.size:6.1f} px")
    if tracks is not None:
        found.write(tracks)
    return 0
