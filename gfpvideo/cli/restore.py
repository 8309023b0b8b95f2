"""``gfpvideo restore``."""

import json
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from gfpvideo.cli.common import (
    Pipeline,
    WeightsDir,
    command,
    restore_option,
    show_warnings,
    start_log,
    stopping,
    with_pipeline,
)
from gfpvideo.cli.external import FfmpegArgs, ViaFfmpeg, via_ffmpeg
from gfpvideo.cli.piped import PIPE, named, piped
from gfpvideo.errors import OptionError
from gfpvideo.frames import Report
from gfpvideo.media.atomic import write_error
from gfpvideo.options.restore import RestoreOptions


@command
def restore(
    source: Annotated[Path, typer.Argument(help="A film, a picture, or a folder of pictures; - is standard input.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Target [default: SOURCE with .restored before the suffix]; - is standard output (Matroska).",
        ),
    ] = None,
    pipeline: Pipeline = None,
    model: Annotated[str | None, restore_option("model")] = None,
    weights_dir: WeightsDir = None,
    engine: Annotated[str | None, restore_option("engine")] = None,
    device: Annotated[str | None, restore_option("device")] = None,
    devices: Annotated[str | None, restore_option("devices")] = None,
    precision: Annotated[str | None, restore_option("precision")] = None,
    compiler: Annotated[str | None, restore_option("compiler")] = None,
    hwaccel: Annotated[str | None, restore_option("hwaccel")] = None,
    batch: Annotated[str | None, restore_option("batch")] = None,
    reuse: Annotated[str | None, restore_option("reuse")] = None,
    detector: Annotated[str | None, restore_option("detector")] = None,
    detect_size: Annotated[str | None, restore_option("detect_size")] = None,
    detect_every: Annotated[str | None, restore_option("detect_every")] = None,
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
    deinterlace: Annotated[bool | None, restore_option("deinterlace", "--deinterlace/--no-deinterlace")] = None,
    telecine: Annotated[bool | None, restore_option("telecine", "--telecine")] = None,
    filters: Annotated[list[str] | None, restore_option("filters", "--filter")] = None,
    filters_after: Annotated[list[str] | None, restore_option("filters_after", "--filter-after")] = None,
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
    upscale: Annotated[str | None, restore_option("upscale")] = None,
    background_model: Annotated[Path | None, restore_option("background_model")] = None,
    compare: Annotated[str | None, restore_option("compare")] = None,
    container: Annotated[str | None, restore_option("container")] = None,
    codec: Annotated[str | None, restore_option("codec")] = None,
    crf: Annotated[str | None, restore_option("crf")] = None,
    preset: Annotated[str | None, restore_option("preset")] = None,
    encoder_option: Annotated[
        list[str] | None, typer.Option("--encoder-option", help="KEY=VALUE for the encoder; may be repeated.")
    ] = None,
    audio_codec: Annotated[str | None, restore_option("audio_codec")] = None,
    audio_kbits: Annotated[str | None, restore_option("audio_kbits")] = None,
    max_side: Annotated[str | None, restore_option("max_side")] = None,
    max_streams: Annotated[str | None, restore_option("max_streams")] = None,
    segment: Annotated[str | None, restore_option("segment")] = None,
    resume: Annotated[bool, restore_option("resume", "--resume")] = False,
    strict: Annotated[bool, restore_option("strict", "--strict")] = False,
    disk_check: Annotated[bool | None, restore_option("disk_check", "--disk-check/--no-disk-check")] = None,
    overwrite: Annotated[bool, restore_option("overwrite", "--overwrite")] = False,
    through: ViaFfmpeg = None,
    ffmpeg_args: FfmpegArgs = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write a sheet of a frame of each shot, before and after, and no film.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write what was done to this file, as JSON.")] = None,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "warning",
    log_file: Annotated[Path | None, typer.Option("--log-file", help="Log to this file instead.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> int:
    """Restore the faces in a film, a picture, or a folder of pictures."""
    start_log(log_level, log_file)
    given = {name: value for name, value in locals().items() if name in RestoreOptions.model_fields}
    given["encoder_options"] = _pairs(encoder_option) if encoder_option else None
    options = RestoreOptions.parse(with_pipeline(pipeline, given))
    if preview:
        return _preview(source, output or source.with_name(f"{source.stem}.preview.png"), options, quiet)
    with piped(source, output, options) as (film, target):
        done = via_ffmpeg(film, target, options, through or [], ffmpeg_args, partial(_restore_with_bar, quiet=quiet))
    show_warnings(done.warnings)
    done.source, done.target = named(source, done.source), named(output, done.target)
    if report is not None:
        write_report(done, report)
    if not quiet:
        typer.echo(summary(done), err=output == PIPE)
    return done.exit_code


def write_report(report: Report, path: Path) -> None:
    """Write what was done as JSON.

    Raises:
        OutputError: if it cannot be written.
    """
    content = {item.name: getattr(report, item.name) for item in fields(report) if not item.name.startswith("_")}
    try:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from error


def _preview(source: Path, sheet: Path, options: RestoreOptions, quiet: bool) -> int:
    from tqdm import tqdm

    from gfpvideo.look.preview import preview
    from gfpvideo.media.atomic import check_target

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

    from gfpvideo.restoration.run import Progress, restore

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
