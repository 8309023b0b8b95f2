"""Restore all films and pictures of a folder into another; what cannot be restored stops nothing."""

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Protocol

from gfpvideo.errors import EngineError, GfpvideoError, InputError, StoppedError, WeightsError
from gfpvideo.media.atomic import check_target, make_folder
from gfpvideo.media.still import PICTURE_SUFFIXES
from gfpvideo.media.target import FORMATS, default_target
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Done, Event, FilmDone, Loading, PictureDone, Warned

_log = logging.getLogger(__name__)

FILM_SUFFIXES = {
    *FORMATS, ".3gp", ".asf", ".divx", ".dv", ".f4v", ".h264", ".m2v", ".mjpeg", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogv", ".qt", ".rm", ".vob", ".wmv", ".y4m",
}  # fmt: skip
"""Suffixes by which films are found in a folder; one that is named by itself may have any."""


class OneJob(Protocol):
    """The restoration of one film or picture."""

    report: Report

    def run(self) -> Iterator[Event]:
        """See :meth:`gfpvideo.restoration.run.Job.run`."""
        ...


def found_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures and films of a folder, by their names, in order; other files are none of our business."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    pictures = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    return pictures, [path for path in files if path.suffix.lower() in FILM_SUFFIXES]


def targets_of(sources: Sequence[Path], folder: Path, options: RestoreOptions) -> dict[Path, Path]:
    """Where each goes: under its own name, with another suffix where its container holds no restored film."""
    suffixes = {source: _suffix(source, options) for source in sources}
    names = Counter(source.with_suffix(suffixes[source]).name for source in sources)
    return {
        source: folder / _name(source, suffix, alone=names[source.with_suffix(suffix).name] == 1)
        for source, suffix in suffixes.items()
    }


def lasting_target(source: Path, folder: Path, options: RestoreOptions) -> Path:
    """Where one goes whose neighbours are not known yet: as :func:`targets_of`, but the same whoever comes later."""
    return folder / _name(source, _suffix(source, options), alone=False)


def _suffix(source: Path, options: RestoreOptions) -> str:
    """Of the target; the source's own, letter by letter, if it stays."""
    if source.suffix.lower() in PICTURE_SUFFIXES:
        return source.suffix
    suffix = default_target(source, options.codec, options.container).suffix
    return source.suffix if suffix.lower() == source.suffix.lower() else suffix


def _name(source: Path, suffix: str, *, alone: bool) -> str:
    """``a.avi`` becomes ``a.mkv``, or ``a.avi.mkv`` where another film becomes that."""
    if suffix == source.suffix:
        return source.name
    return source.with_suffix(suffix).name if alone else f"{source.name}{suffix}"


def restore_folder(
    source: Path,
    target: Path,
    options: RestoreOptions,
    job_of: Callable[[Path, Path], OneJob],
    report: Report,
    stop: Flag,
) -> Iterator[Event]:
    """Restore every film and picture of a folder into another; one that cannot be restored is skipped with a warning.

    Args:
        source: the folder.
        target: the other; with ``resume`` what is there already is taken for done.
        options: how.
        job_of: makes the job of one source and its target.
        report: filled on the way; it holds one of each.
        stop: ends it; a film after its segment.

    Raises:
        StoppedError: if ``stop`` is set.
        GfpvideoError: if not one can be restored, or the target not be written.
    """
    pictures, films = found_in(source)
    if not pictures and not films:
        raise InputError(
            f"{source}: the folder holds no films, and no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})"
        )
    targets = targets_of([*pictures, *films], target, options)
    make_folder(target)
    for path in () if options.resume else targets.values():
        check_target(path, overwrite=options.overwrite)
    kept = 0
    for done, (path, to) in enumerate(targets.items()):
        if stop.is_set():
            raise StoppedError(_interrupted(done, len(targets), films))
        if options.resume and to.exists():
            kept += 1
            continue
        job = job_of(path, to)
        yield from restore_one(path, job, report, first=not report.pieces)
        if to.exists():
            kind = PictureDone if path in pictures else FilmDone
            yield kind(path, to, done + 1, len(targets))
    if not kept and not any(piece.frames for piece in report.pieces):
        with suppress(OSError):  # the folder may have been there before, with other things in it
            target.rmdir()
        what = "files" if films else "pictures"
        raise InputError(f"{source}: not one of its {len(targets)} {what} could be restored; {report.warnings[0]}")


def _interrupted(done: int, total: int, films: Sequence[Path]) -> str:
    if films:
        return f"interrupted; {done} of {total} films and pictures are done: go on with --resume"
    return f"interrupted; {done} of {total} pictures are done: move those away to go on"


def restore_one(path: Path, job: OneJob, report: Report, *, first: bool) -> Generator[Event, None, Exception | None]:
    """Restore one file of several; what goes wrong with it alone becomes a warning.

    Args:
        path: the file.
        job: its restoration.
        report: takes in what was done, or the warning.
        first: whether the networks' loading is worth telling.

    Returns:
        What went wrong.

    Raises:
        StoppedError: if the job was asked to stop.
        EngineError: the next one would meet the same.
        WeightsError: the same.
    """
    try:
        for event in job.run():
            if not isinstance(event, Warned | Done) and (first or not isinstance(event, Loading)):
                yield event
    except StoppedError as error:
        raise StoppedError(f"{path}: {error}") from None
    except (EngineError, WeightsError):  # the others would meet the same
        raise
    except GfpvideoError as error:
        report.warnings.append(f"skipped: {error}")
        return error
    except Exception as error:
        _log.exception("%s: restoring it failed", path)
        report.warnings.append(f"skipped: {path}: {type(error).__name__}: {error}; this is a bug of gfpvideo")
        return error
    report.take_in(job.report)
    return None
