"""Share films out among workers: each restores one by itself, then the next."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import EngineError, GfpvideoError, StoppedError, WeightsError, WorkersError
from gfpvideo.report import Report
from gfpvideo.restoration.events import FramesDone
from gfpvideo.restoration.jobs.crew import Crew
from gfpvideo.restoration.jobs.foreman import PATIENCE, TRIES, crash, told_error
from gfpvideo.restoration.jobs.worker import Message

Film = tuple[Path, Path]
"""Source and target."""


@dataclass(frozen=True)
class Restored:
    """A film is done with."""

    film: Film
    outcome: Report | GfpvideoError
    """What was done, or why it could not be."""


@dataclass
class Archive:
    """Tells workers which film is next, and hears what became of it."""

    crew: Crew
    stop: Flag
    _doing: dict[int, Film | None] = field(default_factory=dict)
    """Workers and their films; ``None``: it is loading networks."""
    _idle: list[int] = field(default_factory=list)
    _waiting: deque[Film] = field(default_factory=deque)
    _lost: Counter[Film | None] = field(default_factory=Counter)
    """How often a worker ended while at a film."""
    _at: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Frames and faces of the film that each is at."""
    _done: tuple[int, int] = (0, 0)
    """Those of films that are done."""
    _told_to_stop: set[int] = field(default_factory=set)

    def restore(self, films: Sequence[Film]) -> Iterator[FramesDone | Restored]:
        """Have films restored, the largest first, so that workers finish at about the same time.

        A film whose worker is lost is gone on with by another.

        Raises:
            StoppedError: if it was asked to stop, once the segments at work are finished.
            GfpvideoError: if no worker can do its work; what is wrong with a film alone is its outcome.
        """
        self._waiting.extend(sorted(films, key=lambda film: film[0].stat().st_size, reverse=True))
        for _ in range(self.crew.size):
            self._start()
        while self._waiting or self._at_work():
            self._deal()
            news = self.crew.news(PATIENCE)
            if news is not None:
                yield from self._hear(*news)
            if self.stop.is_set() and self._at_rest():
                raise StoppedError("interrupted")

    def _start(self) -> None:
        self._doing[self.crew.start()] = None

    def _at_work(self) -> list[int]:
        return [worker for worker, film in self._doing.items() if film is not None]

    def _at_rest(self) -> bool:
        for worker in set(self._at_work()) - self._told_to_stop:
            self.crew.give(worker, {"stop": True})
            self._told_to_stop.add(worker)
        return not self._at_work()

    def _deal(self) -> None:
        while self._idle and self._waiting and not self.stop.is_set():
            worker, film = self._idle.pop(0), self._waiting.popleft()
            self._doing[worker] = film
            source, target = (str(path.absolute()) for path in film)
            self.crew.give(worker, {"whole": {"source": source, "target": target, "again": self._lost[film] > 0}})

    def _hear(self, worker: int, message: Message) -> Iterator[FramesDone | Restored]:
        if "ready" in message:
            self._lost.pop(None, None)
            self._rest(worker)
        elif "frames" in message:
            self._at[worker] = message["frames"], message["faces"]
            yield self._progress()
        elif "died" in message:
            yield from self._bury(worker, message["died"])
        elif "crashed" in message:
            raise crash(message["crashed"])
        else:
            yield from self._finished(worker, message)

    def _finished(self, worker: int, message: Message) -> Iterator[FramesDone | Restored]:
        film = self._doing[worker]
        error = told_error(message["failed"]) if "failed" in message else None
        if error is not None and (film is None or isinstance(error, EngineError | WeightsError)):
            raise error  # the others would meet the same
        self._rest(worker)
        if film is None or isinstance(error, StoppedError):
            return
        report = error or Report(**message["whole"])
        if isinstance(report, Report):
            self._done = self._done[0] + report.frames, self._done[1] + report.faces
            yield self._progress()
        yield Restored(film, report)

    def _rest(self, worker: int) -> None:
        self._doing.pop(worker, None)
        self._at.pop(worker, None)
        self._idle.append(worker)

    def _bury(self, worker: int, how: str) -> Iterator[Restored]:
        """Have another go on with the film, unless that happens again and again."""
        film = self._doing.pop(worker, None)
        self._at.pop(worker, None)
        self._idle = [idle for idle in self._idle if idle != worker]
        self._lost[film] += 1
        if self._lost[film] >= TRIES:
            text = f"{TRIES} workers ended while at {'loading' if film is None else film[0]}, the last {how}"
            if film is None:
                raise EngineError(text)
            yield Restored(film, WorkersError(text))
        elif film is not None:
            self._waiting.appendleft(film)
        if not self.stop.is_set():
            self._start()

    def _progress(self) -> FramesDone:
        frames, faces = (sum(counts) for counts in zip(self._done, *self._at.values(), strict=True))
        return FramesDone(frames, faces, None)
