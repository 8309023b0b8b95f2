"""Restore a film: segment by segment, so that an interruption costs little, then all put together."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Flag

from gfpvideo.errors import StoppedError
from gfpvideo.frames import Frame, RestoredFrame
from gfpvideo.media.assemble import Assembly
from gfpvideo.media.atomic import check_target
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.space import check_space
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Event, FrameDone, Loading, Muxing, SegmentDone
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.journal import Journal, open_journal
from gfpvideo.restoration.jobs.segments import write_segments
from gfpvideo.restoration.load import Parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import follow, restore_faces
from gfpvideo.restoration.who import choose_in_film
from gfpvideo.stages.run import Run


def planned(film: VideoSource, target: Path, options: RestoreOptions) -> Assembly:
    """How the restored film will be put together; everything that can be checked before the work has been.

    Raises:
        GfpvideoError: if the target cannot be written, or not hold what it has to.
    """
    check_target(target, overwrite=options.overwrite)
    assembly = Assembly(film, target, options.overwrite, options.strict, options.audio_codec, options.audio_kbits)
    assembly.plan()
    if options.disk_check:
        check_space(target, film, options)
    return assembly


def restore_film(
    source: Path, target: Path, options: RestoreOptions, load: Callable[[], Parts], report: Report, stop: Flag
) -> Iterator[Event]:
    """Restore one film.

    Args:
        source: the film.
        target: where to write it.
        options: how.
        load: gives the networks, once it is sure that they are needed.
        report: filled on the way.
        stop: when set, the segment that is being written is finished, and no other begun.

    Raises:
        StoppedError: if ``stop`` was set.
        GfpvideoError: if the film cannot be restored.
    """
    with open_film(source, options) as film:
        assembly = planned(film, target, options)
        yield Loading()
        parts = load()
        report.use(parts.generator.model.name, parts.generator.engine.name)
        fingerprint = Fingerprint.of(source, options, parts.generator)
        chosen = yield from choose_in_film(source, options, parts, stop)
        with open_journal(target, fingerprint, options.segment, resume=options.resume) as journal:
            yield from _with_segments(film, journal, parts, chosen, report, stop)
            yield Muxing()
            assembly.write(journal.segments())
        report.copied = assembly.copied
        report.warnings = [*film.warnings, *assembly.warnings, *report.warnings]


def _with_segments(
    film: VideoSource, journal: Journal, parts: Parts, options: RestoreOptions, report: Report, stop: Flag
) -> Iterator[Event]:
    """Restore what no segment of the journal holds yet."""
    for _, record in journal.records():
        report.add(len(record.pts), record.faces, record.spared, record.hopeless, record.tracks)
    report.resumed = report.frames
    first = journal.next_index or 0
    encoder = SegmentEncoder(film, options, parts.enlarge)
    with Run() as run:
        decoded = run("decode", _unless_stopped(film.frames(), first, stop), thread=True)
        followed = follow(decoded, parts, options, run, journal.detections())
        restored = restore_faces(followed, parts, options, run, first)
        written = run("encode", write_segments(restored, journal, encoder, stop))
        yield from _told(written, report, film.expected_frames)
    report.warnings += encoder.warnings
    report.stages = run.seconds


def _unless_stopped(frames: Iterator[Frame], first: int, stop: Flag) -> Iterator[Frame]:
    """All frames; before ``first``, where nothing is written, a stop need not wait for a segment."""
    for frame in frames:
        if frame.index < first and stop.is_set():
            raise StoppedError(f"interrupted; {first} frames are done: go on with --resume")
        yield frame


def _told(
    written: Iterator[RestoredFrame | SegmentDone], report: Report, expected: int | None
) -> Iterator[FrameDone | SegmentDone]:
    """Count what was written, and tell."""
    for item in written:
        if isinstance(item, SegmentDone):
            yield item
        else:
            report.note(item)
            yield FrameDone(item, report.frames, expected)
