"""Restore photographs: films of one frame, followed over nothing."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import InputError, StoppedError, UnsupportedMediaError
from gfpvideo.frames import Frame, TrackedFrame
from gfpvideo.media.atomic import check_target, make_folder
from gfpvideo.media.still import PICTURE_SUFFIXES, read_picture, write_picture
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Event, FrameDone, Loading, PictureDone
from gfpvideo.restoration.load import Finder, Parts
from gfpvideo.restoration.opening import for_stills
from gfpvideo.restoration.way import follow, restore_faces
from gfpvideo.restoration.who import choose_like_reference
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
    picture = read_picture(source, target)
    yield Loading()
    parts = load()
    report.use(parts.generator.model.name, parts.generator.engine.name)
    _check_stop(stop, f"{source}: interrupted; nothing was written")
    chosen = yield from choose_like_reference(iter([picture.frame]), 1, options, parts, stop)
    with Run() as run:
        followed = follow(iter([picture.frame]), parts, chosen, run)
        for restored in restore_faces(followed, parts, chosen, run):
            write_picture(picture, restored, target, overwrite=options.overwrite)
            report.note(restored)
            yield FrameDone(restored, report.frames, 1)
    report.warnings += picture.warnings
    report.add_seconds(run.seconds)


def restore_folder(
    source: Path, target: Path, options: RestoreOptions, load: Callable[[], Parts], report: Report, stop: Flag
) -> Iterator[Event]:
    """Restore every picture of a folder into another; one that cannot be restored is skipped with a warning.

    Raises:
        StoppedError: if ``stop`` is set between two pictures; those that are done stay.
        GfpvideoError: if not one can be restored, or the target not be written.
    """
    pictures = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise InputError(f"{source}: the folder holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    yield Loading()
    parts = load()
    make_folder(target)
    for done, path in enumerate(pictures):
        _check_stop(stop, f"interrupted; {done} of {len(pictures)} pictures are done: move those away to go on")
        one = Report(str(path), str(target / path.name))
        try:
            yield from _without_loading(restore_picture(path, target / path.name, options, lambda: parts, one, stop))
        except (InputError, UnsupportedMediaError) as error:
            report.warnings.append(f"skipped: {error}")
            continue
        report.take_in(one)
        yield PictureDone(path, target / path.name, done + 1, len(pictures))
    if not report.frames:
        with suppress(OSError):  # the folder may have been there before, with other things in it
            target.rmdir()
        raise InputError(f"{source}: not one of its {len(pictures)} pictures could be restored; {report.warnings[0]}")


def _without_loading(events: Iterator[Event]) -> Iterator[Event]:
    return (event for event in events if not isinstance(event, Loading))


def _check_stop(stop: Flag, text: str) -> None:
    if stop.is_set():
        raise StoppedError(text)
