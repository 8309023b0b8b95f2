"""The way of a frame, all of it: from the picture that is decoded to the picture that is encoded.

Films, photographs, folders, pipes, VapourSynth, previews, sheets of tracks, measuring and training data are *ends* of
these three functions; none builds a chain of its own. What an end leaves out is an option.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from gfpvideo.composite import weigh as weighing
from gfpvideo.composite.around import surround
from gfpvideo.composite.detail import keep_detail
from gfpvideo.composite.enlarge import enlarge
from gfpvideo.composite.guard import guard
from gfpvideo.composite.mask import mask
from gfpvideo.composite.paste import paste
from gfpvideo.composite.weigh import weigh
from gfpvideo.faces.align import align
from gfpvideo.faces.choose import choose
from gfpvideo.faces.detect import Found, detect
from gfpvideo.faces.refine import describe
from gfpvideo.faces.shots import mark_shots, unmarked
from gfpvideo.faces.track import Tracker, track
from gfpvideo.faces.tracks_file import recorded
from gfpvideo.frames import CroppedFrame, Frame, GeneratedFrame, RestoredFrame, ShotFrame, TrackedFrame
from gfpvideo.generator import batches
from gfpvideo.generator.batches import first_of_block, generate
from gfpvideo.media.enlarge import Enlarger
from gfpvideo.media.patched import Repainter
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.load import Finder, Parts
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.run import Run
from gfpvideo.temporal import between
from gfpvideo.temporal import confirm as confirming
from gfpvideo.temporal import gather as gathering
from gfpvideo.temporal import picture as picturing
from gfpvideo.temporal import steady as steadying
from gfpvideo.temporal.believe import believe, weigh_belief
from gfpvideo.temporal.between import decided_by, fill, interval, made_of, spare
from gfpvideo.temporal.confirm import confirm
from gfpvideo.temporal.gather import gather
from gfpvideo.temporal.motion import follow_motion
from gfpvideo.temporal.picture import gather_picture
from gfpvideo.temporal.steady import steady

Counted = TypeVar("Counted", TrackedFrame, CroppedFrame, GeneratedFrame, RestoredFrame)


def follow(
    frames: Iterator[Frame],
    parts: Finder,
    options: RestoreOptions,
    run: Run,
    known: Mapping[int, Found] = MappingProxyType({}),
    shots: Callable[[Iterator[Frame]], Iterator[ShotFrame]] = mark_shots,
) -> Iterator[TrackedFrame]:
    """Frames with all faces that are found and followed in them, or that a file says are there.

    Args:
        frames: all frames of a film, or one picture.
        parts: what finds faces.
        options: how faces are found and followed.
        run: runs the stages.
        known: what was found in frames that need no search, by index.
        shots: marks where shots begin.
    """
    if options.tracks is not None and options.around != "picture":  # where shots begin, the tracks tell as well
        return run("track", recorded(unmarked(frames), options.tracks, options.placement), thread=True)
    marked = run("shots", shots(frames))
    if options.tracks is not None:
        return run("track", recorded(marked, options.tracks, options.placement), thread=True)
    found = run(
        "detect", detect(marked, parts.detector, options.detect_size, options.detect_every, known, parts.refiner)
    )
    tracker = Tracker(
        options.lag, min(options.max_gap, options.lag), options.min_score, options.min_face, smooth=options.smooth
    )
    return run("track", track(found, tracker), thread=True)


def cut_out(
    followed: Iterator[TrackedFrame], parts: Finder, options: RestoreOptions, run: Run, size: int
) -> Iterator[CroppedFrame]:
    """Frames with crops, sides of ``size`` pixels, of those faces that are chosen."""
    chosen = choose(followed, options.only, options.skip, options.max_faces)
    cropped = run("align", align(chosen, size, parts.landmarks_512))
    return run("describe", describe(cropped, parts.landmarks))


def restore_faces(
    followed: Iterator[TrackedFrame], parts: Parts, options: RestoreOptions, run: Run, first: int = 0
) -> Iterator[RestoredFrame]:
    """Frames with the patches that restore their chosen faces.

    Args:
        followed: frames with their faces, from ``reach(options).back`` frames before ``first`` on, or earlier.
        parts: the networks.
        options: how faces are restored.
        run: runs the stages.
        first: index of the first frame that is wanted: the same comes out whichever it is.
    """
    near = _since(followed, first - reach(options).back)
    cropped = cut_out(near, parts, options, run, parts.generator.size)
    weighed = run("weigh", weigh(cropped, options.min_face, adapt=options.adapt, times=options.upscale), thread=True)
    every, whole = interval(options.every), options.around == "picture"
    pictured = first - picturing.reach(on=whole).back
    wanted = first_of_block(pictured - steadying.reach(options.steady).back - made_of(every).back)
    gathering_from = wanted - confirming.reach(on=_confirming(options)).back
    apart = _since(weighed, gathering_from - gathering.reach(on=options.gather).back - decided_by(every).back)
    moving = run("motion", follow_motion(apart, on=options.gather or every > 1 or options.steady > 0))
    spared = run("spare", spare(moving, every))
    gathered = _since(run("gather", gather(spared, parts.gatherer), thread=True), gathering_from)
    confirmed = _since(run("confirm", confirm(gathered, on=_confirming(options))), wanted)
    made = run("generate", generate(confirmed, parts.generator, options.batch, options.reuse), thread=True)
    judged = run("judge", weigh_belief(made, parts.judge))
    filled = run("fill", fill(judged, every))
    taken = run("believe", believe(filled))
    masked = run("mask", mask(taken, options.mask, parts.parser))
    guarded = run("guard", guard(masked, on=options.guard))
    surrounded = run("around", surround(guarded, on=options.around != "none"))
    steadied = run("steady", steady(surrounded, options.steady, options.grain, repainted=whole))
    detailed = run("detail", keep_detail(steadied))
    plain = _since(detailed, pictured)
    scenes = run(
        "picture", gather_picture(plain, parts.scene, parts.scene_judge, Repainter(), options.strength), thread=whole
    )
    large = run("enlarge", enlarge(_since(scenes, first), _enlarger(parts, options)), thread=options.upscale > 1)
    match = options.grain == "match"
    return run("paste", paste(large, strength=options.strength, color=options.color, keep_grain=match), thread=True)


def _enlarger(parts: Parts, options: RestoreOptions) -> Enlarger | None:
    return Enlarger(options.upscale, parts.enlarge) if options.upscale > 1 else None


def _confirming(options: RestoreOptions) -> bool:
    return options.gather and options.adapt


def reach(options: RestoreOptions) -> Reach:
    """Frames around one that its restoration depends on, once faces have been followed."""
    before = weighing.reach(adapt=options.adapt) + gathering.reach(on=options.gather)
    before += confirming.reach(on=_confirming(options))
    after = between.reach(interval(options.every)) + steadying.reach(options.steady)
    return before + batches.reach() + after + picturing.reach(on=options.around == "picture")


def _since(frames: Iterator[Counted], first: int) -> Iterator[Counted]:
    return (frame for frame in frames if frame.frame.index >= first)
