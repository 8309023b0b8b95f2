"""Restore whatever somebody names: a film, a photograph, a folder or a list of both."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event as Flag
from typing import Literal

from gfpvideo.errors import InputError, OptionError
from gfpvideo.media.atomic import check_apart, check_target
from gfpvideo.media.still import PICTURE_SUFFIXES, check_picture_target
from gfpvideo.media.target import default_target, settle
from gfpvideo.options.groups import films_alone, flag_name
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.batch import FILM_SUFFIXES, Batch, found_in, is_picture
from gfpvideo.restoration.events import Done, Event, FrameDone, Warned
from gfpvideo.restoration.film import planned, restore_film
from gfpvideo.restoration.jobs.archive import Archive, Film, Restored
from gfpvideo.restoration.jobs.staff import Staff
from gfpvideo.restoration.load import Parts, load_finder, load_parts
from gfpvideo.restoration.moments import Moment, moments, moments_of_tracks
from gfpvideo.restoration.opening import for_stills, open_film
from gfpvideo.restoration.outcome import together
from gfpvideo.restoration.still import restore_picture
from gfpvideo.restoration.survey import Survey, survey

_log = logging.getLogger(__name__)

Kind = Literal["film", "picture", "folder"]
Source = str | Path | Sequence[str | Path]
OnFrame = Callable[[FrameDone], None]


def restore(
    source: Source,
    target: str | Path | None = None,
    options: RestoreOptions | None = None,
    *,
    on_frame: OnFrame | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: Flag | None = None,
) -> Report:
    """Restore the faces of a film, a picture, or a folder of films and pictures.

    Args:
        source: what to restore; of several files, a list.
        target: where to write it; by default beside the source, with ``.restored`` before the suffix. Of several files,
            a folder.
        options: how; the defaults suit most films.
        on_frame: called after every frame that this process writes: of none, where several restore a film together.
        on_event: called with everything that happens, see :mod:`gfpvideo.restoration.events`.
        stop: when set, a film is interrupted at the end of the segment that is being written, a folder after the
            picture; the work is kept.

    Returns:
        What was done. ``report.exit_code`` is 1 if something deserves a warning.

    Raises:
        GfpvideoError: if the source cannot be restored or the target not be written; no target is left then.
    """
    job = Job(source, target, options, stop=stop)
    for event in job.run():
        if on_frame is not None and isinstance(event, FrameDone):
            on_frame(event)
        if on_event is not None:
            on_event(event)
    return job.report


@dataclass(frozen=True)
class Plan:
    """What a job is going to do, found out before any work."""

    kind: Kind
    source: Path
    target: Path
    frames: int | None = None
    """About how many there are, if the container knows."""
    size: tuple[int, int] | None = None
    """Width and height of a film's stored picture."""
    copied: list[str] = field(default_factory=list)
    """Streams that will be copied packet by packet."""
    warnings: list[str] = field(default_factory=list)
    """What is known to be lost."""


