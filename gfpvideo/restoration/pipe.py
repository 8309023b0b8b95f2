"""Restore pictures as they come through a pipe, and hand them on at once."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path

from gfpvideo.media.assemble import UNTELECINED
from gfpvideo.media.segment import finished
from gfpvideo.media.y4m import STANDARD_INPUT, STANDARD_OUTPUT, Y4mWriter
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.load import load_parts
from gfpvideo.restoration.opening import checked, open_film, open_standard_input
from gfpvideo.restoration.outcome import conclude, note_tracks
from gfpvideo.restoration.way import follow, restore_faces
from gfpvideo.stages.run import Run

_TOLERANCE = Fraction(1, 50)
"""Share by which frames may come earlier or later than the header says: clocks of some films are coarse."""


def pipe(source: Path | None, options: RestoreOptions) -> Report:
    """Restore to standard output, as YUV4MPEG2.

    Args:
        source: a film, or ``None`` for YUV4MPEG2 from standard input.
        options: how; those of the encoder and of the target have no meaning here.

    Raises:
        ClosedError: if who reads the pictures has had enough.
        GfpvideoError: if they cannot be restored.
    """
    parts = load_parts(options)
    report = Report(str(source or STANDARD_INPUT), str(STANDARD_OUTPUT))
    tracks: set[int] = set()
    report.use(parts.generator.model.name, parts.generator.engine.name)
    film = open_film(source, options) if source is not None else open_standard_input(options)
    share = UNTELECINED if options.telecine else Fraction(1)
    with film, Run() as run, Y4mWriter(film, share) as writer:
        frames = film.frames() if source is not None else checked(film.frames(), options)
        followed = note_tracks(follow(run("decode", frames, thread=True), parts, options, run), tracks)
        restored = restore_faces(followed, parts, options, run)
        intervals = _Intervals(1 / (writer.rate * film.time_base))
        with closing(finished(restored, film, options)) as pictures:
            for item, picture in pictures:
                writer.write(picture, report.frames)
                report.note(item)
                intervals.note(item.frame.pts)
    conclude(report, options, lambda: tracks)
    report.warnings = [*report.warnings, *film.warnings, *writer.warnings, *intervals.warnings()]
    report.stages = run.seconds
    return report


class _Intervals:
    """Whether frames follow each other evenly, as they have to in YUV4MPEG2, and as its header says."""

    def __init__(self, told: Fraction) -> None:
        self._told = told
        self._first: int | None = None
        self._last: int | None = None
        self._count = 0
        self._found: set[Fraction] = set()

    def note(self, pts: int) -> None:
        if self._last is not None:
            self._found.add(Fraction(pts - self._last))
        self._first = pts if self._first is None else self._first
        self._last = pts
        self._count += 1

    def warnings(self) -> list[str]:
        if len(self._found) > 1 and max(self._found) - min(self._found) > 1:
            return ["the frame rate varies: YUV4MPEG2 holds a constant one, sound will not stay in step"]
        if self._count > 1 and self._first is not None and self._last is not None:
            times = Fraction(self._last - self._first, self._count - 1) / self._told
            if abs(times - 1) > _TOLERANCE:
                return [
                    f"the frame rate is {float(1 / times):.3g} times what the header says: sound will not stay in step"
                ]
        return []
