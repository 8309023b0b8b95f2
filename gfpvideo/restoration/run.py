"""The way of a frame, from the file that is read to the file that is written."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.guard import guard
from gfpvideo.composite.mask import Parser, parsed
from gfpvideo.composite.paste import composite
from gfpvideo.composite.weigh import weigh
from gfpvideo.errors import InputError, OptionError, UnsupportedMediaError
from gfpvideo.faces.align import align
from gfpvideo.faces.choose import choose
from gfpvideo.faces.detect import detect
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.faces.shots import mark_shots
from gfpvideo.faces.track import Tracker, track
from gfpvideo.faces.tracks_file import recorded
from gfpvideo.frames import CroppedFrame, DetectedFrame, Frame, Report, RestoredFrame, TrackedFrame
from gfpvideo.generator.batches import BLOCK, generate
from gfpvideo.generator.engines.several import SeveralEngines
from gfpvideo.generator.generator import Generator, ModelFile, load_generator
from gfpvideo.media.assemble import Assembly
from gfpvideo.media.atomic import check_target, make_folder
from gfpvideo.media.container import Limits, open_on_device
from gfpvideo.media.enlarge import Enlarge
from gfpvideo.media.fields import fields_of
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.space import check_space
from gfpvideo.media.span import Span
from gfpvideo.media.still import PICTURE_SUFFIXES, check_picture_target, read_picture, write_picture
from gfpvideo.media.target import default_target, settle
from gfpvideo.networks.weights import installed, sha256
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.fingerprint import Identity
from gfpvideo.restoration.jobs.journal import Journal, open_journal
from gfpvideo.restoration.jobs.segments import Memory, write_segments
from gfpvideo.stages.run import Stages
from gfpvideo.temporal.steady import steady

_log = logging.getLogger(__name__)
_FADE = 6
"""Frames either side over which the share of a restoration is averaged, so that it fades and never switches."""
TELECINE = ("fieldmatch", "bwdif=mode=send_frame:deint=interlaced", "decimate")
"""Filters that undo telecine; what is still combed then gets its own deinterlacing."""
_NO_THUMBNAIL = np.empty((0, 0, 3), np.uint8)
_QUEUE = 4
"""Frames that wait between two threads."""
_FILMS_ALONE = (
    "start", "end", "hwaccel", "compare", "tracks", "filters", "filters_after", "upscale", "background_model",
    "audio_codec",
)  # fmt: skip
"""Options that mean nothing to a picture."""
_CONTINUE = 0.6
"""Share of the least score at which a detection still goes on with a track that exists."""


@dataclass(frozen=True)
class Progress:
    """What a caller is told after each frame."""

    restored: RestoredFrame
    done: int
    """Frames that are finished, those of earlier runs included."""
    expected: int | None
    """About how many frames there will be, if the container knows."""


OnFrame = Callable[[Progress], None]


def restore(
    source: str | Path,
    target: str | Path | None = None,
    options: RestoreOptions | None = None,
    *,
    on_frame: OnFrame | None = None,
    stop: Event | None = None,
) -> Report:
    """Restore the faces of a film, a picture, or a folder of pictures.

    Args:
        source: what to restore.
        target: where to write it; by default beside the source, with ``.restored`` before the suffix.
        options: how; the defaults suit most films.
        on_frame: called after every frame that is written.
        stop: when set, a film is interrupted at the end of the segment that is being written; the work is kept.

    Returns:
        What was done. ``report.exit_code`` is 1 if something deserves a warning.

    Raises:
        GfpvideoError: if the source cannot be restored or the target not be written; no target is left then.
    """
    source, options = Path(source), options or RestoreOptions()
    _check_kind(source, options)
    remarks: list[str] = []
    if source.is_file() and source.suffix.lower() not in PICTURE_SUFFIXES:
        options, remarks = settle(source, Path(target) if target is not None else None, options)
    target = _target(source, Path(target) if target is not None else None, options)
    started = time.monotonic()
    _log.info("%s -> %s, %s", source, target, options.model_dump(exclude_defaults=True))
    if source.is_dir():
        report = _restore_folder(source, target, _one_by_one(options), on_frame)
    elif source.suffix.lower() in PICTURE_SUFFIXES:
        report = _restore_picture(source, target, Restorer.load(_one_by_one(options)), on_frame)
    else:
        report = _restore_film(source, target, options, on_frame, stop)
    report.warnings = [*remarks, *report.warnings]
    report.seconds = time.monotonic() - started
    for warning in report.warnings:
        _log.warning("%s", warning)
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.stages.items())
    _log.info("%d frames, %d faces in %.1f s (%s)", report.frames, report.faces, report.seconds, stages)
    return report


def _one_by_one(options: RestoreOptions) -> RestoreOptions:
    """The same options for pictures, which seldom hold more than a few faces: each gets the whole processor."""
    return options.model_copy(update={"batch": 1})


def _check_kind(source: Path, options: RestoreOptions) -> None:
    """Refuse what makes sense for films alone."""
    film = not source.is_dir() and source.suffix.lower() not in PICTURE_SUFFIXES
    for name in () if film else _FILMS_ALONE:
        if getattr(options, name) != RestoreOptions.model_fields[name].default:
            raise OptionError(f"{source}: option {name.replace('_', '-')} is for films, not for pictures")


def _target(source: Path, target: Path | None, options: RestoreOptions) -> Path:
    """Where to write, checked as far as it can be before any work."""
    if not source.exists():
        raise InputError(f"{source}: no such file")
    picture = source.suffix.lower() in PICTURE_SUFFIXES
    if target is None and (source.is_dir() or picture):
        target = source.with_name(f"{source.stem}.restored{source.suffix}")
    elif picture and target is not None:
        check_picture_target(target, source)
    elif target is None:
        target = default_target(source, options.codec, options.container)
    if target.exists() and target.samefile(source):
        raise OptionError(f"{target}: target and source are the same file; give another name with -o")
    return target


@dataclass
class Restorer:
    """The networks, loaded once, and who is restored."""

    options: RestoreOptions
    detector: Detector
    generator: Generator
    parser: Parser | None = None
    enlarge: Enlarge | None = None
    chosen: Collection[int] = ()
    """Numbers of the tracks to restore; none for all."""

    @classmethod
    def load(cls, options: RestoreOptions) -> "Restorer":
        """Load what ``options`` name."""
        return cls(options, *load_networks(options), load_parser(options), load_upscaler(options), options.only)

    def report(self, source: Path, target: Path) -> Report:
        """The report of a restoration that begins."""
        return Report(str(source), str(target), self.generator.model.name, self.generator.engine.name)

    def followed(
        self, frames: Iterator[tuple[Frame, bool]], tracker: Tracker, stages: Stages, memory: Memory | None = None
    ) -> Iterator[TrackedFrame]:
        """Frames with all faces that were found and followed, or that a file says are there."""
        if self.options.tracks is not None:
            return recorded(frames, self.options.tracks, self.options.detector)
        every = self.options.detect_every
        found = detect(frames, self.detector, every) if memory is None else memory.detect(frames, self.detector, every)
        return track(map(_searched, stages.timed("detect", found)), tracker)

    def choose_like_reference(self, frames: Iterator[Frame], tracker: Tracker) -> None:
        """Choose the tracks that look like the person of ``--reference``; takes a pass over all frames.

        Raises:
            WeightsError: if ArcFace's weights are missing.
            InputError: if the reference shows no face, or nobody looks like it.
        """
        options = self.options
        if options.reference is None:
            return
        weights = installed("arcface-resnet18", options.weights_dir)
        from gfpvideo.networks.arcface import load_arcface
        from gfpvideo.restoration import who

        network = load_arcface(weights)
        wanted = who.embed(network, who.portrait(options.reference, self.detector, options.min_score)[None])
        with Stages() as stages:
            followed = self.followed(mark_shots(frames), tracker, stages)
            cropped = align(followed, who.SIDE, self.detector.landmarks_512)
            found = who.similarities(cropped, network, wanted)
        self.chosen = frozenset(number for number, cosine in found.items() if cosine >= options.likeness)
        if not self.chosen:
            nearest = f"the nearest has {max(found.values()):.2f}" if found else "there is no face at all"
            raise InputError(
                f"{options.reference}: nobody in the film looks like it by {options.likeness:g} ({nearest});"
                " lower --likeness, or choose with gfpvideo inspect"
            )

    def faces(
        self, frames: Iterator[tuple[Frame, bool]], tracker: Tracker, stages: Stages, memory: Memory | None = None
    ) -> Iterator[RestoredFrame]:
        """The middle of the pipeline: frames with their shot marks in, restored frames out.

        With a ``memory``, frames that its journal has finished are followed, but not restored again.
        """
        followed, first = self.followed(frames, tracker, stages, memory), 0
        if memory is not None:
            first = memory.journal.next_index or 0
            followed = (frame for frame in followed if frame.frame.index >= first - lookback(self.options))
        tracked = stages.ahead(stages.timed("track", self.selected(followed)), _QUEUE)
        cropped = stages.ahead(self.cropped(tracked, stages, first), _QUEUE)
        generated = stages.ahead(self.generated(cropped, stages), _QUEUE)
        return self.pasted(generated, stages)

    def selected(self, frames: Iterator[TrackedFrame]) -> Iterator[TrackedFrame]:
        """Frames with the faces alone that are to be restored."""
        options = self.options
        if self.chosen or options.skip or options.max_faces:
            return choose(frames, self.chosen, options.skip, options.max_faces)
        return frames

    def cropped(self, frames: Iterator[TrackedFrame], stages: Stages, first: int = 0) -> Iterator[CroppedFrame]:
        """Frames with their crops, and how much of its restoration each should get.

        Args:
            frames: frames with their faces, from :func:`lookback` frames before ``first`` on.
            stages: measures.
            first: index of the first frame that is wanted; a few before it come along, for those after to look back at.
        """
        options = self.options
        cropped = stages.timed("align", align(frames, self.generator.size, self.detector.landmarks_512))
        if options.adapt:
            cropped = stages.timed("weigh", weigh(cropped, _FADE, options.min_face))
        begin = (first - options.steady) // BLOCK * BLOCK
        return (frame for frame in cropped if frame.frame.index >= begin)

    def generated(self, cropped: Iterator[CroppedFrame], stages: Stages) -> Iterator[CroppedFrame]:
        """Frames with their restored crops."""
        return stages.timed("generate", generate(cropped, self.generator, self.options.batch, self.options.reuse))

    def pasted(self, generated: Iterator[CroppedFrame], stages: Stages) -> Iterator[RestoredFrame]:
        """Frames with their restored crops in place."""
        options = self.options
        if self.parser is not None:
            generated = stages.timed("parse", parsed(generated, self.parser))
        if options.guard:
            generated = stages.timed("guard", guard(generated))
        if options.steady:
            generated = stages.timed("steady", steady(generated, options.steady, options.grain))
        return stages.timed("composite", composite(generated, strength=options.strength, color=options.color))


def _searched(detected: DetectedFrame) -> DetectedFrame:
    """The same frame without its thumbnail, which nothing needs any more: dozens of frames wait further on."""
    return replace(detected, frame=replace(detected.frame, thumbnail=_NO_THUMBNAIL))


def lookback(options: RestoreOptions) -> int:
    """Frames before a frame that its restoration may depend on."""
    return options.steady + BLOCK + (_FADE + 1 if options.adapt else 0)


def lookahead(options: RestoreOptions) -> int:
    """Frames after a frame that its restoration may depend on, once faces have been followed."""
    return options.steady + (_FADE if options.adapt else 0)


def load_networks(options: RestoreOptions) -> tuple[Detector, Generator]:
    """The detector and the generator that ``options`` name.

    Raises:
        WeightsError: if weights are missing or damaged.
        EngineError: if the engine, device or precision is not to be had here.
    """
    weights = installed("retinaface-resnet50", options.weights_dir) if options.detector == "retinaface" else None
    generators = [
        load_generator(
            options.model,
            options.engine,
            device,
            options.precision,
            weights_dir=options.weights_dir,
            together=options.batch,
            compiler=options.compiler,
        )
        for device in options.devices or (options.device,)
    ]
    detector = make_detector(options.detector, options.min_score * _CONTINUE, weights)
    if len(generators) == 1:
        return detector, generators[0]
    shared = SeveralEngines([generator.engine for generator in generators])
    return detector, Generator(generators[0].model, shared)


def picture_tracker(options: RestoreOptions) -> Tracker:
    """The tracker of a picture, or of a frame that is looked at by itself."""
    return Tracker(0, 0, options.min_score, options.min_face)


def crops_of(films: Sequence[Path], options: RestoreOptions, count: int) -> tuple[ModelFile, NDArray[np.float32]]:
    """The model that ``options`` name, and up to ``count`` crops as it would see them, spread over the films.

    Returns:
        The model, and (N, 3, S, S) float32 RGB in [-1, 1].

    Raises:
        GfpvideoError: if a film cannot be read or the model not be loaded.
    """
    detector, generator = load_networks(options)
    crops: list[NDArray[np.float32]] = []
    for film in films:
        with open_film(film, options) as source:
            searched = detect(mark_shots(source.frames()), detector, options.detect_every)
            cropped = align(track(searched, film_tracker(options)), generator.size, detector.landmarks_512)
            found = [crop.source.transpose(2, 0, 1) for frame in cropped for crop in frame.crops[:1]]
        step = max(1, len(found) * len(films) // count)
        crops += found[::step]
    empty = np.zeros((0, 3, generator.size, generator.size), np.float32)
    return generator.model, np.stack(crops[:count]) if crops else empty


def load_parser(options: RestoreOptions) -> Parser | None:
    """ParseNet, if ``options`` want its masks.

    Raises:
        WeightsError: if its weights are missing or damaged.
    """
    if options.mask != "parsing":
        return None
    weights = installed("parsenet", options.weights_dir)
    from gfpvideo.networks.parsenet import FaceParser

    return FaceParser(weights)


def load_upscaler(options: RestoreOptions) -> Enlarge | None:
    """The network that enlarges whole pictures, if ``options`` name one.

    Raises:
        WeightsError: if it cannot be used.
    """
    if options.background_model is None:
        return None
    from gfpvideo.networks.upscaler import Upscaler

    return Upscaler(options.background_model, options.upscale, options.device)


def film_tracker(options: RestoreOptions) -> Tracker:
    """The tracker of a film, as ``options`` want it."""
    return Tracker(options.lag, options.max_gap, options.min_score, options.min_face, smooth=options.smooth)


def open_film(source: Path, options: RestoreOptions) -> VideoSource:
    """The part of a film that ``options`` want; a file of tracks numbers frames from the film's beginning."""
    limits = Limits(options.max_side, options.max_streams)
    return VideoSource(
        source,
        options.detect_size,
        Span(options.start or Fraction(0), options.end),
        count_all=options.tracks is not None,
        filters=[*_whole_pictures(source, options, limits), *options.filters],
        limits=limits,
        container=None if options.hwaccel is None else open_on_device(source, options.hwaccel),
    )


