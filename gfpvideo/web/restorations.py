"""The restorations of the page: one after the other, whatever becomes of the tabs, remembered over a restart."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gfpvideo.errors import GfpvideoError, InputError, OutputError, StoppedError, bug
from gfpvideo.media.atomic import drop_scratch, replace_whole
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.events import Done, Event, Following, FrameDone, Loading, Muxing, PictureDone, Warned
from gfpvideo.restoration.jobs.folder import clean, is_work_folder, work_folder
from gfpvideo.restoration.load import Parts
from gfpvideo.restoration.run import Job
from gfpvideo.web.folder import Folder

State = Literal["waiting", "running", "stopping", "stopped", "done", "failed"]
Stage = Literal["loading", "following", "restoring", "muxing"]

_LIST = "restorations.json"
_GLANCE = 1.0
"""Seconds from one look at the frame just made to the next: it costs time."""

_log = logging.getLogger(__name__)


class Restoration(BaseModel):
    """One film or photograph to restore, as it is remembered."""

    model_config = ConfigDict(extra="forbid")

    number: int
    source: str
    """Name in the folder."""
    target: str
    """Name in the folder."""
    values: dict[str, Any]
    """Options of the restoration, as they were given."""
    state: State = "waiting"
    message: str = ""
    """The library's one line, if it failed; its warnings, if it is done."""
    frames: int = 0
    """Frames that were restored."""
    faces: int = 0
    """Faces that were."""


_KEPT = TypeAdapter(list[Restoration])


@dataclass
class Glance:
    """How far the running restoration is."""

    number: int = 0
    """Which it is; 0 if none runs."""
    stage: Stage = "loading"
    done: int = 0
    expected: int | None = None
    began: float = field(default_factory=time.monotonic)
    first: int | None = None
    """Frames that were finished when it began, or went on."""
    before: NDArray[np.uint8] | None = None
    """(h, w, 3) RGB: the frame just made, as it was."""
    after: NDArray[np.uint8] | None = None
    """The same, restored."""
    _looked: float = 0.0

    def take(self, event: Event) -> None:
        """Note what an event tells."""
        match event:
            case Loading():
                self.stage = "loading"
            case Following(done, expected):
                self.stage, self.done, self.expected = "following", done, expected
            case FrameDone(_, done, expected):
                self._frame(event, done, expected)
            case PictureDone(_, _, done, expected):
                self.stage, self.done, self.expected = "restoring", done, expected
            case Muxing():
                self.stage = "muxing"

    def _frame(self, event: FrameDone, done: int, expected: int | None) -> None:
        self.stage, self.done, self.expected = "restoring", done, expected
        if self.first is None:
            self.first, self.began = done - 1, time.monotonic()
        if time.monotonic() - self._looked >= _GLANCE:
            self.before, self.after = event.before(640), event.after(640)
            self._looked = time.monotonic()

    @property
    def left(self) -> float | None:
        """Seconds that are left, as far as the time until now tells."""
        if self.first is None or not self.expected or self.done - self.first < 2:
            return None
        each = (time.monotonic() - self.began) / (self.done - self.first)
        return max(0.0, each * (self.expected - self.done))


