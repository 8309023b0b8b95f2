"""Looking before restoring: who is in a film, and a moment of it before and after; whoever looks takes turns."""

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import GfpvideoError, StoppedError
from gfpvideo.faces.tracks_file import Tracks
from gfpvideo.options.groups import taken
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import seconds
from gfpvideo.pixels.color import crop_to_bytes
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.moments import moments
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.run import Job
from gfpvideo.restoration.survey import SoFar, surveyed
from gfpvideo.restoration.way import reach
from gfpvideo.web.folder import SCRATCH, Folder

Pixels = NDArray[np.uint8]
Pair = tuple[Pixels, Pixels]
"""Before and after."""

_FACE = 160
"""Side of a face's picture in pixels."""
_SIDE = 512
"""Side of a moment's pictures."""
_LONGEST = 1024
"""Long side of a photograph's pictures."""


@dataclass(frozen=True)
class Person:
    """A face of a film, from when it is seen until when."""

    track: int
    shot: int
    start: str
    """``h:mm:ss.mmm``."""
    end: str
    picture: Pixels
    """(160, 160, 3) RGB."""

    @property
    def middle(self) -> float:
        """Seconds from the film's beginning to the middle of its time."""
        return float(seconds(self.start) + seconds(self.end)) / 2


def people(so_far: SoFar, options: RestoreOptions) -> list[Person]:
    """Everybody seen by now."""
    found = so_far.survey(options)
    return [
        Person(track.id, track.shot, track.start, track.end, _picture(found.crops[track.id]))
        for track in found.tracks.tracks
    ]


def _picture(crops: list[Any]) -> Pixels:
    """The face that can be placed best."""
    return crop_to_bytes(max(crops, key=lambda crop: crop.trust).source)


class Turns:
    """One works at a time, in the order in which they asked."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._changed = Condition()

    def __len__(self) -> int:
        """How many work or wait."""
        return len(self._waiting)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait until it is one's turn; it ends with the block."""
        mine = object()
        with self._changed:
            self._waiting.append(mine)
            self._changed.wait_for(lambda: self._waiting[0] is mine)
        try:
            yield
        finally:
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()


@dataclass(frozen=True)
class _Seen:
    """Who was seen in a film until now."""

    source: Path
    options: RestoreOptions
    so_far: SoFar