def _whole_pictures(source: Path, options: RestoreOptions, limits: Limits) -> list[str]:
    """What makes whole pictures of fields, before all else: faces must not be combed.

    Raises:
        UnsupportedMediaError: if the film is interlaced and no option says what is to be done about it.
    """
    if options.telecine:
        return list(TELECINE)
    if options.deinterlace is False:
        return []
    fields = fields_of(source, limits)
    if fields == "progressive":
        return []
    if options.deinterlace is None:
        raise UnsupportedMediaError(
            f"{source}: the film is interlaced; give --deinterlace (or --telecine, if a film was made 30 frames a"
            " second for TV), or --no-deinterlace to keep its fields"
        )
    return ["setfield=mode=" + {"top": "tff", "bottom": "bff"}[fields], "bwdif=mode=send_frame:deint=all"]


def _restore_film(
    source: Path, target: Path, options: RestoreOptions, on_frame: OnFrame | None, stop: Event | None
) -> Report:
    check_target(target, overwrite=options.overwrite)
    with open_film(source, options) as film:
        assembly = Assembly(film, target, options.overwrite, options.strict, options.audio_codec, options.audio_kbits)
        assembly.plan()
        if options.disk_check:
            check_space(target, film, options)
        restorer = Restorer.load(options)
        if options.reference is not None:
            with open_film(source, options) as again:
                restorer.choose_like_reference(again.frames(), film_tracker(options))
        identity = Identity.of(
            source, options, f"{sha256(restorer.generator.model.path)} {restorer.generator.engine.name}"
        )
        with open_journal(target, identity, resume=options.resume) as journal:
            report = _with_segments(film, journal, restorer, target, on_frame, stop)
            assembly.write(journal.segments())
        report.copied = assembly.copied
        report.warnings = [*film.warnings, *assembly.warnings, *report.warnings]
    return report


