"""Watch a folder: restore what arrives in it, for as long as nobody says stop."""

import logging
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import GfpvideoError, InputError, OptionError, OutputError, StoppedError
from gfpvideo.media.atomic import drop_scratch, make_folder, write_error
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.arrivals import Arrivals, Identity, Ledger
from gfpvideo.restoration.batch import lasting_target, restore_one
from gfpvideo.restoration.events import Event
from gfpvideo.restoration.jobs.folder import clean, is_work_folder, locked, work_folder
from gfpvideo.restoration.run import Job

_log = logging.getLogger(__name__)

FOLDER, LEDGER = ".gfpvideo-watch", "restored.json"
"""Folder in the target's where the ledger lies, and its name."""
SETTLE = 10.0
"""Seconds without a change after which a file is taken for whole: networks stall for seconds, hardly for ten."""
RETRY = 60.0
"""Seconds after which it is tried again to write what could not be written: disks are emptied, names freed."""
_LONGEST_PAUSE = 2.0
"""Seconds between two looks at the folder, at most."""


@dataclass(frozen=True)
class Began:
    """A file has arrived, and its restoration begins (or goes on)."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Restored:
    """Its target is there."""

    report: Report


@dataclass(frozen=True)
class LeftOut:
    """A file is left out, for now or until it changes; said once."""

    text: str


News = Event | Began | Restored | LeftOut


class Watch:
    """A folder whose films and pictures are restored into another as they arrive.

    Sources are read alone, unless a folder for finished ones is given. Whatever is interrupted is gone on with by the
    next watch of the same folders.
    """

    def __init__(
        self,
        folder: Path,
        target: Path,
        options: RestoreOptions | None = None,
        *,
        finished: Path | None = None,
        settle: float = SETTLE,
        once: bool = False,
        stop: Flag | None = None,
    ) -> None:
        """Say what is to be watched; nothing is read or written yet.

        Args:
            folder: where files arrive; folders in it are not looked into.
            target: folder for what is restored, each under its source's name.
            options: how.
            finished: folder (on the same file system) that sources are moved to when their targets are there.
            settle: seconds for which a file must not have changed to be whole.
            once: end when all that is there is dealt with, instead of waiting for more.
            stop: when set, a film is interrupted at the end of the segment that is being written; the work is kept.
        """
        self.folder, self.target, self.finished, self.once = folder, target, finished, once
        self.options = (options or RestoreOptions()).model_copy(update={"resume": True})
        self.warned = False
        """Whether there was something to warn of."""
        self._arrivals = Arrivals(folder, settle)
        self._stop = stop or Flag()
        self._job = Job(folder, target, self.options, stop=self._stop)
        self._dealt_with: dict[Path, Identity] = {}
        self._again: dict[Path, float] = {}
        self._said: dict[Path, str] = {}

    def run(self) -> Iterator[News]:
        """Watch, and tell what happens; ends by itself with ``once`` alone.

        Raises:
            StoppedError: if it was asked to stop.
            GfpvideoError: if the folders cannot be used (at once), or nothing could be restored with these options.
        """
        self._check()
        return self._news()

    def _news(self) -> Iterator[News]:
        taken = f"{self.target}: another gfpvideo watch writes into it; stop that first, or give another -o"
        with locked(self.target / FOLDER, taken):
            ledger = Ledger(self.target / FOLDER / LEDGER)
            while True:
                ready = yield from self._ready()
                for path, identity in ready:
                    if Identity.of(path) == identity:
                        yield from self._deal_with(path, identity, ledger)
                    self._check_stop()
                if not ready:
                    if self.once and self._arrivals.settled:
                        return
                    self._stop.wait(min(self._arrivals.settle / 4, _LONGEST_PAUSE))
                    self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise StoppedError(f"{self.folder}: stopped; the same command goes on")

    def _check(self) -> None:
        """Refuse folders that cannot be used, and make those that are to be written."""
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; gfpvideo watch wants the folder in which films arrive")
        for folder in filter(None, (self.target, self.finished)):
            make_folder(folder)
            if folder.samefile(self.folder):
                raise OptionError(f"{folder}: is the folder that is watched; give another")
        if self.finished is None:
            return
        if self.finished.samefile(self.target):
            raise OptionError(f"{self.finished}: is the folder of the targets; give another one for finished sources")
        if self.finished.stat().st_dev != self.folder.stat().st_dev:
            raise OptionError(
                f"{self.finished}: lies on another disk than {self.folder}, where a source could be lost on its way;"
                " give a folder on the same"
            )

    def _ready(self) -> Generator[News, None, list[tuple[Path, Identity]]]:
        """What is whole and not dealt with yet."""
        try:
            whole = self._arrivals.look()
        except OSError as error:
            if self.once:
                raise InputError(f"{self.folder}: cannot be read ({error.strerror or error})") from error
            yield from self._say(self.folder, f"{self.folder}: cannot be read ({error.strerror or error}); waiting")
            return []
        now = time.monotonic()
        return [
            (path, identity)
            for path, identity in whole
            if self._dealt_with.get(path) != identity and self._again.get(path, now) <= now
        ]

    def _deal_with(self, path: Path, identity: Identity, ledger: Ledger) -> Iterator[News]:
        """Restore a file that is whole, and move it where it is asked for."""
        target = lasting_target(path, self.target, self.options)
        try:
            state = ledger.state(target, path, identity, overwrite=self.options.overwrite)
            if state == "new":
                done = yield from self._restore(path, identity, target, ledger)
                if not done:
                    return
            if state == "there":
                _log.info("%s: %s is there already", path, target)
            else:
                ledger.finish(target)
                if is_work_folder(work := work_folder(target)):  # of a watch that was killed once it was there
                    clean(work)
                self._move(path)
        except OutputError as error:
            yield from self._later(path, str(error))
        except OSError as error:  # a name too long for its target, a share that is gone for now
            if isinstance(error, GfpvideoError):
                raise
            yield from self._later(path, f"{path}: {error.strerror or error}")
        else:
            self._dealt_with[path] = identity

    def _restore(self, path: Path, identity: Identity, target: Path, ledger: Ledger) -> Generator[News, None, bool]:
        """Restore one file; gives whether its target is there."""
        if ledger.begin(target, path, identity) and (work := work_folder(target)).exists():
            clean(work)
        drop_scratch(target)
        yield Began(path, target)
        report = Report(str(self.folder), str(self.target))
        try:
            error = yield from restore_one(path, self._job.piece(path, target), report, first=True)
        except StoppedError:
            raise StoppedError(f"{path}: interrupted; what is done of it is kept, the same command goes on") from None
        if isinstance(error, OutputError):
            yield from self._later(path, report.warnings[0])
        elif error is not None:
            self._dealt_with[path] = identity
            yield from self._say(path, report.warnings[0])
        elif Identity.of(path) not in (identity, None):
            target.unlink(missing_ok=True)
            yield from self._say(path, f"{path}: has changed while it was restored; it is restored again")
        else:
            self.warned |= bool(report.warnings)
            yield Restored(report.pieces[0])
            return True
        return False

    def _move(self, path: Path) -> None:
        """Move a source whose target is there, where it is asked for."""
        if self.finished is None or not path.exists():
            return
        goal = self.finished / path.name
        if goal.exists():
            raise OutputError(f"{path}: is restored, but not moved: {goal} exists already; move that away")
        try:
            path.rename(goal)
        except OSError as error:
            raise write_error(goal, error) from error

    def _later(self, path: Path, text: str) -> Iterator[News]:
        """Try a file again after a while."""
        self._again[path] = float("inf") if self.once else time.monotonic() + RETRY
        ending = "" if self.once else f" (tried again every {RETRY:.0f} s)"
        yield from self._say(path, f"{text}{ending}")

    def _say(self, path: Path, text: str) -> Iterator[News]:
        """Tell of trouble, but not the same over and over."""
        self.warned = True
        if self._said.get(path) != text:
            self._said[path] = text
            yield LeftOut(text)