class Restorations:
    """A queue of restorations, and the thread that works it off; every method may be called from any thread."""

    def __init__(self, folder: Folder) -> None:
        """Take up what the folder remembers; what was running or waiting then is stopped, and can be gone on with.

        Raises:
            InputError: if the list cannot be read.
        """
        self.folder = folder
        self.glance, self._glanced = Glance(), Glance()
        self._path = folder.hidden / _LIST
        self._all = self._remembered()
        self._last = max((each.number for each in self._all), default=0)
        """Number given last; none is given twice, for tabs may still show one that was taken off the list."""
        self._changed = Condition()
        self._closing = False
        self._job: Job | None = None
        self._parts: Parts | None = None
        self._thread = Thread(target=self._work, name="gfpvideo restorations", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what is running, at the end of its segment."""
        with self._changed:
            self._closing = True
            if self._job is not None:
                self._job.stop()
            self._changed.notify_all()
        self._thread.join()

    def all(self) -> list[Restoration]:
        """Copies of all of them, in the order in which they were added."""
        with self._changed:
            return [each.model_copy() for each in self._all]

    def get(self, number: int) -> Restoration:
        """A copy of one.

        Raises:
            InputError: if there is none of that number.
        """
        with self._changed:
            return self._get(number).model_copy()

    def ahead(self, number: int) -> int:
        """How many restorations come before one that waits."""
        busy = [each for each in self.all() if each.state in ("waiting", "running", "stopping")]
        return next((place for place, each in enumerate(busy) if each.number == number), 0)

    def add(self, name: str, values: dict[str, Any]) -> Restoration:
        """Queue the restoration of a film or photograph of the folder.

        Raises:
            GfpvideoError: if the options are wrong, the file is none that can be restored, or the list cannot be kept.
        """
        source = self.folder.path(name)
        options = RestoreOptions.parse(values)
        with self._changed:
            taken = [self.folder.root / each.target for each in self._all]
            target = self.folder.free(Job(source, options=options).target, taken)
            Job(source, target, options).plan()
            self._last += 1
            added = Restoration(number=self._last, source=name, target=target.name, values=values)
            self._all.append(added)
            try:
                self._keep()
            except OutputError:
                self._all.remove(added)
                raise
            self._set(added, "waiting")
            return added.model_copy()

    def stop(self, number: int) -> None:
        """Stop one: at once if it waits, after its segment if it runs."""
        with self._changed:
            found = self._get(number)
            if found.state == "waiting":
                self._set(found, "stopped")
            elif found.state == "running":
                self._set(found, "stopping")
                if self._job is not None:
                    self._job.stop()

    def go_on(self, number: int) -> None:
        """Queue one again that was stopped or failed; what is done of it stays done."""
        with self._changed:
            found = self._get(number)
            if found.state in ("stopped", "failed"):
                self._set(found, "waiting")

    def forget(self, number: int) -> None:
        """Take one off the list, with what an interruption left of it; a finished film stays.

        Raises:
            OutputError: if it is being worked on.
        """
        with self._changed:
            found = self._get(number)
            if found.state in ("running", "stopping"):
                raise OutputError(f"{found.source}: is being restored; stop it first")
            target = self.folder.root / found.target
            if is_work_folder(work_folder(target)):
                clean(work_folder(target))
            drop_scratch(target)
            self._all.remove(found)
            self._keep()

    def picture(self, number: int, which: Literal["before", "after"]) -> NDArray[np.uint8] | None:
        """The frame just made, (h, w, 3) RGB; of the restoration that ended last too: pages learn of that later."""
        glances = (self.glance, self._glanced)
        return next((getattr(glance, which) for glance in glances if glance.number == number), None)

    # The thread

    def _work(self) -> None:
        while (found := self._next()) is not None:
            try:
                self._restore(found)
            except StoppedError:
                self._end(found, "stopped")
            except GfpvideoError as error:
                self._end(found, "failed", str(error))
            except Exception as error:
                _log.exception("restoring %s failed", found.source)
                self._end(found, "failed", bug(error))

    def _next(self) -> Restoration | None:
        """The next that waits, running now; ``None`` when all is to end."""
        with self._changed:
            while not self._closing:
                found = next((each for each in self._all if each.state == "waiting"), None)
                if found is not None:
                    self.glance = Glance(found.number)
                    self._set(found, "running")
                    return found
                self._changed.wait()
        return None

    def _begun(self, found: Restoration) -> Job:
        """The job, known from now on to whoever wants to stop it."""
        source, target = self.folder.root / found.source, self.folder.root / found.target
        resumed = is_work_folder(work_folder(target)) and Job(source).kind == "film"
        options = RestoreOptions.parse({**found.values, **({"resume": True} if resumed else {})})
        job = Job(source, target, options, self._parts)
        with self._changed:
            self._job = job
            if self._closing or found.state == "stopping":
                job.stop()
        return job

    def _restore(self, found: Restoration) -> None:
        job = self._begun(found)
        warnings: list[str] = []
        for event in job.run():
            self.glance.take(event)
            if isinstance(event, Warned):
                warnings.append(event.text)
            elif isinstance(event, Done):
                found.frames, found.faces = event.report.frames, event.report.faces
                if event.report.why_none:
                    warnings.append(event.report.why_none)
        self._parts = job.parts
        self._end(found, "done", "\n".join(warnings))

    def _end(self, found: Restoration, state: State, message: str = "") -> None:
        with self._changed:
            self._job = None
            self.glance, self._glanced = Glance(), self.glance
            found.message = message
            self._set(found, state)

    # Remembering

    def _get(self, number: int) -> Restoration:
        found = next((each for each in self._all if each.number == number), None)
        if found is None:
            raise InputError(f"{number}: there is no such restoration any more")
        return found

    def _set(self, found: Restoration, state: State) -> None:
        found.state = state
        self._changed.notify_all()
        try:
            self._keep()
        except OutputError as error:  # a full disk, as a rule: what is restored must not wait for its list
            _log.warning("%s", error)

    def _keep(self) -> None:
        replace_whole(self._path, _KEPT.dump_json(self._all, indent=1))

    def _remembered(self) -> list[Restoration]:
        try:
            known = _KEPT.validate_json(self._path.read_bytes()) if self._path.exists() else []
        except (OSError, ValidationError):
            raise InputError(
                f"{self._path}: the list of restorations cannot be read; remove it to begin anew"
            ) from None
        for each in known:
            if each.state in ("waiting", "running", "stopping"):
                each.state = "stopped"
        return known


def file_of(restorations: Restorations, number: int, which: Literal["source", "target"]) -> Path:
    """The film that a restoration reads or has made.

    Raises:
        InputError: if there is no such restoration, or it is not done.
    """
    found = restorations.get(number)
    if found.state != "done":
        raise InputError(f"{found.source}: is not restored yet")
    return restorations.folder.path(getattr(found, which))
