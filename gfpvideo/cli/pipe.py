"""``gfpvideo pipe``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gfpvideo.cli.common import PipelineName, command, show_warnings, with_pipeline
from gfpvideo.cli.flags import takes
from gfpvideo.cli.piped import PIPE
from gfpvideo.errors import OptionError
from gfpvideo.options.groups import flag_name, taken
from gfpvideo.options.restore import RestoreOptions


@command
@takes("pipe")
def pipe(
    source: Annotated[Path, typer.Argument(help="A film; - is YUV4MPEG2 from standard input.")] = PIPE,
    pipeline: PipelineName = None,
    *,
    given: dict[str, Any],
) -> int:
    """Restore pictures that come through a pipe: YUV4MPEG2 in and out."""
    options = with_pipeline(pipeline, given)
    if source == PIPE:
        _check_stream(options)
    if sys.stdout.isatty():
        raise OptionError("standard output is a terminal; pipe the pictures somewhere, as into: x265 --y4m -")
    if source == PIPE and sys.stdin.isatty():
        raise OptionError("standard input is a terminal; pipe YUV4MPEG2 in, or give a film")
    from gfpvideo.restoration.pipe import pipe as run

    report = run(None if source == PIPE else source, options)
    show_warnings(report.warnings)
    return report.exit_code


def _check_stream(options: RestoreOptions) -> None:
    """Refuse what needs a film that can be opened by its name."""
    for name in taken(RestoreOptions, "pipe").keys() - taken(RestoreOptions, "stdin").keys():
        if options.changed(name):
            raise OptionError(f"standard input: option {flag_name(name)} is for films in files")
