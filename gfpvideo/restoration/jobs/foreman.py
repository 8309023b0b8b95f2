"""Share a film out among workers: one follows its faces, all restore the segments that have been followed."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event as Flag

from gfpvideo import errors
from gfpvideo.errors import EngineError, GfpvideoError, OutputError, StoppedError, WorkersError
from gfpvideo.report import Report
from gfpvideo.restoration.events import Following, FramesDone, SegmentDone
from gfpvideo.restoration.jobs.crew import Crew
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.journal import Journal, count_done
from gfpvideo.restoration.jobs.record import read_record
from gfpvideo.restoration.jobs.worker import Message, wait_for

News = Following | FramesDone | SegmentDone
PATIENCE = 0.2
"""Seconds after which it is seen whether somebody has asked to stop."""
_FAREWELL = 1.0
"""Seconds that are waited for last words once all segments are there."""
_APPEARS = 30.0
"""Seconds within which a segment that another machine has written is seen here."""
TRIES = 3
"""Workers that a task may cost, before it is the task's fault."""
_FOLLOW, _LOAD = range(-1, 0), range(-2, -1)
"""The tasks of following and of becoming ready, among runs of segments."""
_RUN = 4
"""Most segments that are given at once: the first of a run restores frames twice that it is steadied with, no other."""


