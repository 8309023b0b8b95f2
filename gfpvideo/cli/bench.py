"""``gfpvideo bench``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gfpvideo.cli.common import Overwrite, WeightsDir, check_written, command
from gfpvideo.cli.flags import flag
from gfpvideo.errors import InputError
from gfpvideo.media.atomic import write_error
from gfpvideo.options.restore import RestoreOptions

if TYPE_CHECKING:
    from gfpvideo.look.bench import Bench, FilmCost


@command
def bench(
    film: Annotated[Path | None, typer.Argument(help="A film to restore as well, best with one face.")] = None,
    model: Annotated[str | None, flag("model")] = None,
    weights_dir: WeightsDir = None,
    device: Annotated[str | None, flag("device")] = None,
    frames: Annotated[int, typer.Option(min=8, help="Frames of the film that are used, at most.")] = 100,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each measurement; the median counts.")] = 3,
    report: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, as JSON.")] = None,
    overwrite: Overwrite = False,
) -> int:
    """Measure what this machine can do: the generator on every engine, and a film from end to end."""
    if report is not None:
        check_written("json", report, [film] if film is not None else [], overwrite=overwrite)
    if film is not None and not film.is_file():
        raise InputError(f"{film}: no such file")
    from gfpvideo.look.bench import bench as measure

    values = {"model": model, "weights_dir": weights_dir, "device": device}
    options = RestoreOptions.parse({name: value for name, value in values.items() if value is not None})
    found = measure(film, options, frames, runs)
    typer.echo("\n".join(lines(found)))
    if report is not None:
        try:
            report.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise write_error(report, error) from error
    return 0


def lines(found: "Bench") -> list[str]:
    """The figures as they are printed."""
    peaks = ", ".join(f"{name} {rate:.0f}" for name, rate in found.peaks.items())
    shown = [
        f"{found.machine}, {found.cores} cores; matrix product, GFLOP/s: {peaks}",
        f"{found.model}: {found.gflop:.1f} GFLOP a face",
    ]
    for cost in found.generator:
        share = f"{cost.peak_share:5.0%} of the matrix product" if cost.peak_share else ""
        shown.append(f"  {cost.engine:<22} batch {cost.batch}  {cost.milliseconds:8.1f} ms a face  {share}".rstrip())
    shown += [f"  not here: {reason}" for reason in found.missing]
    return shown + (film_lines(found.film) if found.film is not None else [])


def film_lines(film: "FilmCost") -> list[str]:
    """The figures of a film as they are printed."""
    memory = f", {film.peak_mib:.0f} MiB at the peak" if film.peak_mib else ""
    shown = [
        f"film, {film.frames} frames, {film.faces} faces: {film.fps:.2f} fps, {film.wall_over_busiest:.2f} times the"
        f" busiest stage{memory}",
        f"  alone: decode {film.decode_fps:.0f} fps, encode {film.encode_fps:.0f} fps,"
        f" detect {film.detect_milliseconds:.1f} ms",
    ]
    ranked = sorted(film.stages.items(), key=lambda stage: -stage[1])
    return [*shown, *(f"  {name:<10} {share:6.0%} of the time" for name, share in ranked)]
