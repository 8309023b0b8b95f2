"""``gfpvideo weights``: the only command that uses the network, and only for ``get``."""

from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import WeightsDir, command, need_packages
from gfpvideo.cli.flags import flag, plain
from gfpvideo.errors import WeightsError
from gfpvideo.options.restore import RestoreOptions

weights_app = typer.Typer(help="Fetch and check model weights.", no_args_is_help=True)


@weights_app.command("list")
@command
def weights_list(weights_dir: WeightsDir = None) -> int:
    """List the weights that gfpvideo knows, and which of them are here."""
    from gfpvideo.networks.weights import manifest, weights_folder

    folder = weights_folder(weights_dir)
    for known in manifest().values():
        state = "embedded" if known.embedded else "installed" if known.path(folder).is_file() else "-"
        size = f"{known.bytes / 1e6:.0f} MB" if known.bytes else "?"
        typer.echo(f"{known.name:<30}{known.use:<12}{size:>8}  {state:<10}{known.licence}")
    return 0


@weights_app.command("get")
@command
def weights_get(
    name: Annotated[str, typer.Argument(help="A name that `gfpvideo weights list` shows.")],
    weights_dir: WeightsDir = None,
) -> int:
    """Download weights and check their SHA-256. The only command that uses the network."""
    from gfpvideo.networks.weights import fetch

    typer.echo(fetch(name, weights_dir))
    return 0


@weights_app.command("verify")
@command
def weights_verify(
    file: Annotated[
        Path | None, typer.Argument(help=plain("A file to identify [default: all that is installed]."))
    ] = None,
    weights_dir: WeightsDir = None,
) -> int:
    """Check weights against their SHA-256; a wrong download is removed."""
    from gfpvideo.networks.weights import check_hash, identify, manifest, weights_folder

    if file is not None:
        if not file.is_file():
            raise WeightsError(f"{file}: no such file")
        known = identify(file)
        if known is None:
            raise WeightsError(f"{file}: its SHA-256 is not that of any known weights")
        typer.echo(f"{file}: {known.name}")
        return 0
    folder = weights_folder(weights_dir)
    for known in manifest().values():
        path = known.path(folder)
        if path.is_file():
            check_hash(known, path)
            typer.echo(f"{known.name}: right")
    return 0


@weights_app.command("quantize")
@command
def weights_quantize(
    films: Annotated[list[Path], typer.Argument(help="Films with faces like those that will be restored.")],
    model: Annotated[str | None, flag("model")] = None,
    weights_dir: WeightsDir = None,
    faces: Annotated[int, typer.Option(min=20, help="Faces to find the ranges by, at most.")] = 120,
) -> int:
    """Make the network that `--precision int8` runs on this machine; it is kept in the cache folder."""
    need_packages("int8", "nncf")
    from gfpvideo.generator.quantize import quantize
    from gfpvideo.restoration.sample import crops_of

    values = {"model": model, "weights_dir": weights_dir}
    options = RestoreOptions.parse({name: value for name, value in values.items() if value is not None})
    model_file, crops = crops_of(films, options, faces)
    made = quantize(model_file, crops)
    typer.echo(f"{made.path}: by {made.crops} faces; {made.psnr:.1f} dB from float32, the worst {made.least:.1f}")
    return 0


@weights_app.command("path")
@command
def weights_path(weights_dir: WeightsDir = None) -> int:
    """Print the folder of downloaded weights."""
    from gfpvideo.networks.weights import weights_folder

    typer.echo(weights_folder(weights_dir))
    return 0