class Looking:
    """What looks for everybody with the page open, and the networks for it; every method may be called from any thread.

    A long film is followed for long: whoever wants to look at a moment, or at another film, waits for a frame at most.
    """

    def __init__(self, folder: Folder) -> None:
        """Look at films of a folder; nothing is loaded yet."""
        self._folder = folder
        self._turns = Turns()
        self._parts: Parts | None = None
        self._lock = Lock()
        self._latest: dict[str, object] = {}
        self._busy: dict[str, int] = {}
        self._seen: dict[str, _Seen] = {}

    def get_ready(self) -> None:
        """Load the networks that most people will want, before anybody waits for them."""
        with self._turns.one(), suppress(GfpvideoError):  # whoever looks is told
            self._parts = load_parts(RestoreOptions())

    def others(self, who: str) -> int:
        """How many others are looking at something just now."""
        with self._lock:
            return sum(1 for other, count in self._busy.items() if count and other != who)

    def is_known(self, source: Path, options: RestoreOptions, who: str) -> bool:
        """Whether a film was, or is being, followed for somebody just as these options want it."""
        with self._lock:
            seen = self._seen.get(who)
        return seen is not None and (seen.source, _finding(seen.options)) == (source, _finding(options))

    def leave(self, who: str) -> None:
        """Forget somebody who has closed the page; what is being followed for them ends."""
        with self._lock:
            for known in (self._latest, self._seen):
                known.pop(who, None)

    def follow(self, source: Path, options: RestoreOptions, who: str) -> Iterator[SoFar]:
        """Follow everybody in a film; see :func:`gfpvideo.restoration.survey.surveyed`.

        Args:
            source: the film.
            options: how it would be restored.
            who: who wants to know; whoever begins anew ends what was being followed for them before.

        Raises:
            StoppedError: if they want something else by now.
            InputError: if it is no film, or has no faces.
        """
        mine = object()
        with self._lock:
            self._latest[who] = mine
            self._seen.pop(who, None)
        with self._looking(who):
            yield from self._followed(source, options, who, mine)

    def _followed(self, source: Path, options: RestoreOptions, who: str, mine: object) -> Iterator[SoFar]:
        with self._turns.one():
            survey = surveyed(source, options, self._networks(source, options), _FACE, threads=False)
        with closing(survey):
            while True:
                with self._turns.one():
                    so_far = next(survey, None)
                with self._lock:
                    if self._latest.get(who) is not mine:
                        raise StoppedError(f"{source}: nobody wants to know any more")
                    if so_far is None:
                        return
                    self._seen[who] = _Seen(source, options, so_far)
                yield so_far

    def moment(self, source: Path, options: RestoreOptions, time: float, who: str, left: Collection[int] = ()) -> Pair:
        """The largest face about ``time`` seconds into a film, or the whole of a photograph, before and after.

        Args:
            source: the film or the photograph.
            options: how it would be restored.
            time: seconds from the film's beginning.
            who: who wants to see it.
            left: numbers of those who are to be left as they are, among whom were followed for ``who``.

        Raises:
            InputError: if nobody is to be restored there.
        """
        with self._looking(who), self._turns.one(), self._scratch() as folder:
            if Job(source).kind == "picture":
                return self._photograph(source, options, Path(folder) / source.name)
            around = _around(source, options, Fraction(time).limit_denominator(1000))
            if left and (known := self._known(source, options, who)) is not None:
                around = around.model_copy(update={"tracks": _without(known, left, Path(folder) / "tracks.json")})
            parts = self._networks(source, around)
            found = moments(source, around, parts, most=1, side=_SIDE)[0]
            return found.before, found.after

    def _scratch(self) -> "TemporaryDirectory[str]":
        return TemporaryDirectory(prefix=SCRATCH, dir=self._folder.hidden)

    def _photograph(self, source: Path, options: RestoreOptions, target: Path) -> Pair:
        job = Job(source, target, options, self._parts)
        seen = next(event for event in job.run() if isinstance(event, FrameDone))
        self._parts = job.parts
        return seen.before(_LONGEST), seen.after(_LONGEST)

    def _networks(self, source: Path, options: RestoreOptions) -> Parts:
        self._parts = Job(source, options=options, parts=self._parts).parts
        return self._parts

    def _known(self, source: Path, options: RestoreOptions, who: str) -> Tracks | None:
        """The tracks of a film as they were shown to somebody, the last of which may go on."""
        with self._lock:
            seen = self._seen.get(who)
        return None if seen is None or seen.source != source else seen.so_far.survey(options).tracks

    @contextmanager
    def _looking(self, who: str) -> Iterator[None]:
        with self._lock:
            self._busy[who] = self._busy.get(who, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[who] -= 1
                if not self._busy[who]:
                    del self._busy[who]


def _finding(options: RestoreOptions) -> dict[str, Any]:
    """The options that the numbers of people depend on."""
    return options.model_dump(include=set(taken(RestoreOptions, "inspect")))


def _without(tracks: Tracks, left: Collection[int], path: Path) -> Path:
    """A file of tracks in which some are not to be restored."""
    chosen = [track.model_copy(update={"restore": track.id not in left}) for track in tracks.tracks]
    tracks.model_copy(update={"tracks": chosen}).write(path)
    return path


def _around(source: Path, options: RestoreOptions, time: Fraction) -> RestoreOptions:
    """The same options for the part of a film that a restoration of that moment depends on, and a little more.

    Tracks are numbered over a whole film, so that none are chosen by number in a part.
    """
    with open_film(source, options.model_copy(update={"deinterlace": False})) as film:  # its frames are not read here
        rate = film.stream.average_rate or film.stream.base_rate or Fraction(25)
    span = reach(options)
    start = max(Fraction(0), time - (span.back + 2) / rate)
    values = {"only": (), "skip": (), "start": start, "end": time + (span.ahead + 2) / rate}
    return options.model_copy(update=values)
