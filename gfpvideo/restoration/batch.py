"""Restore many films and pictures into a folder; what cannot be restored stops nothing."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Protocol

from gfpvideo.errors import (
    EngineError,
    GfpvideoError,
    InputError,
    OptionError,
    OutputError,
    StoppedError,
    WeightsError,
    bug,
)
from gfpvideo.media.atomic import check_target, make_folder, replace_whole
from gfpvideo.media.still import PICTURE_SUFFIXES
from gfpvideo.media.target import FORMATS, default_target
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Done, Event, FilmDone, Loading, PictureDone, Warned
from gfpvideo.restoration.jobs.archive import Film, Restored
from gfpvideo.restoration.jobs.folder import clean, work_folder

_log = logging.getLogger(__name__)

FILM_SUFFIXES = {
    *FORMATS, ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".h264", ".m2v", ".mjpeg", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogv", ".qt", ".rm", ".vob", ".wmv", ".y4m",
}  # fmt: skip
"""Suffixes by which films are found in a folder; one that is named by itself may have any."""
BEGUN = ".gfpvideo-overwriting"
"""File in the target's folder from when targets are overwritten until all are; its date tells old ones from new."""
_MADE = re.compile(r"(.+)\.(?:restored|preview)")
"""What is made beside a file, under its name, unless another is given."""


Share = Callable[[list[Film]], Iterator[Event | Restored]]
"""Has some of the films restored elsewhere, and tells of each."""


class OneJob(Protocol):
    """The restoration of one film or picture."""

    report: Report

    def run(self) -> Iterator[Event]:
        """See :meth:`gfpvideo.restoration.run.Job.run`."""
        ...


def found_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures and films of a folder, by their names, in order; other files are none of our business.

    Nor are hidden ones (of a Mac, ``._photo.jpg`` beside each photograph), and what was made of another file there.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    stems = {path.stem for path in files}
    files = [path for path in files if not ((made := _MADE.fullmatch(path.stem)) and made[1] in stems)]
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


@dataclass
class Batch:
    """The restoration of many films and pictures into a folder; one that cannot be restored is skipped with a warning.

    With ``resume``, what is there already is taken for done.
    """

    sources: Sequence[Path]
    """Pictures, then films."""
    target: Path
    options: RestoreOptions
    job_of: Callable[[Path, Path], OneJob]
    """Makes the job of one source and its target."""
    share: Share | None
    """Has films restored elsewhere, each by itself; ``None``: one after the other, here."""
    report: Report
    """Filled on the way; it holds one of each."""
    stop: Flag
    """Ends it; a film after its segment."""
    _done: int = 0

    def run(self) -> Iterator[Event]:
        """Restore them.

        Raises:
            StoppedError: if ``stop`` is set.
            GfpvideoError: if not one can be restored, or the target not be written.
        """
        targets = targets_of(self.sources, self.target, self.options)
        _check_apart(targets)
        make_folder(self.target)
        for path in () if self.options.resume else targets.values():
            check_target(path, overwrite=self.options.overwrite)
        done = self._done_before(targets.values())
        _clear_up(done)
        left = [(path, to) for path, to in targets.items() if to not in done]
        self._done = kept = len(done)
        films = [(path, to) for path, to in left if not is_picture(path)]
        for path, to in left[: len(left) - len(films)]:
            yield from self._here(path, to)
        for path, to in (yield from self._elsewhere(films)):
            yield from self._here(path, to)
        (self.target / BEGUN).unlink(missing_ok=True)
        if not kept and not any(piece.frames for piece in self.report.pieces):
            with suppress(OSError):  # the folder may have been there before, with other things in it
                self.target.rmdir()
            what = "pictures" if all(map(is_picture, self.sources)) else "files"
            raise InputError(
                f"{self.sources[0].parent}: not one of its {len(targets)} {what} could be restored;"
                f" {self.report.warnings[0]}"
            )

    def _done_before(self, targets: Iterable[Path]) -> set[Path]:
        """Targets that are not to be made again: with ``resume`` those that are there.

        Where they are to be overwritten as well, that says nothing; those that are younger than what the run that was
        interrupted has left are its own.
        """
        begun, overwrite = self.target / BEGUN, self.options.overwrite
        since = begun.stat().st_mtime_ns if self.options.resume and overwrite and begun.exists() else None
        if overwrite and since is None:
            replace_whole(begun, b"")
            return set()
        there = {path for path in targets if self.options.resume and path.exists()}
        return {path for path in there if since is None or path.stat().st_mtime_ns > since}

    def _here(self, path: Path, to: Path) -> Iterator[Event]:
        if self.stop.is_set():
            raise StoppedError(self._interrupted())
        yield from restore_one(path, self.job_of(path, to), self.report, first=not self.report.pieces)
        yield from self._told(path, to)

    def _elsewhere(self, films: list[Film]) -> Generator[Event, None, list[Film]]:
        """Have films restored by others; those that are left to be shared in pieces."""
        if self.share is None:
            return films
        left = dict(films)
        try:
            for item in self.share(films):
                if not isinstance(item, Restored):
                    yield item
                    continue
                path, to = item.film
                del left[path]
                _take_in(self.report, item.outcome, path)
                yield from self._told(path, to)
        except StoppedError:
            raise StoppedError(self._interrupted()) from None
        return list(left.items())

    def _told(self, path: Path, to: Path) -> Iterator[Event]:
        self._done += 1
        if to.exists():
            kind = PictureDone if is_picture(path) else FilmDone
            yield kind(path, to, self._done, len(self.sources))

    def _interrupted(self) -> str:
        what = "pictures" if all(map(is_picture, self.sources)) else "films and pictures"
        return f"interrupted; {self._done} of {len(self.sources)} {what} are done: go on with --resume"


def _clear_up(done: Iterable[Path]) -> None:
    """Remove the work folders that runs have left which were killed right after their target was done."""
    for work in filter(Path.is_dir, map(work_folder, done)):
        with suppress(OutputError):  # whoever has it now clears up
            clean(work)


def _check_apart(targets: Mapping[Path, Path]) -> None:
    taken: dict[Path, Path] = {}
    sources = {path.resolve() for path in targets}
    for path, to in targets.items():
        if to.resolve() in sources:
            raise OptionError(f"{to}: is to be restored, and would be its own target; give another folder with -o")
        if to in taken:
            raise OptionError(f"{taken[to]} and {path} would both become {to}: rename one, or restore them apart")
        taken[to] = path


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its name."""
    return path.suffix.lower() in PICTURE_SUFFIXES


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
        _take_in(report, error, path)
        return error
    except Exception as error:
        _log.exception("%s: restoring it failed", path)
        _take_in(report, GfpvideoError(bug(error)), path)
        return error
    _take_in(report, job.report, path)
    return None


def _take_in(report: Report, outcome: Report | GfpvideoError, path: Path) -> None:
    if isinstance(outcome, Report):
        report.take_in(outcome)
    else:
        named = "" if str(path) in str(outcome) else f"{path}: "
        report.warnings.append(f"skipped: {named}{outcome}")
