"""``gfpvideo inspect``."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from gfpvideo.cli.common import WeightsDir, command, restore_option
from gfpvideo.options.restore import RestoreOptions


@command
def inspect(
    source: Annotated[Path, typer.Argument(help="A film.")],
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="Write a picture of every face, before and after (png).")
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Write the faces to this file, for `restore --tracks`.")
    ] = None,
    model: Annotated[str | None, restore_option("model")] = None,
    weights_dir: WeightsDir = None,
    detector: Annotated[str | None, restore_option("detector")] = None,
    detect_size: Annotated[str | None, restore_option("detect_size")] = None,
    detect_every: Annotated[str | None, restore_option("detect_every")] = None,
    min_score: Annotated[str | None, restore_option("min_score")] = None,
    min_face: Annotated[str | None, restore_option("min_face")] = None,
    deinterlace: Annotated[bool | None, restore_option("deinterlace", "--deinterlace/--no-deinterlace")] = None,
    telecine: Annotated[bool, restore_option("telecine", "--telecine")] = False,
) -> int:
    """List the faces of a film, and when and how large they are seen."""
    names = RestoreOptions.model_fields.keys() - {"tracks"}
    given = {name: value for name, value in locals().items() if name in names and value is not None}
    options = RestoreOptions.parse(given)
    from gfpvideo.look.inspect import inspect_sheet
    from gfpvideo.media.still import write_sheet
    from gfpvideo.restoration.run import Job

    with tqdm(unit="frame", file=sys.stderr, disable=None) as bar:

        def show(count: int) -> None:
            bar.update(count - bar.n)

        job = Job(source, options=options)
        found = job.inspect(job.parts.generator.size if sheet is not None else 256, show)
    if sheet is not None:
        write_sheet(sheet, inspect_sheet(found, job.parts.generator))
    for track in found.tracks.tracks:
        typer.echo(f"{track.id:>4}  shot {track.shot:<4}{track.start} - {track.end}  {track.size:6.1f} px")
    if tracks is not None:
        found.tracks.write(tracks)
    return 0
