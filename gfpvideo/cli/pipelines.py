"""``gfpvideo pipelines``."""

from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import command, read_pipeline

pipelines_app = typer.Typer(help="Options for kinds of films, in files.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name that `gfpvideo pipelines list` shows, or the path of a .toml file.")]


@pipelines_app.command("list")
@command
def pipelines_list() -> int:
    """List the pipelines that ship with gfpvideo."""
    from gfpvideo.options.pipelines import pipeline_names

    for name in pipeline_names():
        typer.echo(f"{name:<20}{read_pipeline(name).description}")
    return 0


@pipelines_app.command("show")
@command
def pipelines_show(name: Name) -> int:
    """Print a pipeline; save it to a .toml file, change it, and give that to --pipeline."""
    typer.echo(read_pipeline(name).text, nl=False)
    return 0


@pipelines_app.command("check")
@command
def pipelines_check(
    files: Annotated[list[Path], typer.Argument(help="Files of pipelines.")],
) -> int:
    """Check pipelines: every key, value and filter."""
    for file in files:
        typer.echo(f"{read_pipeline(str(file)).path}: right")
    return 0
