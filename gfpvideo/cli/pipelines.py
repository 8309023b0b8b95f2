"""``gfpvideo pipelines``."""

from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import command

pipelines_app = typer.Typer(help="Presets for kinds of films.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name that `gfpvideo pipelines list` shows, or the path of a .toml file.")]


@pipelines_app.command("list")
@command
def pipelines_list() -> int:
    """List the presets that ship with gfpvideo."""
    from gfpvideo.options.pipelines import load_preset, preset_names

    for name in preset_names():
        typer.echo(f"{name:<20}{load_preset(name).description}")
    return 0


@pipelines_app.command("show")
@command
def pipelines_show(name: Name) -> int:
    """Print a preset; save it to a .toml file, change it, and give that to --pipeline."""
    from gfpvideo.options.pipelines import load_preset

    typer.echo(load_preset(name).text, nl=False)
    return 0


@pipelines_app.command("check")
@command
def pipelines_check(
    files: Annotated[list[Path], typer.Argument(help="Files of presets.")],
) -> int:
    """Check presets: every key, value and filter."""
    from gfpvideo.options.pipelines import load_preset

    for file in files:
        typer.echo(f"{load_preset(str(file)).path}: right")
    return 0
