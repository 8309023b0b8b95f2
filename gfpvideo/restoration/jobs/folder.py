"""The work folder of a restoration: beside the target, owned by one process at a time, gone when the film is there.

Files in it appear whole or not at all, and stay after a power failure: they are written under another name, synced and
renamed.
"""

import logging
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from gfpvideo.errors import OutputError
from gfpvideo.media.atomic import drop_scratch, sync, write_error

_log = logging.getLogger(__name__)

SUFFIX = ".gfpvideo"
"""What a target's work folder has in addition to the target's name."""
JOB, LOCK = "job.json", "lock"
"""What was begun, and the file whose lock says that somebody works on it."""
FOLLOWED = "followed.json"
"""What says that a film was followed to its end."""
OLD = "journal.jsonl"
"""What earlier versions kept all their records in."""
PARTIAL = ".partial"
"""Last suffix of a file that is being written."""
_OURS = re.compile(
    r"lock|(job\.json|followed(-\d{5,})?\.json|segment-\d{5,}\.(json|mkv))(\.[0-9a-f]+\.partial)?"
    r"|journal\.(jsonl|partial)|segment-\d{5,}\.partial"  # of earlier versions
)
_ATTEMPTS = 100
"""How often a folder is made that another process removes again before it can be locked."""


def work_folder(target: Path) -> Path:
    """The work folder of a target."""
    return target.with_name(target.name + SUFFIX)


def bytes_done(target: Path) -> int:
    """How much of a target lies in its work folder."""
    with suppress(OSError):  # whoever locks it says what is wrong with it
        return sum(item.stat().st_size for item in work_folder(target).iterdir() if item.is_file())
    return 0


@contextmanager
def locked(folder: Path, taken: str) -> Iterator[None]:
    """Own a work folder, which is made if need be; if nothing is left in it afterwards, it is removed.

    Raises:
        OutputError: with ``taken`` for its text, if another process owns it; or if it cannot be written.
    """
    lock = _acquired(folder, taken)
    try:
        yield
    finally:
        # Whoever has the file open already will find that it has no name any more, and try again. Windows does not
        # remove a file that is locked, nor one that somebody else has opened since.
        if os.name != "nt":
            _drop_empty(folder)
        lock.release()
        if os.name == "nt":
            _drop_empty(folder)
        with suppress(OSError):  # NFS keeps a file that is open, under another name
            folder.rmdir()


@contextmanager
def owned(target: Path) -> Iterator[None]:
    """Own a film's work folder, and so the film; what a run that was killed has left beside it is removed first.

    Raises:
        OutputError: if another process owns it, or the folder cannot be written.
    """
    taken = f"{target}: another gfpvideo is restoring into it; wait for it, or give another -o"
    with locked(work_folder(target), taken):
        try:
            drop_scratch(target)
        except OutputError as error:
            _log.warning("what an earlier run has left half written of %s is still there (%s)", target, error.__cause__)
        yield


def _acquired(folder: Path, taken: str) -> FileLock:
    for _ in range(_ATTEMPTS):
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            folder.mkdir(exist_ok=True)
            lock.acquire()
        except Timeout:
            break
        except OSError as error:
            # Who had the folder removed it just now: between two looks at it, or before its lock was opened.
            gone = isinstance(error, FileNotFoundError | FileExistsError) and folder.parent.is_dir()
            if gone and not folder.is_file():
                continue
            raise write_error(folder, error) from error
        return lock
    raise OutputError(taken) from None


def _drop_empty(folder: Path) -> None:
    with suppress(OSError):
        if [item.name for item in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
        folder.rmdir()


def in_use(folder: Path) -> bool:
    """Whether a process works in a work folder now."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def is_work_folder(folder: Path) -> bool:
    """Whether a folder is one of ours, whatever file managers have put beside what is."""
    if not folder.name.endswith(SUFFIX) or not folder.is_dir():
        return False
    names = {item.name for item in folder.iterdir()}
    return names == {LOCK} or any(_OURS.fullmatch(name) for name in names - {LOCK})


def empty(folder: Path, *, but: Collection[str] = ()) -> None:
    """Remove from a work folder that the caller owns whatever is ours, its lock aside.

    Records go first, then what they vouch for: should it be cut short, what is left makes sense.

    Args:
        folder: the work folder.
        but: names of files that stay.

    Raises:
        OutputError: if something cannot be removed.
    """
    names = {item.name for item in folder.iterdir() if _OURS.fullmatch(item.name)} - {LOCK, *but}
    try:
        for name in sorted(names, key=lambda name: (name == JOB, not name.endswith(".json"), name)):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def busy(folder: Path) -> str:
    """What to tell who wants to remove a work folder that is in use."""
    return f"{folder}: a gfpvideo works in it now; stop that first"


def clean(folder: Path) -> None:
    """Remove a work folder.

    Raises:
        OutputError: if a process works in it, or it cannot be removed.
    """
    with locked(folder, busy(folder)):
        empty(folder)


def write_whole(path: Path, text: str, token: str) -> None:
    """Write a file that is whole and on the disk when it appears; ``token`` tells its writer from others.

    Raises:
        OSError: if it cannot be written; nothing is left behind then.
    """
    scratch = partial(path, token)
    try:
        scratch.write_text(text, encoding="utf-8")
        take_in(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def partial(path: Path, token: str) -> Path:
    """Where the writer that is known by ``token`` makes the file that is to become ``path``."""
    return path.with_name(f"{path.name}.{token}{PARTIAL}")


def take_in(scratch: Path, path: Path) -> None:
    """Give a finished file its name, once its content is on the disk; the name follows when the folder is synced."""
    sync(scratch)
    scratch.replace(path)
