"""``gfpvideo pipe``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import Pipeline, WeightsDir, command, restore_option, show_warnings, with_pipeline
from gfpvideo.cli.piped import PIPE
from gfpvideo.errors import OptionError
from gfpvideo.options.restore import RestoreOptions


@command
def pipe(
    source: Annotated[Path, typer.Argument(help="A film; - is YUV4MPEG2 from standard input.")] = PIPE,
    pipeline: Pipeline = None,
    model: Annotated[str | None, restore_option("model")] = None,
    weights_dir: WeightsDir = None,
    engine: Annotated[str | None, restore_option("engine")] = None,
    device: Annotated[str | None, restore_option("device")] = None,
    precision: Annotated[str | None, restore_option("precision")] = None,
    detector: Annotated[str | None, restore_option("detector")] = None,
    detect_size: Annotated[str | None, restore_option("detect_size")] = None,
    min_face: Annotated[str | None, restore_option("min_face")] = None,
    max_faces: Annotated[str | None, restore_option("max_faces")] = None,
    tracks: Annotated[Path | None, restore_option("tracks")] = None,
    deinterlace: Annotated[bool | None, restore_option("deinterlace", "--deinterlace/--no-deinterlace")] = None,
    telecine: Annotated[bool | None, restore_option("telecine", "--telecine")] = None,
    filters: Annotated[list[str] | None, restore_option("filters", "--filter")] = None,
    filters_after: Annotated[list[str] | None, restore_option("filters_after", "--filter-after")] = None,
    steady: Annotated[str | None, restore_option("steady")] = None,
    adapt: Annotated[bool | None, restore_option("adapt", "--adapt/--no-adapt")] = None,
    grain: Annotated[str | None, restore_option("grain")] = None,
    guard: Annotated[bool | None, restore_option("guard", "--guard/--no-guard")] = None,
    strength: Annotated[str | None, restore_option("strength")] = None,
    color: Annotated[str | None, restore_option("color")] = None,
) -> int:
    """Restore pictures that come through a pipe: YUV4MPEG2 in and out."""
    given = {name: value for name, value in locals().items() if name in RestoreOptions.model_fields}
    options = RestoreOptions.parse(with_pipeline(pipeline, given))
    if sys.stdout.isatty():
        raise OptionError("standard output is a terminal; pipe the pictures somewhere, as into: x265 --y4m -")
    if source == PIPE and sys.stdin.isatty():
        raise OptionError("standard input is a terminal; pipe YUV4MPEG2 in, or give a film")
    from gfpvideo.restoration.pipe import pipe as run

    report = run(None if source == PIPE else source, options)
    show_warnings(report.warnings)
    return report.exit_code
