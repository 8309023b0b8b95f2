"""Restore photographs: films of one frame, followed over nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import StoppedError
from gfpvideo.frames import Frame, TrackedFrame
from gfpvideo.media.atomic import check_name, check_target
from gfpvideo.media.still import check_sides, read_picture, write_picture
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Event, FrameDone, Loading
from gfpvideo.restoration.jobs.folder import owned
from gfpvideo.restoration.load import Finder, Parts
from gfpvideo.restoration.opening import for_stills
from gfpvideo.restoration.outcome import conclude, note_tracks
from gfpvideo.restoration.way import follow, restore_faces
from gfpvideo.restoration.who import choose_persons
from gfpvideo.stages.run import Run


def faces_of(frame: Frame, parts: Finder, options: RestoreOptions) -> TrackedFrame:
    """A picture by itself with all its faces."""
    with Run(threads=False) as run:
        (found,) = follow(iter([frame]), parts, for_stills(options), run)
        return found


def restore_picture(
    source: Path, target: Path, options: RestoreOptions, load: Callable[[], Parts], report: Report, stop: Flag
) -> Iterator[Event]:
    """Restore one photograph; arguments and errors as :func:`gfpvideo.restoration.film.restore_film`."""
    check_target(target, overwrite=options.overwrite)
    check_name(target)
    picture = read_picture(source, target, options.max_side)
    check_sides(picture, target, options.upscale)
    yield Loading()
    parts = load()
    report.use(parts.generator.model.name, parts.generator.engine.name)
    _check_stop(stop, f"{source}: interrupted; nothing was written")
    chosen = yield from choose_persons(iter([picture.frame]), 1, options, parts, stop)
    tracks: set[int] = set()
    with Run() as run:
        followed = note_tracks(follow(iter([picture.frame]), parts, chosen, run), tracks)
        for restored in restore_faces(followed, parts, chosen, run):
            with owned(target):
                write_picture(picture, restored, target, overwrite=options.overwrite)
            report.note(restored)
            yield FrameDone(restored, report.frames, 1)
    conclude(report, options, lambda: tracks)
    report.warnings += picture.warnings
    report.add_seconds(run.seconds)


def _check_stop(stop: Flag, text: str) -> None:
    if stop.is_set():
        raise StoppedError(text)