class Job:
    """One restoration, for whoever watches it: its news are events."""

    def __init__(
        self,
        source: Source,
        target: str | Path | None = None,
        options: RestoreOptions | None = None,
        parts: Parts | None = None,
        *,
        stop: Flag | None = None,
    ) -> None:
        """Say what is to be restored; nothing is read or written yet.

        Args:
            source: a film, a picture, a folder of films and pictures, or a list of them.
            target: where to write it; by default beside the source, with ``.restored`` before the suffix. Of a list, a
                folder.
            options: how; the defaults suit most films.
            parts: networks of an earlier job, used again if they are those that ``options`` name.
            stop: when set from anywhere, the job ends where its work can be gone on with; see :meth:`stop`.
        """
        self.sources = [Path(source)] if isinstance(source, str | Path) else [Path(each) for each in source]
        self.options = options or RestoreOptions()
        self.report = Report(self._named, "")
        self._wanted = None if target is None else Path(target)
        self._parts = parts
        self._stop = stop or Flag()
        self._latest: Job | None = None
        self._in_folder = False
        self._staff = Staff()

    @property
    def source(self) -> Path:
        """What is restored; the first of several."""
        return self.sources[0]

    @property
    def _named(self) -> str:
        return ", ".join(map(str, self.sources))

    @property
    def kind(self) -> Kind:
        """What the source is, by its name; several files are a folder's."""
        if len(self.sources) > 1 or self.source.is_dir():
            return "folder"
        return "picture" if is_picture(self.source) else "film"

    @property
    def parts(self) -> Parts:
        """The networks, loaded when they are first needed; hand them to the next job."""
        options = self._options()
        if self._parts is None or not self._parts.fit(options):
            self._parts = load_parts(options)
        return self._parts

    @property
    def target(self) -> Path:
        """Where the result goes."""
        if self._wanted is not None:
            return self._wanted
        if self.kind == "film":
            options = self._options()
            return default_target(self.source, options.codec, options.container)
        if self.kind == "folder":
            whole = self.source if self.source.name not in ("", "..") else self.source.resolve()
            return whole.parent / f"{whole.name}.restored"
        return self.source.with_name(f"{self.source.stem}.restored{self.source.suffix}")

    def stop(self) -> None:
        """Ask it to end: a film after the segment, a folder after the picture; safe from any thread."""
        self._stop.set()

    def plan(self) -> Plan:
        """What it is going to do; raises what :meth:`run` would raise before its work.

        Raises:
            GfpvideoError: if the source cannot be restored, or the target not be written.
        """
        self._check()
        if self.kind != "film":
            if self.kind == "picture":
                check_target(self.target, overwrite=self.options.overwrite)
            return Plan(self.kind, self.source, self.target)
        with open_film(self.source, self._options()) as film:
            assembly = planned(film, self.target, self._options())
            size, warnings = (film.stream.width, film.stream.height), [*self._settled[1], *assembly.warnings]
            return Plan("film", self.source, self.target, film.expected_frames, size, assembly.copied, warnings)

    def inspect(self, size: int = 256, on_frame: Callable[[int], None] | None = None) -> Survey:
        """Who is in a film: every track, with a few of its faces as crops with sides of ``size`` pixels.

        Args:
            size: side of the crops.
            on_frame: called with the number of frames so far.

        Raises:
            InputError: if the film cannot be read, or has no faces.
        """
        return survey(self.source, self.options, self._parts or load_finder(self.options), size, on_frame)

    def moments_of(self, found: Survey, each: int, side: int) -> Iterator[Moment]:
        """Up to ``each`` moments of every track that :meth:`inspect` found, as they will be in the film.

        Args:
            found: what it found.
            each: moments of a track at most.
            side: side of their pictures.
        """
        return moments_of_tracks(self.source, self.options, self.parts, found, each=each, side=side)

    def preview(self, most: int = 12, side: int = 320, on_frame: Callable[[int], None] | None = None) -> list[Moment]:
        """The best moment of each shot of a film, before and after, as it would be restored.

        Args:
            most: moments at most, spread evenly over the film.
            side: side of their pictures.
            on_frame: called with the number of frames so far.

        Raises:
            InputError: if the film cannot be read, or shows no face that is to be restored.
        """
        return moments(self.source, self.options, self.parts, most=most, side=side, on_frame=on_frame, stop=self._stop)

    def run(self) -> Iterator[Event]:
        """Restore, and tell what happens; the last event is :class:`~gfpvideo.restoration.events.Done`.

        Raises:
            StoppedError: if it was asked to stop.
            GfpvideoError: if the source cannot be restored or the target not be written; no target is left then.
        """
        self._check()
        self.report = report = Report(self._named, str(self.target))
        started = time.monotonic()
        _log.info("%s -> %s, %s", self._named, self.target, self.options.model_dump(exclude_defaults=True))
        if self._in_folder:
            yield from self._restored(report)
        else:
            with self._staff:
                yield from self._restored(report)
        if self.kind == "film":
            report.warnings = [*self._settled[1], *report.warnings]
        report.seconds = time.monotonic() - started
        for warning in report.warnings:
            if not self._in_folder:  # which tells of it by the file's name
                _log.warning("%s", warning)
            yield Warned(warning)
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.stages.items())
        _log.info("%d frames, %d faces in %.1f s (%s)", report.frames, report.faces, report.seconds, stages)
        yield Done(report)

    def _restored(self, report: Report) -> Iterator[Event]:
        source, target, stop = self.source, self.target, self._stop
        if self.kind == "folder":
            share = self._shared if self.options.cluster is not None else None
            yield from Batch(self._files(), target, self.options, self.piece, share, report, stop).run()
            report.why_none = "" if report.faces else together(report.pieces)
        elif self.kind == "picture":
            yield from restore_picture(source, target, self._options(), lambda: self.parts, report, stop)
        else:
            hire = self._staff.hire
            yield from restore_film(source, target, self._options(), lambda: self.parts, hire, report, stop)

    def _files(self) -> list[Path]:
        """The pictures and films of a folder, or those that were listed: pictures first."""
        if len(self.sources) > 1:
            return sorted(self.sources, key=is_picture, reverse=True)
        pictures, films = found_in(self.source)
        if not pictures and not films:
            raise InputError(
                f"{self.source}: the folder holds no films, and no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})"
            )
        return [*pictures, *films]

    def _shared(self, films: list[Film]) -> Iterator[Event | Restored]:
        """Have the machines of a cluster restore films, each by itself; few are left, which they share in pieces."""
        cluster = self._staff.cluster(self.options)
        with cluster.crew(None, self.options) as crew:
            whole = sorted(films, key=lambda film: film[0].stat().st_size, reverse=True)
            yield from Archive(crew, self._stop).restore(whole[: len(whole) - len(whole) % crew.size])

    def piece(self, source: Path, target: Path) -> "Job":
        """The job of one file of this job's folder; networks are kept from one to the next."""
        before = self._latest
        kept = self._parts if before is None else before._parts
        self._latest = job = Job(source, target, self.options, kept, stop=self._stop)
        job._in_folder, job._staff = True, self._staff
        if job.kind == "picture":
            job.options = self.options.usual(films_alone(RestoreOptions))
        return job

    @cached_property
    def _settled(self) -> tuple[RestoreOptions, list[str]]:
        """The options of a film with an encoder that its picture and its target ask for, and remarks about that."""
        return settle(self.source, self._wanted, self.options)

    def _options(self) -> RestoreOptions:
        return self._settled[0] if self.kind == "film" else for_stills(self.options)

    def _check_list(self) -> None:
        if self._wanted is None:
            last = self.sources[-1]
            meant = "" if last.exists() else f" ({last} does not exist: if it is the target, give -o {last})"
            raise OptionError(f"several films need a folder to go to: give -o{meant}")
        for path in self.sources:
            if path.is_dir():
                raise OptionError(f"{path}: give one folder, or several films and pictures")
            if not path.exists():
                raise InputError(f"{path}: no such file")
        if self._wanted.is_file():
            raise OptionError(f"{self._wanted}: several films go to a folder, and this is a file; give another -o")

    def _check_folder(self) -> None:
        """Refuse to make a folder that is called like a file: whoever names one expects a film."""
        suffix = self.target.suffix.lower()
        if suffix in FILM_SUFFIXES | PICTURE_SUFFIXES and not self.target.exists():
            raise OptionError(
                f"{self.target}: several films and pictures go to a folder, and {suffix} is a file's suffix; give the"
                " name of a folder with -o"
            )

    def _check(self) -> None:
        """Refuse what can be refused before anything is opened."""
        if len(self.sources) > 1:
            self._check_list()
        if self.kind == "folder" and self._wanted is not None:
            self._check_folder()
        film = not all(map(is_picture, self.sources))
        if self.source.is_dir():
            film = bool(found_in(self.source)[1])
        for name in () if film else films_alone(RestoreOptions, folder=self.kind == "folder"):
            if self.options.changed(name):
                raise OptionError(f"{self.source}: option {flag_name(name)} is for films, not for pictures")
        if not self.source.exists():
            raise InputError(f"{self.source}: no such file")
        if self.kind == "picture":
            check_picture_target(self.target, self.source)
        check_apart(self.source, self.target)
