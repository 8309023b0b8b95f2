"""Restore any segment of a film by itself, once its faces have been followed."""

import logging
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import CorruptMediaError, StoppedError
from gfpvideo.frames import Frame, RestoredFrame, TrackedFrame
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.trace import OtherPictureError, compared
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.events import SegmentDone
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.going_on import followed_on, place_to_go_on
from gfpvideo.restoration.jobs.journal import Journal
from gfpvideo.restoration.jobs.segments import write_segments
from gfpvideo.restoration.load import Finder, Parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import follow, reach, restore_faces
from gfpvideo.stages.run import Run

_log = logging.getLogger(__name__)


def follow_all(
    source: Path, followed: Followed, parts: Finder, options: RestoreOptions, seconds: dict[str, float] | None = None
) -> Iterator[int]:
    """Follow a film to its end and keep what is found; gives the number of frames that are followed, after each.

    Args:
        source: the film.
        followed: keeps what is found; what it has is not looked for again.
        parts: what finds faces.
        options: how.
        seconds: takes the seconds that each stage has worked.

    Raises:
        GfpvideoError: if the film cannot be read, or the work folder not be written.
    """
    try:
        yield from _followed(source, followed, parts, options, seconds, jump=True)
    except OtherPictureError as error:
        _log.info("%s: %s; reading it from its beginning", source, error)
        yield from _followed(source, followed, parts, options, seconds, jump=False)


def _followed(
    source: Path,
    followed: Followed,
    parts: Finder,
    options: RestoreOptions,
    seconds: dict[str, float] | None,
    *,
    jump: bool,
) -> Iterator[int]:
    with open_film(source, options) as film, Run() as run:
        place = place_to_go_on(followed, followed.end) if jump and film.jumps else None
        decoded = run("decode", film.frames(place), thread=True)
        if place is None:
            followed.check()
            tracked = follow(decoded, parts, options, run, followed.detections(0, followed.end))
        else:
            known = compared(decoded, followed.known(place.index, followed.end))
            tracked = followed_on(known, followed, parts, options, run)
        for frame in run("note", followed.noted(tracked, film)):
            yield frame.frame.index - (followed.begin or 0) + 1
        add_seconds({} if seconds is None else seconds, run.seconds)


def add_seconds(total: dict[str, float], more: Mapping[str, float]) -> None:
    """Add the seconds that stages have worked."""
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds


def recalled(frames: Iterator[Frame], followed: Followed) -> Iterator[TrackedFrame]:
    """Stage: frames that were followed before, with their faces."""
    return (followed.run_of(frame.index).tracked(frame) for frame in frames)


def restored_piece(
    film: VideoSource,
    followed: Followed,
    parts: Parts,
    options: RestoreOptions,
    run: Run,
    first: int,
    end: int,
    *,
    jump: bool = True,
) -> Iterator[RestoredFrame]:
    """Frames from ``first`` up to ``end``, as they come out where the whole film is restored at once.

    Args:
        film: just opened.
        followed: knows the frames up to ``reach(options).ahead`` after ``end``, or to the film's end.
        parts: the networks.
        options: how faces are restored.
        run: runs the stages.
        first: index of the first frame that is wanted.
        end: index of the first that is not.
        jump: whether reading may begin at a key frame before; otherwise it begins where the film does.

    Raises:
        OtherPictureError: if the film reads otherwise than when it was followed; without ``jump`` it has changed.
    """
    around = reach(options)
    last = min(end + around.ahead, followed.end)
    place = followed.place(first - around.back) if jump and film.jumps else None
    begin = (followed.begin or 0) if place is None else place.index
    # What comes before is compared as well: pictures lean on those before them.
    frames = compared(takewhile(lambda frame: frame.index < last, film.frames(place)), followed.known(begin, last))
    decoded = run("decode", frames, thread=True)
    wanted = (frame for frame in decoded if frame.index >= first - around.back)
    restored = restore_faces(recalled(wanted, followed), parts, options, run, first)
    return takewhile(lambda frame: frame.frame.index < end, restored)


class Segments:
    """Makes segments of a film whose faces have been followed that far, in any order."""

    def __init__(self, source: Path, folder: Path, length: int, parts: Parts, options: RestoreOptions) -> None:
        """Make segments in a work folder that somebody else owns.

        Args:
            source: the film.
            folder: the work folder.
            length: frames of a segment.
            parts: the networks.
            options: how faces are restored.
        """
        self.warnings: list[str] = []
        """What its encoder had to say."""
        self.seconds: dict[str, float] = {}
        """Seconds that each stage has worked until now."""
        self._source, self._parts, self._options = source, parts, options
        self._followed, self._journal = Followed(folder, length), Journal(folder, length)
        self._jump = True

    def followed_to(self) -> int:
        """Index of the first frame that has not been followed, as far as can be seen here now."""
        self._followed.refresh()
        return self._followed.end

    def make(self, numbers: range, stop: Flag) -> Iterator[RestoredFrame | SegmentDone]:
        """Restore and write segments that follow each other; tells of frames, of some twice if the film does not jump.

        Args:
            numbers: which; all of their frames have been followed, and those around them that they hang on.
            stop: when set, no other segment is begun.

        Raises:
            CorruptMediaError: if the film reads otherwise than when it was followed.
            GfpvideoError: if it cannot be restored, or the segment not be written.
        """
        self._followed.refresh()
        try:
            yield from self._made(numbers, stop)
        except StoppedError:
            return
        except OtherPictureError as error:
            if not self._jump:
                raise CorruptMediaError(f"{self._source}: {error}: it has changed meanwhile, or is damaged") from None
            _log.info("%s: %s; reading it from its beginning", self._source, error)
            self._jump = False
            yield from self.make(numbers, stop)

    def _made(self, numbers: range, stop: Flag) -> Iterator[RestoredFrame | SegmentDone]:
        begin = self._followed.begin
        assert begin is not None, "segments are made where faces have been followed"
        first = begin + numbers.start * self._journal.length
        end = min(begin + numbers.stop * self._journal.length, self._followed.end)
        with open_film(self._source, self._options) as film, Run() as run:
            encoder = SegmentEncoder(film, self._options)
            restored = restored_piece(
                film, self._followed, self._parts, self._options, run, first, end, jump=self._jump
            )
            yield from run("encode", write_segments(restored, self._journal, encoder, stop, begin))
            self._note(encoder, run)

    def _note(self, encoder: SegmentEncoder, run: Run) -> None:
        self.warnings += [warning for warning in encoder.warnings if warning not in self.warnings]
        add_seconds(self.seconds, run.seconds)
