"""Films that come in or go out by a pipe: a file beside the target stands for what cannot be read or written twice."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gfpvideo.errors import ClosedError, InputError, OptionError, OutputError, StoppedError
from gfpvideo.media.atomic import check_target, write_error
from gfpvideo.options.restore import RestoreOptions

PIPE = Path("-")
"""How a command line names standard input or output."""
_CHUNK = 1 << 20
"""Bytes that are read at a time."""


@contextmanager
def piped(source: Path, target: Path | None, options: RestoreOptions) -> Iterator[tuple[Path, Path | None]]:
    """Files that stand for standard input and output, where ``source`` or ``target`` name those.

    Raises:
        OptionError: if standard input comes without a target, a pipe is a terminal, or standard output is to be gone
            on with.
        InputError: if nothing comes in.
        OutputError: if the target cannot be written, or what comes in not be kept.
        ClosedError: if standard output is closed by its reader.
    """
    if PIPE not in (source, target):
        yield source, target
    elif target is None:
        raise OptionError("a film from standard input needs a target: give -o")
    elif target == PIPE:
        _check_output(options)
        with _scratch(None) as scratch:
            result = scratch / "restored.mkv"
            with _no_work_kept():
                yield _spooled(scratch) if source == PIPE else source, result
            _pour(result)
    else:
        check_target(target, overwrite=options.overwrite)
        with _scratch(target.parent) as scratch:
            yield _spooled(scratch), target


def named(given: Path | None, path: str) -> str:
    """What a report calls a source or target: the file, or the pipe for which it stood."""
    return "-" if given == PIPE else path


def _check_output(options: RestoreOptions) -> None:
    if sys.stdout.isatty():
        raise OptionError("standard output is a terminal; give -o FILE, or pipe the film somewhere")
    if options.cluster is not None:
        raise OptionError("option cluster: machines share no folder with standard output; give -o FILE")
    if options.resume:
        raise OptionError("option resume: no work is kept of a film that goes to standard output; give -o FILE")


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    """A folder for the film, removed in the end; beside the target, or where temporary files belong."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=".gfpvideo-", dir=folder)
    except OSError as error:
        raise write_error(folder or Path(tempfile.gettempdir()), error) from error
    with scratch as path:
        yield Path(path)


@contextmanager
def _no_work_kept() -> Iterator[None]:
    try:
        yield
    except StoppedError:
        raise StoppedError("interrupted; nothing was written to standard output") from None
    except OutputError as error:
        if isinstance(error.__cause__, OutputError):  # without what it says of going on
            raise error.__cause__ from None
        raise


def _spooled(scratch: Path) -> Path:
    """Standard input as a file, dated by its content: the same film can be gone on with, whenever it comes."""
    if sys.stdin.isatty():
        raise OptionError("standard input is a terminal; give a file, or pipe a film in")
    path, digest = scratch / "source", hashlib.sha256()
    try:
        with path.open("wb") as file:
            for chunk in _incoming():
                digest.update(chunk)
                file.write(chunk)
        date = int.from_bytes(digest.digest()[:7])  # nanoseconds: two years, which every file system can tell
        os.utime(path, ns=(date, date))
    except InputError:
        raise
    except OSError as error:
        raise _not_kept(scratch, error) from error
    if not path.stat().st_size:
        raise InputError("standard input: no film came in")
    return path


def _incoming() -> Iterator[bytes]:
    try:
        while chunk := sys.stdin.buffer.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise InputError(f"standard input: cannot be read ({error.strerror})") from error


def _not_kept(scratch: Path, error: OSError) -> OutputError:
    """What comes in cannot be kept; the folder is the user's choice, by the target or by TMPDIR."""
    return OutputError(
        f"standard input: cannot be kept in {scratch.parent} until it is restored ({error.strerror}); free some space"
        " there, or give another target with -o"
    )


def _pour(film: Path) -> None:
    try:
        with film.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ClosedError("standard output was closed before the film was written") from None
    except OSError as error:
        raise write_error(Path("standard output"), error) from error