def _with_segments(
    film: VideoSource,
    journal: Journal,
    restorer: Restorer,
    target: Path,
    on_frame: OnFrame | None,
    stop: Event | None,
) -> Report:
    """Restore what no segment of the journal holds yet."""
    report = restorer.report(film.path, target)
    for record in journal.records:
        report.add(len(record.pts), record.faces, record.spared, record.tracks)
    report.resumed = report.frames
    memory = Memory(journal)
    encoder = SegmentEncoder(film, restorer.options, restorer.enlarge)
    with Stages() as stages:
        decoded = stages.ahead(stages.timed("decode", film.frames()), _QUEUE)
        marked = stages.timed("shots", mark_shots(decoded))
        restored = stages.ahead(restorer.faces(marked, film_tracker(restorer.options), stages, memory), _QUEUE)
        encoded = stages.timed("encode", write_segments(restored, memory, encoder, restorer.options.segment, stop))
        _count(encoded, report, film.expected_frames, on_frame)
    report.warnings += encoder.warnings
    report.stages = stages.seconds
    return report


def _count(frames: Iterator[RestoredFrame], report: Report, expected: int | None, on_frame: OnFrame | None) -> None:
    """Pull every frame through the pipeline and keep count."""
    for restored in frames:
        report.add(1, len(restored.touched), restored.spared, (number for number, _ in restored.touched))
        if on_frame is not None:
            on_frame(Progress(restored, report.frames, expected))


