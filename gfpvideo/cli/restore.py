"""``gfpvideo restore``."""

import sys
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from gfpvideo.cli.common import WeightsDir, command, restore_option, stopping
from gfpvideo.errors import OptionError
from gfpvideo.frames import Report
from gfpvideo.options import RestoreOptions


@command
def restore(
    source: Annotated[Path, typer.Argument(help="A film, a picture, or a folder of pictures.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Target [default: SOURCE with .restored before the suffix].")
    ] = None,
    model: Annotated[str | None, restore_option("model")] = None,
    weights_dir: WeightsDir = None,
    engine: Annotated[str | None, restore_option("engine")] = None,
    device: Annotated[str | None, restore_option("device")] = None,
    precision: Annotated[str | None, restore_option("precision")] = None,
    batch: Annotated[str | None, restore_option("batch")] = None,
    detector: Annotated[str | None, restore_option("detector")] = None,
    detect_size: Annotated[str | None, restore_option("detect_size")] = None,
    min_score: Annotated[str | None, restore_option("min_score")] = None,
    min_face: Annotated[str | None, restore_option("min_face")] = None,
    tracks: Annotated[str | None, restore_option("tracks")] = None,
    only: Annotated[str | None, restore_option("only")] = None,
    skip: Annotated[str | None, restore_option("skip")] = None,
    max_faces: Annotated[str | None, restore_option("max_faces")] = None,
    reference: Annotated[str | None, restore_option("reference")] = None,
    likeness: Annotated[str | None, restore_option("likeness")] = None,
    start: Annotated[str | None, restore_option("start")] = None,
    end: Annotated[str | None, restore_option("end")] = None,
    lag: Annotated[str | None, restore_option("lag")] = None,
    max_gap: Annotated[str | None, restore_option("max_gap")] = None,
    smooth: Annotated[bool | None, restore_option("smooth", "--smooth/--no-smooth")] = None,
    steady: Annotated[str | None, restore_option("steady")] = None,
    adapt: Annotated[bool | None, restore_option("adapt", "--adapt/--no-adapt")] = None,
    grain: Annotated[str | None, restore_option("grain")] = None,
    mask: Annotated[str | None, restore_option("mask")] = None,
    guard: Annotated[bool | None, restore_option("guard", "--guard/--no-guard")] = None,
    strength: Annotated[str | None, restore_option("strength")] = None,
    color: Annotated[str | None, restore_option("color")] = None,
    compare: Annotated[str | None, restore_option("compare")] = None,
    codec: Annotated[str | None, restore_option("codec")] = None,
    crf: Annotated[str | None, restore_option("crf")] = None,
    preset: Annotated[str | None, restore_option("preset")] = None,
    encoder_option: Annotated[
        list[str] | None, typer.Option("--encoder-option", help="KEY=VALUE for the encoder; may be repeated.")
    ] = None,
    segment: Annotated[str | None, restore_option("segment")] = None,
    resume: Annotated[bool, restore_option("resume", "--resume")] = False,
    strict: Annotated[bool, restore_option("strict", "--strict")] = False,
    disk_check: Annotated[bool | None, restore_option("disk_check", "--disk-check/--no-disk-check")] = None,
    overwrite: Annotated[bool, restore_option("overwrite", "--overwrite")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write a sheet of a frame of each shot, before and after, and no film.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Restore the faces in a film, a picture, or a folder of pictures."""
    given = {name: value for name, value in locals().items() if name in RestoreOptions.model_fields}
    values = {name: value for name, value in given.items() if value is not None}
    values["encoder_options"] = _pairs(encoder_option or [])
    options = RestoreOptions.parse(values)
    if preview:
        return _preview(source, output or source.with_name(f"{source.stem}.preview.png"), options, quiet)
    report = _restore_with_bar(source, output, options, quiet)
    for warning in report.warnings:
        typer.echo(f"gfpvideo: warning: {warning}", err=True)
    if not quiet:
        typer.echo(summary(report))
    return report.exit_code


def _preview(source: Path, sheet: Path, options: RestoreOptions, quiet: bool) -> int:
    from tqdm import tqdm

    from gfpvideo.media.atomic import check_target
    from gfpvideo.preview import preview

    check_target(sheet, overwrite=options.overwrite)
    with tqdm(unit="frame", disable=quiet, file=sys.stderr, dynamic_ncols=True) as bar:

        def show(count: int) -> None:
            bar.update(count - bar.n)

        shots = preview(source, sheet, options, on_frame=show)
    if not quiet:
        typer.echo(f"{sheet}: {shots} shots")
    return 0


def _pairs(items: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in items:
        key, separator, value = item.partition("=")
        if not separator:
            raise OptionError(f"option encoder-option = {item!r}: must be KEY=VALUE")
        pairs[key] = value
    return pairs


def _restore_with_bar(source: Path, output: Path | None, options: RestoreOptions, quiet: bool) -> Report:
    from tqdm import tqdm

    from gfpvideo.pipeline import Progress, restore

    faces = 0
    stop = Event()
    with stopping(stop), tqdm(unit="frame", disable=quiet, file=sys.stderr, dynamic_ncols=True) as bar:

        def show(progress: Progress) -> None:
            nonlocal faces
            faces += len(progress.restored.touched)
            bar.total = max(progress.expected, progress.done) if progress.expected else None
            bar.set_postfix(faces=faces, refresh=False)
            bar.update(progress.done - bar.n)

        return restore(source, output, options, on_frame=show, stop=stop)


def summary(report: Report) -> str:
    """The few lines that are printed after a restoration."""
    lines = [
        f"{report.target}",
        f"  frames    {report.frames}",
        f"  tracks    {report.tracks}",
        f"  faces     {report.faces} restored, {report.spared} left as they were",
        f"  model     {report.model} on {report.engine}",
        f"  copied    {', '.join(report.copied) or 'nothing else to copy'}",
        f"  warnings  {len(report.warnings) or 'none'}",
        f"  seconds   {report.seconds:.1f}",
    ]
    return "\n".join(lines)