@dataclass
class Foreman:
    """Tells workers what to do, and hears what they did."""

    crew: Crew
    stop: Flag
    report: Report
    expected: int | None
    """About how many frames the film has."""
    _doing: dict[int, range] = field(default_factory=dict)
    """Workers and their tasks."""
    _idle: list[int] = field(default_factory=list)
    _tries: Counter[range] = field(default_factory=Counter)
    _at: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Frames and faces that are restored of the segment that each is at."""
    _fingerprint: Fingerprint | None = None
    _stages: dict[int, dict[str, float]] = field(default_factory=dict)
    _doubling: set[int] = field(default_factory=set)
    """Workers that are at what another is at as well."""
    _told_to_stop: set[int] = field(default_factory=set)
    _work: "_Work | None" = None

    def begin(self) -> Fingerprint:
        """Have the workers start; what the pictures of the first that is ready depend on.

        Raises:
            StoppedError: if it was asked to stop.
            GfpvideoError: if they cannot.
        """
        for _ in range(self.crew.size):
            self._start()
        while True:
            if self.stop.is_set():
                raise StoppedError("interrupted; nothing was written")
            for worker, message in self._heard():
                if "ready" in message:
                    return self._readied(worker, message["ready"])

    def restore(self, journal: Journal, ahead: int, only: tuple[int, ...]) -> Iterator[News]:
        """Have all segments made that a journal lacks.

        Args:
            journal: the journal, which the caller owns.
            ahead: frames after a segment that must be followed before it can be restored.
            only: tracks to restore, none for those that the options name.

        Raises:
            StoppedError: if it was asked to stop, once the segments at work are finished.
            GfpvideoError: if a worker cannot do what it should.
        """
        followed = Followed(journal.folder, journal.length)
        if followed.whole is not None and followed.whole.account.warnings:
            followed.forget_end()
        count_done(self.report, journal)
        film = {"film": {"folder": str(journal.folder.absolute()), "length": journal.length, "only": list(only)}}
        self._work = _Work(journal, followed, ahead, film)
        for worker in self._idle:
            self.crew.give(worker, film)
        while not self._work.finished:
            self._deal(self._work)
            for worker, message in self._heard():
                yield from self._hear(self._work, worker, message)
            if self.stop.is_set() and self._at_rest():
                raise StoppedError(f"interrupted; {journal.frames} frames are done: go on with --resume")
        yield from self._leave(self._work)
        for seconds in self._stages.values():
            self.report.add_seconds(seconds)

    def _leave(self, work: "_Work") -> Iterator[News]:
        """Hear what workers that are done have to say; end those that are still at what another was faster at."""
        deadline = time.monotonic() + _FAREWELL
        while self._restoring() and time.monotonic() < deadline:
            for worker, message in self._heard():
                yield from self._hear(work, worker, message)
        for worker in self._restoring():
            self.crew.kill(worker)

    def _restoring(self) -> list[int]:
        return [worker for worker, task in self._doing.items() if task != _LOAD]

    def _start(self) -> None:
        worker = self.crew.start()
        self._doing[worker] = _LOAD

    def _at_rest(self) -> bool:
        """Whether no segment is at work; whoever follows or loads is ended, which loses nothing that was kept."""
        for worker in [worker for worker, task in self._doing.items() if task in (_FOLLOW, _LOAD)]:
            self.crew.kill(worker)
            del self._doing[worker]
        for worker in self._doing.keys() - self._told_to_stop:
            self.crew.give(worker, {"stop": True})
            self._told_to_stop.add(worker)
        return not self._doing

    def _deal(self, work: "_Work") -> None:
        while self._idle and not self.stop.is_set():
            task = work.next(list(self._doing.values()), self.crew.size)
            doubling = task is None
            if task is None and self.crew.doubles:
                task = work.double(list(self._doing.values()))
            if task is None:
                return
            worker = self._idle.pop(0)
            self._doing[worker] = task
            if doubling:
                self._doubling.add(worker)
            self.crew.give(worker, work.told(task))

    def _heard(self) -> Iterator[tuple[int, Message]]:
        news = self.crew.news(PATIENCE)
        if news is None:
            return
        worker, message = news
        if "failed" in message:
            raise told_error(message["failed"])
        if "crashed" in message:
            raise crash(message["crashed"])
        if "died" in message:
            self._bury(worker, message["died"])
            return
        yield worker, message

    def _bury(self, worker: int, how: str) -> None:
        """Have another do what a worker died of, unless that happens again and again."""
        task = self._doing.pop(worker, None)
        self._at.pop(worker, None)
        self._doubling.discard(worker)
        self._idle = [idle for idle in self._idle if idle != worker]
        if task is not None:
            self._tries[task] += 1
            if self._tries[task] >= TRIES:
                what = {_LOAD: "loading", _FOLLOW: "following"}.get(task, f"segment {task.start}")
                kind = EngineError if task == _LOAD else WorkersError
                raise kind(
                    f"{TRIES} workers ended while at {what}, the last {how}: if memory is short, give fewer --workers"
                )
        if not self.stop.is_set():
            self._start()

    def _readied(self, worker: int, ready: Message) -> Fingerprint:
        fingerprint = Fingerprint.model_validate(ready["fingerprint"])
        if self._fingerprint is None:
            self._fingerprint = fingerprint
            self.report.use(ready["model"], ready["engine"])
        elif ready["engine"] != self.report.engine:
            raise EngineError(
                f"workers differ, so that faces would flicker between their segments: {self.report.engine} and"
                f" {ready['engine']}; give --precision fp32, or the same --device to all"
            )
        elif (difference := fingerprint.difference(self._fingerprint)) is not None:
            raise EngineError(f"workers differ, so that faces would flicker between their segments: {difference}")
        self._doing.pop(worker, None)
        self._tries.pop(_LOAD, None)
        self._idle.append(worker)
        return fingerprint

    def _hear(self, work: "_Work", worker: int, message: Message) -> Iterator[News]:
        if "ready" in message:
            self._readied(worker, message["ready"])
            self.crew.give(worker, work.film)
        elif "followed" in message:
            work.followed.refresh()
            yield Following(message["followed"], self.expected)
        elif "frames" in message and worker not in self._doubling:
            self._at[worker] = message["frames"], message["faces"]
            yield self._progress()
        elif "segment" in message:
            yield from self._written(work, worker, message["segment"])
        elif "done" in message:
            self._done(work, worker, message["done"])

    def _progress(self) -> FramesDone:
        frames, faces = (sum(counts) for counts in zip(*self._at.values(), strict=True)) if self._at else (0, 0)
        return FramesDone(self.report.frames + frames, self.report.faces + faces, self.expected)

    def _written(self, work: "_Work", worker: int, number: int) -> Iterator[News]:
        wait_for(lambda: read_record(work.journal.folder, number) is not None, _APPEARS)
        record = work.journal.take_note(number)  # of no other: whoever wrote that has not told of it yet
        self._at.pop(worker, None)
        if record is not None:
            self.report.add(len(record.pts), *record.counts)
            yield self._progress()
            yield SegmentDone(number, len(record.pts))

    def _done(self, work: "_Work", worker: int, done: Message) -> None:
        task = self._doing.pop(worker)
        self._doubling.discard(worker)
        self._idle.append(worker)
        self._stages[worker] = done["stages"]
        self.report.warnings += [warning for warning in done["warnings"] if warning not in self.report.warnings]
        work.followed.refresh()
        missing = [number for number in task if task != _FOLLOW and number not in work.journal]
        if missing and not self.stop.is_set():
            self._tries[task] += 1
            if self._tries[task] >= TRIES:
                raise OutputError(f"{work.journal.folder}: segment {missing[0]} was written, but is not found there")


@dataclass
class _Work:
    """What there is to do."""

    journal: Journal
    followed: Followed
    ahead: int
    film: Message
    """What every worker is told first."""

    @property
    def finished(self) -> bool:
        whole = self.followed.whole
        return whole is not None and not self.journal.missing(whole.frames)

    def next(self, taken: list[range], workers: int) -> range | None:
        """The next task that nobody is at, following first: all else hangs on it.

        Runs become shorter towards the end, so that all workers finish at about the same time.
        """
        if self.followed.whole is None and _FOLLOW not in taken:
            return _FOLLOW
        free = [number for number in self._ready() if not any(number in task for task in taken)]
        most = max(1, min(_RUN, len(free) // (2 * workers)))
        run = [number for place, number in enumerate(free[:most]) if number == free[0] + place]
        return range(run[0], run[-1] + 1) if run else None

    def double(self, taken: list[range]) -> range | None:
        """A segment that only one is at, once all are: the last of the longest run, for its worker comes there last."""
        if self.followed.whole is None:
            return None
        runs = [task for task in taken if task not in (_FOLLOW, _LOAD)]
        at = Counter(number for run in runs for number in run if number not in self.journal)
        for run in sorted(runs, key=len, reverse=True):
            alone = [number for number in run if at[number] == 1]
            if alone:
                return range(alone[-1], alone[-1] + 1)
        return None

    def told(self, task: range) -> Message:
        """A task as workers are told of it."""
        if task == _FOLLOW:
            return {"follow": True}
        return {"segments": [task.start, task.stop], "seen": self.followed.end}

    def _ready(self) -> list[int]:
        """Segments that are missing and can be made."""
        whole, begin = self.followed.whole, self.followed.begin
        if whole is not None:
            return self.journal.missing(whole.frames)
        if begin is None:
            return []
        count = max(0, self.followed.end - self.ahead - begin) // self.journal.length
        return [number for number in range(count) if number not in self.journal]


def crash(told: str) -> RuntimeError:
    """The bug that a worker has met: its last line is what users see, the whole of it goes to the log."""
    error = RuntimeError(f"a worker crashed: {told.splitlines()[-1]}")
    error.add_note(told)
    return error


def told_error(told: Message) -> GfpvideoError:
    """The error that a worker has told of."""
    kind = getattr(errors, str(told["kind"]), None)
    if isinstance(kind, type) and issubclass(kind, GfpvideoError):
        return kind(told["text"])
    return GfpvideoError(told["text"])
