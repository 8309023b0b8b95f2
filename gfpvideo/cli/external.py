"""``--via-ffmpeg``: a lossless film stands between an ffmpeg program and gfpvideo."""

import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.errors import OptionError
from gfpvideo.frames import Report
from gfpvideo.options.restore import RestoreOptions

Run = Callable[[Path, Path | None, RestoreOptions], Report]

ViaFfmpeg = Annotated[
    list[str] | None,
    typer.Option("--via-ffmpeg", metavar="in|out", help="Read, or write, through an ffmpeg program; may be repeated."),
]
FfmpegArgs = Annotated[
    str | None,
    typer.Option("--ffmpeg-args", help="More arguments for that program, as: --ffmpeg-args='-c:v hevc_nvenc -cq 20'."),
]


def via_ffmpeg(
    source: Path, target: Path | None, options: RestoreOptions, ways: Sequence[str], arguments: str | None, run: Run
) -> Report:
    """Restore by ``run``, with ffmpeg before or behind it.

    Raises:
        OptionError: if an option does not fit.
        InputError: if ffmpeg cannot read the source.
        OutputError: if ffmpeg cannot write the target.
    """
    wrong = [way for way in ways if way not in {"in", "out"}]
    if wrong:
        raise OptionError(f"option via-ffmpeg = {wrong[0]!r}: must be in or out")
    if arguments is not None and len(ways) != 1:
        raise OptionError("option ffmpeg-args: give exactly one --via-ffmpeg with it")
    if target is None and ways:
        raise OptionError("option via-ffmpeg: name the target with -o")
    words = shlex.split(arguments or "")
    if "in" in ways:
        return _read(source, target, options, words, lambda film, to: _written(film, to, options, ways, [], run))
    return _written(source, target, options, ways, words, run)


def _read(
    source: Path,
    target: Path | None,
    options: RestoreOptions,
    arguments: Sequence[str],
    then: Callable[[Path, Path | None], Report],
) -> Report:
    from gfpvideo.media.atomic import check_target
    from gfpvideo.media.external import read_through

    assert target is not None
    check_target(target, overwrite=options.overwrite)
    with tempfile.TemporaryDirectory(prefix=".gfpvideo-", dir=target.parent) as scratch:
        film = Path(scratch) / f"{source.stem}.mkv"
        read_through(source, film, arguments)
        report = then(film, target)
    report.source = str(source)
    return report


def _written(
    source: Path,
    target: Path | None,
    options: RestoreOptions,
    ways: Sequence[str],
    arguments: Sequence[str],
    run: Run,
) -> Report:
    if "out" not in ways:
        return run(source, target, options)
    from gfpvideo.media.atomic import check_target
    from gfpvideo.media.external import write_through

    assert target is not None
    check_target(target, overwrite=options.overwrite)
    lossless = target.with_name(f"{target.stem}.lossless.mkv")
    values = {"codec": "ffv1", "crf": None, "preset": None, "encoder_options": {}}
    report = run(source, lossless, options.model_copy(update=values))
    try:
        write_through(lossless, target, arguments, overwrite=options.overwrite)
    finally:
        lossless.unlink(missing_ok=True)
    report.target = str(target)
    return report
