"""The folder that the page works in: its films and photographs, by name. Nothing outside it is ever read or written."""

import os
import re
import time
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from filelock import FileLock, Timeout

from gfpvideo.errors import InputError, OutputError
from gfpvideo.media.atomic import write_error
from gfpvideo.media.still import PICTURE_SUFFIXES
from gfpvideo.media.target import FORMATS

HIDDEN = ".gfpvideo-page"
"""Folder within it that keeps the page's own files: the list of restorations, and films while they are uploaded."""
SUFFIXES = frozenset(
    (*FORMATS, *PICTURE_SUFFIXES, ".avi", ".mpg", ".mpeg", ".vob", ".wmv", ".3gp", ".dv", ".mts", ".ogv")
)
"""Suffixes of the files that the page offers; the command line takes any."""
_UPLOADS = "uploads-"
"""Beginning of the names of folders that take what is uploaded, until it is moved..."""
SCRATCH = "scratch-"
"""... and of those for files that nobody needs a moment later."""
_STALE = 3600
"""Seconds without a byte more after which an upload has broken off."""
_LONGEST = 120
"""Most letters of a name from a browser that are kept."""


class Folder:
    """Films and photographs of one folder."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which is made if need be.

        Raises:
            OutputError: if it cannot be made.
        """
        self.root = root.resolve()
        self.hidden = self.root / HIDDEN
        try:
            self.hidden.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.hidden, error) from error

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Own the folder, with a place for what is uploaded: to be entered before Gradio is imported, which asks then.

        Raises:
            OutputError: if another page has it open, or it cannot be written.
        """
        lock = FileLock(self.hidden / "lock", timeout=0)
        try:
            with lock:
                for left in (path for kind in (_UPLOADS, SCRATCH) for path in self.hidden.glob(f"{kind}*")):
                    rmtree(left)  # of a page that was killed
                uploads = mkdtemp(prefix=_UPLOADS, dir=self.hidden)
                os.environ["GRADIO_TEMP_DIR"] = uploads  # beside the films: what is uploaded is moved, not copied
                try:
                    yield
                finally:
                    del os.environ["GRADIO_TEMP_DIR"]
                    rmtree(uploads)
        except Timeout:
            raise OutputError(f"{self.root}: another gfpvideo web has this folder open; give another one") from None

    def names(self) -> list[str]:
        """Its films and photographs, the newest first; links that lead elsewhere are none of them."""
        dates = {path.name: date for path in self.root.iterdir() if (date := self._date(path)) is not None}
        return sorted(dates, key=lambda name: (-dates[name], name))

    def _date(self, path: Path) -> float | None:
        """When a film or photograph was changed last; ``None`` of all else, and of what is being written."""
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            return None
        with suppress(OSError):  # it was just renamed, or taken away
            if path.is_file() and path.resolve().is_relative_to(self.root):
                return path.stat().st_mtime
        return None

    def path(self, name: str) -> Path:
        """The file of that name.

        Raises:
            InputError: if the folder offers none; no name leads out of it.
        """
        if name not in self.names():
            raise InputError(f"{readable(name)}: there is no such film or photograph in the folder")
        return self.root / name

    def take_in(self, uploaded: Path, name: str) -> str:
        """Move a file that was uploaded into the folder, under a name of its own; returns that.

        Raises:
            InputError: if its name says that it is neither film nor photograph.
            OutputError: if it cannot be moved.
        """
        kept = readable(name)
        self._sweep()
        if Path(kept).suffix.lower() not in SUFFIXES:
            uploaded.unlink(missing_ok=True)
            raise InputError(f"{kept}: not a film or photograph that this page knows; it takes {_listed(SUFFIXES)}")
        target = self.free(self.root / kept)
        try:
            target.touch(exist_ok=False)
            uploaded.chmod(target.stat().st_mode)  # as any new file: Gradio lets nobody else read what it takes
            uploaded.replace(target)
        except OSError as error:
            raise write_error(target, error) from error
        return target.name

    def free(self, path: Path, taken: Collection[Path] = ()) -> Path:
        """``path``, or with a number after its name if that is there, or one of ``taken``."""
        number, wanted = 1, path
        while path.exists() or path in taken:
            number += 1
            path = wanted.with_name(f"{wanted.stem} {number}{wanted.suffix}")
        return path

    def _sweep(self) -> None:
        """Remove what came of uploads that broke off, which Gradio forgets."""
        for left in self.hidden.glob(f"{_UPLOADS}*/*"):
            with suppress(OSError):
                if left.is_file() and time.time() - left.stat().st_mtime > _STALE:
                    left.unlink()


def readable(name: str) -> str:
    """A name from a browser as the name of a file: no folders, nothing that is not shown, not hidden, not endless."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(letter if letter.isprintable() and letter not in '<>:"|?*' else "_" for letter in last)
    stem, dot, suffix = shown.strip(" .").rpartition(".")
    return f"{stem[:_LONGEST]}{dot}{suffix[:_LONGEST]}" or "unnamed"


def _listed(suffixes: Collection[str]) -> str:
    return ", ".join(sorted(suffix.removeprefix(".") for suffix in suffixes))
