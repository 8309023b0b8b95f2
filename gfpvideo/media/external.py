"""Read and write films through an ffmpeg program: for formats and hardware encoders that PyAV's build lacks."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import ffmpeg

from gfpvideo.errors import GfpvideoError, InputError, OptionError, OutputError, printable
from gfpvideo.media.atomic import atomic_target
from gfpvideo.media.target import FORMATS

_LAST_WORDS = 300
"""Characters of ffmpeg's complaint that are shown."""


def ffmpeg_program() -> str:
    """The user's own ffmpeg, else the one that comes with imageio-ffmpeg.

    Raises:
        OptionError: if there is neither.
    """
    found = shutil.which("ffmpeg")
    if found is None and find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        found = imageio_ffmpeg.get_ffmpeg_exe()
    if found is None:
        raise OptionError('there is no ffmpeg program; install one, or: pip install "gfpvideo[ffmpeg]"')
    return found


def read_through(source: Path, lossless: Path, arguments: Sequence[str]) -> None:
    """Have ffmpeg decode a film's pictures and write them without loss, everything else copied.

    The same film gives the same bytes each time, with the same date: work on it can be gone on with.

    Args:
        source: any film that the program reads.
        lossless: the Matroska file to write.
        arguments: more of ffmpeg's own, for its input (``-f``, ``-hwaccel``).

    Raises:
        InputError: with ffmpeg's own words, if it fails.
    """
    options = {"map": "0", "c": "copy", "c:v": "ffv1", "fps_mode": "passthrough", "fflags": "+bitexact"}
    stream = ffmpeg.input(f"file:{source}").output(f"file:{lossless}", format="matroska", **options)
    command: list[str] = list(ffmpeg.compile(stream, cmd=ffmpeg_program()))
    place = command.index("-i")
    _run([*command[:place], *arguments, *command[place:]], InputError, source)
    facts = source.stat()
    os.utime(lossless, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def write_through(lossless: Path, target: Path, arguments: Sequence[str], *, overwrite: bool) -> None:
    """Have ffmpeg encode the pictures of a lossless film; everything else is copied.

    Args:
        lossless: the film.
        target: appears when it is complete; its suffix chooses the container.
        arguments: ffmpeg's own for its output (``-c:v hevc_nvenc -cq 20``).
        overwrite: whether the target may exist.

    Raises:
        OutputError: with ffmpeg's own words, if it fails; no target is left behind then.
    """
    with atomic_target(target, overwrite=overwrite) as scratch:
        _run(_encoding(lossless, scratch, arguments), OutputError, target)


def write_command(lossless: Path, target: Path, arguments: Sequence[str]) -> str:
    """What does the same as :func:`write_through`, for a user to type."""
    return shlex.join(_encoding(lossless, target, arguments))


def _encoding(lossless: Path, target: Path, arguments: Sequence[str]) -> list[str]:
    suffix = target.suffix.lower()
    options = {"map": "0", "c": "copy", "c:v": "libx264", "fps_mode": "passthrough"}
    if suffix in FORMATS:
        options["format"] = FORMATS[suffix]
    stream = ffmpeg.input(f"file:{lossless}").output(f"file:{target}", **options)
    command = ffmpeg.compile(stream, cmd=ffmpeg_program())
    return [*command[:-1], *arguments, command[-1]]


def _run(command: Sequence[str], failure: type[GfpvideoError], path: Path) -> None:
    quiet = [command[0], "-hide_banner", "-nostdin", "-v", "error", "-y", *command[1:]]
    done = subprocess.run(quiet, capture_output=True, check=False)  # noqa: S603  # no shell; the user's own arguments
    if done.returncode:
        words = printable(" ".join(done.stderr.decode("utf-8", "replace").split())[-_LAST_WORDS:])
        raise failure(f"{path}: ffmpeg failed: {words or f'exit code {done.returncode}'}")
