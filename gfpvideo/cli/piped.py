"""Films that come in or go out by a pipe: a file beside the target stands for what cannot be read or written twice."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gfpvideo.errors import InputError, OptionError, OutputError

PIPE = Path("-")
"""How a command line names standard input or output."""


@contextmanager
def piped(source: Path, target: Path | None) -> Iterator[tuple[Path, Path | None]]:
    """Files that stand for standard input and output, where ``source`` or ``target`` name those.

    Raises:
        OptionError: if standard input comes without a target, or a pipe is a terminal.
        InputError: if nothing comes in.
        OutputError: if standard output is closed by its reader.
    """
    if PIPE not in (source, target):
        yield source, target
        return
    if target is None:
        raise OptionError("a film from standard input needs a target: give -o")
    folder = None if target == PIPE else target.parent
    with tempfile.TemporaryDirectory(prefix=".gfpvideo-", dir=folder) as scratch:
        film = _spooled(Path(scratch) / "source") if source == PIPE else source
        if target != PIPE:
            yield film, target
            return
        if sys.stdout.isatty():
            raise OptionError("standard output is a terminal; give -o FILE, or pipe the film somewhere")
        result = Path(scratch) / "restored.mkv"
        yield film, result
        _pour(result)


def _spooled(path: Path) -> Path:
    if sys.stdin.isatty():
        raise OptionError("standard input is a terminal; give a file, or pipe a film in")
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if not path.stat().st_size:
        raise InputError("standard input: no film came in")
    return path


def _pour(film: Path) -> None:
    try:
        with film.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise OutputError("standard output was closed before the film was written") from None
