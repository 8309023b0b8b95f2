"""``--via-ffmpeg``: a lossless film stands between an ffmpeg program and gfpvideo."""

import shlex
import tempfile
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from gfpvideo.errors import GfpvideoError, OptionError, OutputError, StoppedError
from gfpvideo.media.atomic import check_apart, check_target
from gfpvideo.options.groups import about, flag_name
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report

Run = Callable[[Path, Path | None, RestoreOptions], Report]
_LOSSLESS: dict[str, Any] = {"codec": "ffv1", "crf": None, "preset": None, "encoder_options": {}}
"""Options of the film that stands between: all those of its encoder."""
_SHAPING = (
    "hwaccel", "deinterlace", "telecine", "filters", "filters_after", "upscale", "compare", "audio_codec",
    "audio_kbits", "max_side", "max_streams",
)  # fmt: skip
"""Options on which the target's streams and the kind of its pictures depend."""
_QUICK: dict[str, Any] = {"model": "compact", "detect_size": 64, "min_face": 1e6, "disk_check": False}
"""Options of a restoration that restores nothing: it is only tried what ffmpeg says to such a film."""

ViaFfmpeg = Annotated[
    list[str] | None,
    typer.Option("--via-ffmpeg", metavar="in|out", help="Read, or write, through an ffmpeg program; may be repeated."),
]
FfmpegArgs = Annotated[
    str | None,
    typer.Option("--ffmpeg-args", help="More arguments for that program, as: --ffmpeg-args='-c:v hevc_nvenc -cq 20'."),
]


def check_heard(ways: Sequence[str], given: Collection[str]) -> None:
    """Refuse options of an encoder that is not ours; what a pipeline says of it is for when it is.

    Raises:
        OptionError: if one of those that are ``given`` would have no effect.
    """
    unheard = sorted(_LOSSLESS.keys() & set(given)) if "out" in ways else []
    if unheard:
        fields = RestoreOptions.model_fields
        names = ", ".join(f"--{about(fields[name]).each or flag_name(name)}" for name in unheard)
        raise OptionError(f"option via-ffmpeg: ffmpeg encodes, and hears nothing of {names}; give --ffmpeg-args")


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
    if target is not None:
        check_apart(source, target)
    try:
        words = shlex.split(arguments or "")
    except ValueError as error:
        raise OptionError(f"option ffmpeg-args = {arguments!r}: {error}") from None
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
    assert target is not None
    check_target(target, overwrite=options.overwrite)
    lossless = target.with_name(f"{target.stem}.lossless.mkv")
    if lossless.exists():
        raise OutputError(f"{lossless}: is there already; encode it if it is what you want, else rename or remove it")
    _try_out(source, target, options, arguments)
    report = run(source, lossless, options.model_copy(update={**_LOSSLESS, "overwrite": False}))
    _encode(lossless, target, arguments, options.overwrite)
    report.target = str(target)
    return report


def _try_out(source: Path, target: Path, options: RestoreOptions, arguments: Sequence[str]) -> None:
    """Have ffmpeg write the film's first second: what it refuses then, it would refuse after hours of work.

    Raises:
        OutputError: with ffmpeg's own words.
    """
    from gfpvideo.media.external import write_through
    from gfpvideo.restoration.run import restore

    with tempfile.TemporaryDirectory(prefix=".gfpvideo-", dir=target.parent) as scratch:
        sample, result = Path(scratch) / "sample.mkv", Path(scratch) / target.name
        try:
            restore(source, sample, _shaped_alike(options))
        except GfpvideoError:
            return  # the restoration meets the same, or there is no frame in that second: let it speak for itself
        try:
            write_through(sample, result, arguments, overwrite=False)
        except OutputError as error:
            words = str(error).removeprefix(f"{result}: ")
            raise OutputError(
                f"{target}: {words}; nothing was restored: give other --ffmpeg-args, or another target with -o"
            ) from None


def _shaped_alike(options: RestoreOptions) -> RestoreOptions:
    """Options for a second of film with the same streams and the same kind of pictures, as quick as can be."""
    shaping = {name: getattr(options, name) for name in _SHAPING}
    start = options.start or Fraction(0)
    end = start + 1 if options.end is None else min(options.end, start + 1)
    return RestoreOptions(**{**shaping, **_QUICK, **_LOSSLESS, "start": options.start, "end": end})


def _encode(lossless: Path, target: Path, arguments: Sequence[str], overwrite: bool) -> None:
    """Encode the finished film, which is removed only when that has worked.

    Raises:
        OutputError: with ffmpeg's own words, and what to do with the film.
        StoppedError: if the user interrupts.
    """
    from gfpvideo.media.external import write_command, write_through
    from gfpvideo.restoration.jobs.folder import owned

    kept = f"the restored film is kept, without loss, as {lossless}; encode it with other arguments, as: "
    kept += write_command(lossless, target, arguments)
    try:
        with owned(target):
            write_through(lossless, target, arguments, overwrite=overwrite)
    except OutputError as error:
        raise OutputError(f"{error}; {kept}") from None
    except KeyboardInterrupt:
        raise StoppedError(f"interrupted; {kept}") from None
    lossless.unlink()
