"""Restore a film: segment by segment, so that an interruption costs little, then all put together."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event as Flag

from gfpvideo.media.assemble import Assembly
from gfpvideo.media.atomic import check_name, check_target
from gfpvideo.media.segment import try_encoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.space import check_space
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Event, Loading, Muxing
from gfpvideo.restoration.jobs.crew import Crew
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.folder import bytes_done
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.foreman import Foreman
from gfpvideo.restoration.jobs.journal import open_journal
from gfpvideo.restoration.jobs.one_process import OneProcess
from gfpvideo.restoration.load import Parts, load_finder
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.outcome import conclude
from gfpvideo.restoration.way import reach
from gfpvideo.restoration.who import choose_in_film

Hire = Callable[[Path, RestoreOptions], AbstractContextManager[Crew]]
"""Gives the workers that restore a film together."""


def planned(film: VideoSource, target: Path, options: RestoreOptions) -> Assembly:
    """How the restored film will be put together; everything that can be checked before the work has been.

    Raises:
        GfpvideoError: if the target cannot be written, or not hold what it has to.
    """
    check_target(target, overwrite=options.overwrite)
    check_name(target)
    assembly = Assembly(film, target, options.overwrite, options.strict, options.audio_codec, options.audio_kbits)
    assembly.plan()
    assembly.warnings += try_encoder(film, options)  # who goes on may encode nothing any more, but put together
    if options.disk_check:
        check_space(target, film, options, bytes_done(target) if options.resume else 0)
    return assembly


def restore_film(
    source: Path,
    target: Path,
    options: RestoreOptions,
    load: Callable[[], Parts],
    hire: Hire,
    report: Report,
    stop: Flag,
) -> Iterator[Event]:
    """Restore one film.

    Args:
        source: the film.
        target: where to write it.
        options: how.
        load: gives the networks, once it is sure that they are needed.
        hire: gives the workers instead, where several share the film.
        report: filled on the way.
        stop: when set, the segment that is being written is finished, and no other begun.

    Raises:
        StoppedError: if ``stop`` was set.
        GfpvideoError: if the film cannot be restored.
    """
    with open_film(source, options) as film:
        assembly = planned(film, target, options)
        yield Loading()
        if options.shared:
            yield from _shared(film, assembly, options, hire, report, stop)
            return
        parts = load()
        report.use(parts.generator.model.name, parts.generator.engine.name)
        fingerprint = Fingerprint.of(source, options, parts.generator)
        chosen = yield from choose_in_film(source, options, parts, stop)
        with open_journal(target, fingerprint, options.segment, resume=options.resume) as journal:
            yield from OneProcess(film, journal, parts, chosen, report, stop).run()
            yield Muxing()
            assembly.write(journal.segments())
            conclude(report, options, Followed(journal.folder, journal.length).tracks)
        _close(report, film, assembly)


def _shared(
    film: VideoSource, assembly: Assembly, options: RestoreOptions, hire: Hire, report: Report, stop: Flag
) -> Iterator[Event]:
    """Restore a film by several workers."""
    with hire(film.path, options) as crew:
        foreman = Foreman(crew, stop, report, film.expected_frames)
        fingerprint = foreman.begin()
        chosen = options
        if options.person:
            chosen = yield from choose_in_film(film.path, options, load_finder(options), stop)
        with open_journal(assembly.target, fingerprint, options.segment, resume=options.resume) as journal:
            yield from foreman.restore(journal, reach(options).ahead, chosen.only)
            yield Muxing()
            followed = Followed(journal.folder, journal.length)
            assert followed.whole is not None
            film.recall(followed.whole.account)
            assembly.write(journal.segments())
            conclude(report, options, followed.tracks)
    _close(report, film, assembly)


def _close(report: Report, film: VideoSource, assembly: Assembly) -> None:
    report.copied = assembly.copied
    report.warnings = list(dict.fromkeys([*film.warnings, *assembly.warnings, *report.warnings]))
