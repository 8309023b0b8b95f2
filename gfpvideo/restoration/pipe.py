"""Restore pictures as they come through a pipe, and hand them on at once."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.faces.shots import mark_shots
from gfpvideo.frames import Frame, Report
from gfpvideo.media.container import Limits
from gfpvideo.media.segment import finished
from gfpvideo.media.source import VideoSource
from gfpvideo.media.y4m import STANDARD_INPUT, STANDARD_OUTPUT, Y4mWriter, open_y4m
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.run import TELECINE, Restorer, film_tracker, open_film
from gfpvideo.stages.run import Stages

_QUEUE = 4
"""Frames that wait between two threads."""


def pipe(source: Path | None, options: RestoreOptions) -> Report:
    """Restore to standard output, as YUV4MPEG2.

    Args:
        source: a film, or ``None`` for YUV4MPEG2 from standard input.
        options: how; those of the encoder and of the target have no meaning here.

    Raises:
        ClosedError: if who reads the pictures has had enough.
        GfpvideoError: if they cannot be restored.
    """
    restorer = Restorer.load(options)
    report = restorer.report(source or STANDARD_INPUT, STANDARD_OUTPUT)
    film = open_film(source, options) if source is not None else _standard_input(options)
    with film, Stages() as stages, Y4mWriter(film) as writer:
        decoded = stages.ahead(stages.timed("decode", _whole(film.frames(), options)), _QUEUE)
        restored = restorer.faces(stages.timed("shots", mark_shots(decoded)), film_tracker(options), stages)
        intervals = _Intervals()
        with closing(stages.ahead(restored, _QUEUE)) as ready:  # type: ignore[type-var]  # a generator
            for item, picture in finished(ready, film, options, restorer.enlarge):
                writer.write(picture, report.frames)
                report.add(1, len(item.touched), item.spared, (number for number, _ in item.touched))
                intervals.note(item.frame.pts)
    report.warnings = [*film.warnings, *writer.warnings, *intervals.warnings()]
    return report


def _standard_input(options: RestoreOptions) -> VideoSource:
    before = list(TELECINE) if options.telecine else []
    if options.deinterlace:
        before = ["bwdif=mode=send_frame:deint=all"]
    return VideoSource(
        STANDARD_INPUT,
        options.detect_size,
        filters=[*before, *options.filters],
        limits=Limits(options.max_side, options.max_streams),
        container=open_y4m(),
    )


def _whole(frames: Iterator[Frame], options: RestoreOptions) -> Iterator[Frame]:
    """The same frames, unless the first says that it is made of fields and no option says what to do about it."""
    for frame in frames:
        picture: Any = frame.picture
        if frame.index == 0 and picture.interlaced_frame and options.deinterlace is None and not options.telecine:
            raise UnsupportedMediaError(
                f"{STANDARD_INPUT}: the pictures are interlaced; give --deinterlace, --telecine or --no-deinterlace"
            )
        yield frame


class _Intervals:
    """Whether frames follow each other evenly, as they have to in YUV4MPEG2."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._found: set[Fraction] = set()

    def note(self, pts: int) -> None:
        if self._last is not None:
            self._found.add(Fraction(pts - self._last))
        self._last = pts

    def warnings(self) -> list[str]:
        if len(self._found) < 2 or max(self._found) - min(self._found) <= 1:
            return []
        return ["the frame rate varies: YUV4MPEG2 holds a constant one, sound will not stay in step"]
