"""``gfpvideo evaluate``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from tqdm import tqdm

from gfpvideo.cli.common import Overwrite, WeightsDir, check_written, command, counting, need_packages
from gfpvideo.cli.flags import flag, plain
from gfpvideo.errors import OptionError

if TYPE_CHECKING:
    from gfpvideo.evaluate.report import Evaluation

evaluate_app = typer.Typer(help="Measure how good a restoration is.", no_args_is_help=True)

_PAGE_EXAMPLES = 24
"""Pictures that the HTML page shows."""

Aged = Literal["compressed", "film", "tape"]

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with pictures side by side to this file.")]


@evaluate_app.command("compare")
@command
def evaluate_compare(
    restored: Annotated[Path, typer.Argument(help="A film, or a folder of pictures.")],
    clean: Annotated[Path, typer.Argument(help="What it should look like: a film, or a folder with the same names.")],
    faces: Annotated[bool, typer.Option("--faces", help="Compare the faces, aligned, not whole pictures.")] = False,
    weights_dir: WeightsDir = None,
    json: Json = None,
    html: Html = None,
    overwrite: Overwrite = False,
) -> int:
    """Measure restored pictures or films against clean ones."""
    _check([restored, clean], overwrite, json=json, html=html)
    need_packages("evaluate", "torchmetrics")
    from gfpvideo.evaluate import pairs
    from gfpvideo.evaluate.compare import compare
    from gfpvideo.faces.detectors.load import make_detector

    if faces:
        found = pairs.faces(restored, clean, make_detector("centerface", 0.5))
    else:
        found = pairs.whole_pictures(restored, clean)
    with tqdm(unit="picture", file=sys.stderr, disable=None) as bar:
        examples = _PAGE_EXAMPLES if html else 0
        evaluation = compare(found, faces=faces, weights_dir=weights_dir, examples=examples, on_picture=counting(bar))
    return _report(evaluation, json, html)


@evaluate_app.command("benchmark")
@command
def evaluate_benchmark(
    folder: Annotated[Path, typer.Argument(help="Aligned, clean faces.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help=plain("A model's name or file; repeat it to compare several [default: auto].")),
    ] = None,
    first: Annotated[int | None, typer.Option(help="First number of the file names to use.")] = None,
    last: Annotated[int | None, typer.Option(help="Last number of the file names to use.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Start of the random numbers.")] = 0,
    precision: Annotated[str, flag("precision")] = "auto",
    weights_dir: WeightsDir = None,
    json: Json = None,
    html: Html = None,
    overwrite: Overwrite = False,
) -> int:
    """Degrade clean faces as the paper does, restore them, and measure both."""
    _check([], overwrite, json=json, html=html)
    need_packages("evaluate", "torchmetrics")
    from gfpvideo.evaluate.compare import benchmark
    from gfpvideo.generator.generator import load_generator
    from gfpvideo.options.restore import RestoreOptions

    numbers = _numbers(first, last)
    models = model or ["auto"]
    options = [RestoreOptions.parse({"model": name, "precision": precision}) for name in models]
    generators = {
        column: load_generator(name, precision=chosen.precision, weights_dir=weights_dir)
        for column, name, chosen in zip(_columns(models), models, options, strict=True)
    }
    with tqdm(unit="face", file=sys.stderr, disable=None) as bar:
        evaluation = benchmark(
            folder,
            generators,
            numbers=numbers,
            seed=seed,
            weights_dir=weights_dir,
            examples=_PAGE_EXAMPLES if html else 0,
            on_picture=counting(bar),
        )
    return _report(evaluation, json, html)


def _columns(models: list[str]) -> list[str]:
    """What the columns of a table are called: files by their names, unless two have the same."""
    names = [Path(model).name for model in models]
    return [name if names.count(name) == 1 else model for name, model in zip(names, models, strict=True)]


@evaluate_app.command("stability")
@command
def evaluate_stability(
    restored: Annotated[Path, typer.Argument(help="The film to judge.")],
    source: Annotated[
        Path | None, typer.Option(help="The film before restoration: faces and motion are taken from it.")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="A clean version, for PSNR and SSIM inside the faces.")] = None,
    json: Json = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the course of each track (png, svg, pdf).")] = None,
    overwrite: Overwrite = False,
) -> int:
    """Measure how steady the faces of a film are, track by track."""
    _check([each for each in (restored, source, reference) if each is not None], overwrite, json=json, plot=plot)
    need_packages("evaluate", "torchmetrics", *(["matplotlib"] if plot else []))
    from gfpvideo.evaluate.report import write_text
    from gfpvideo.evaluate.stability import stability
    from gfpvideo.evaluate.stability_report import write_plot
    from gfpvideo.faces.detectors.load import make_detector

    result = stability(restored, make_detector("centerface", 0.25), source=source, reference=reference)
    typer.echo(result.table())
    if json is not None:
        write_text(json, result.as_json())
    if plot is not None:
        write_plot(result, plot)
    return 0


@evaluate_app.command("landmarks")
@command
def evaluate_landmarks(
    folder: Annotated[Path, typer.Argument(help="Pictures of one face each, or films of one face each.")],
    labels: Annotated[
        Path, typer.Option(help="Their points (.npz): `names`, `points` (N, 478, 3); of films an array for each.")
    ],
    first: Annotated[int | None, typer.Option(help="First number that names of files to use begin with.")] = None,
    last: Annotated[int | None, typer.Option(help="Last of these numbers.")] = None,
    film: Annotated[
        list[str] | None, typer.Option("--film", help="A film, without suffix; repeat it. Measures jitter.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help=plain("A file of the landmark network [the one that ships with gfpvideo]."))
    ] = None,
    damage: Annotated[Aged, typer.Option(help="How pictures are aged.")] = "compressed",
    seed: Annotated[int, typer.Option(min=0, help="Start of the random numbers.")] = 0,
    json: Json = None,
    overwrite: Overwrite = False,
) -> int:
    """Measure how well a face's points are found on aged pictures, or how much they jitter in aged films."""
    _check([labels, *([network] if network is not None else [])], overwrite, json=json)
    from gfpvideo.evaluate import landmarks
    from gfpvideo.evaluate.report import write_text

    numbers = _numbers(first, last)
    with tqdm(unit="film" if film else "face", file=sys.stderr, disable=None) as bar:
        if film:
            scores = landmarks.score_films(folder, labels, film, network, damage=damage, seed=seed, on_film=bar.update)
        else:
            scores = landmarks.score_stills(
                folder, labels, network, numbers=numbers, damage=damage, seed=seed, on_face=bar.update
            )
    typer.echo(scores.table())
    if json is not None:
        write_text(json, scores.as_json())
    return 0


def _numbers(first: int | None, last: int | None) -> range | None:
    """The numbers of the files to use, if not all."""
    if (first is None) != (last is None):
        raise OptionError("options first and last: give both, or neither")
    return None if first is None or last is None else range(first, last + 1)


def _check(read: list[Path], overwrite: bool, **written: Path | None) -> None:
    """Refuse before the measurement what cannot be written after it."""
    for option, path in written.items():
        if path is not None:
            check_written(option, path, read, overwrite=overwrite)


def _report(evaluation: "Evaluation", json: Path | None, html: Path | None) -> int:
    from gfpvideo.evaluate.report import write_text

    typer.echo(evaluation.table())
    if json is not None:
        write_text(json, evaluation.as_json())
    if html is not None:
        write_text(html, evaluation.as_html())
    return 0
