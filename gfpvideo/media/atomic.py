"""Targets appear whole or not at all."""

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gfpvideo.errors import OptionError, OutputError

_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}
"""What file systems (of networks) answer that cannot sync a folder."""


@contextmanager
def atomic_target(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary path beside ``target``; renamed to it when the block ends well, removed otherwise.

    What was written is on the disk then, name and all: after a power failure the target is whole, or it is not there,
    so that whatever it was made of may be removed.

    Raises:
        OutputError: if the folder cannot be written, or the target exists (before or after) without ``overwrite``.
    """
    check_target(target, overwrite=overwrite)
    scratch = _scratch(target, secrets.token_hex(4))
    try:
        yield scratch
        check_target(target, overwrite=overwrite)
        sync(scratch)
        scratch.replace(target)
        sync(target.parent)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        scratch.unlink(missing_ok=True)


def drop_scratch(target: Path) -> None:
    """Remove what a killed process has left of ``target``; only for who knows that nobody else is writing it.

    Raises:
        OutputError: if it cannot be removed.
    """
    name = re.compile(re.escape(f".{target.stem}.") + r"[0-9a-f]{8}\.partial" + re.escape(target.suffix))
    try:
        for path in target.parent.iterdir():
            if name.fullmatch(path.name):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(target, error) from error


def sync(path: Path) -> None:
    """See to it that a file's content, or the names in a folder where a system has an order for that, are on the disk.

    Raises:
        OSError: if they cannot be written.
    """
    folder = path.is_dir()
    if folder and os.name == "nt":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except PermissionError:
        if folder:  # one that may be written but not listed
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not folder or error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that cannot be written, before any work is done.

    Raises:
        OutputError: if its folder is missing or read-only, or it exists and ``overwrite`` is false.
    """
    if not target.parent.is_dir():
        raise OutputError(f"{target.parent}: no such folder; create it first")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; give the name of a file with -o")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already; give --overwrite to replace it, or another name with -o")
    if not os.access(target.parent, os.W_OK):
        raise OutputError(f"{target.parent}: the folder cannot be written; give another target with -o")


def check_apart(source: Path, target: Path) -> None:
    """Refuse a target that is the source, whatever may be overwritten.

    Raises:
        OptionError: if it is.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise OptionError(f"{target}: target and source are the same file; give another name with -o")


def check_name(target: Path) -> None:
    """Refuse a target whose name leaves no room for that of the file that it is until it is whole.

    Raises:
        OutputError: if it does not.
    """
    excess = len(os.fsencode(_scratch(target, "0" * 8).name)) - _longest_name(target.parent)
    if excess > 0:
        raise OutputError(
            f"{target}: the name is too long by {excess} bytes (while it is written, more stands before and behind it);"
            " give another with -o"
        )


def _scratch(target: Path, token: str) -> Path:
    """Where a target is written, until it is whole."""
    return target.with_name(f".{target.stem}.{token}.partial{target.suffix}")


def _longest_name(folder: Path) -> int:
    """Bytes that a file's name may have."""
    told = 0
    with suppress(AttributeError, OSError, ValueError):  # not every system tells
        told = os.pathconf(folder, "PC_NAME_MAX")
    return told if told > 0 else 255


def make_folder(target: Path) -> None:
    """Make the folder ``target`` unless it is there.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        target.mkdir(exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{target}: is a file; give the name of a folder with -o") from None
    except FileNotFoundError:
        raise OutputError(f"{target.parent}: no such folder; create it first") from None
    except OSError as error:
        raise write_error(target, error) from error


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole, as it was or as it is to be, whatever happens.

    Raises:
        OutputError: if it cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(target: Path, error: OSError) -> OutputError:
    """Our error for a failed write to ``target``."""
    if isinstance(error, OutputError):
        return error
    if error.errno == errno.ENOSPC:
        return OutputError(f"{target}: the disk is full; free some space, or give another target with -o")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return OutputError(f"{target}: may not be written ({error.strerror}); give another target with -o")
    return OutputError(f"{target}: cannot be written ({error.strerror or error})")