def _restore_picture(source: Path, target: Path, restorer: Restorer, on_frame: OnFrame | None) -> Report:
    """A photograph goes the same way: it is a film of one frame, tracked over nothing."""
    options = restorer.options
    check_target(target, overwrite=options.overwrite)
    report = restorer.report(source, target)
    picture = read_picture(source, options.detect_size, target)
    tracker = picture_tracker(options)
    restorer.choose_like_reference(iter([picture.frame]), picture_tracker(options))
    with Stages() as stages:
        for restored in restorer.faces(iter([(picture.frame, True)]), tracker, stages):
            write_picture(picture, restored, target, overwrite=options.overwrite)
            report.warnings += picture.warnings
            _count(iter([restored]), report, 1, on_frame)
    return report


def _restore_folder(source: Path, target: Path, options: RestoreOptions, on_frame: OnFrame | None) -> Report:
    """Every picture of a folder, into another folder; one that cannot be restored is skipped with a warning."""
    pictures = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise InputError(f"{source}: the folder holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    restorer = Restorer.load(options)
    make_folder(target)
    report = restorer.report(source, target)
    for path in pictures:
        try:
            one = _restore_picture(path, target / path.name, restorer, on_frame)
        except (InputError, UnsupportedMediaError) as error:
            report.warnings.append(f"skipped: {error}")
            continue
        report.frames += 1
        report.faces += one.faces
        report.warnings += one.warnings
    if not report.frames:
        with suppress(OSError):  # the folder may have been there before, with other things in it
            target.rmdir()
        raise InputError(f"{source}: not one of its {len(pictures)} pictures could be restored; {report.warnings[0]}")
    return report
