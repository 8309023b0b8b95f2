"""Look at a restoration before it is made: the best moment of each shot, before and after."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Event as Flag

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError, StoppedError
from gfpvideo.faces.align import template
from gfpvideo.faces.choose import choose
from gfpvideo.frames import Face, Frame, Known, RestoredFrame, TrackedFrame
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.geometry import Affine, face_size, similarity_transform
from gfpvideo.pixels.patches import window
from gfpvideo.restoration.load import Parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.survey import Survey
from gfpvideo.restoration.way import follow, reach, restore_faces
from gfpvideo.restoration.who import choose_in_film
from gfpvideo.stages.run import Run
from gfpvideo.stages.spread import Spread

_AROUND = 6.0
"""Side of what is shown around a face, in distances from eyes to mouth."""


@dataclass(frozen=True)
class Moment:
    """A face in a frame of a film, before and after."""

    index: int
    """The frame."""
    time: Fraction
    """Seconds from the film's beginning."""
    track: int
    """Number of the face's track, as everywhere."""
    before: NDArray[np.uint8]
    """(side, side, 3) upright RGB around the face."""
    after: NDArray[np.uint8]
    """The same, restored."""


@dataclass(frozen=True)
class _Place:
    """Where a moment will be shown."""

    index: int
    face: Face

    @property
    def size(self) -> float:
        return face_size(self.face.landmarks)


def moments(
    source: Path,
    options: RestoreOptions,
    parts: Parts,
    *,
    most: int = 12,
    side: int = 320,
    on_frame: Callable[[int], None] | None = None,
    stop: Flag | None = None,
) -> list[Moment]:
    """The largest chosen face of each shot, restored as it will be in the film, its neighbours in time included.

    Args:
        source: the film; it is read twice.
        options: how it would be restored, and which part of it.
        parts: the networks.
        most: moments at most, spread evenly over the film.
        side: side of their pictures.
        on_frame: called with the number of frames followed so far.
        stop: when set, nothing more is read.

    Raises:
        StoppedError: if ``stop`` is set.
        InputError: if the film cannot be read, or shows no face that is to be restored.
    """
    stop = stop or Flag()
    options = _chosen(source, options, parts, stop)
    known: dict[int, Known] = {}
    places: Spread[_Place] = Spread(most)
    with open_film(source, options) as film, Run() as run:
        followed = follow(run("decode", film.frames(), thread=True), parts, options, run)
        for place in _largest_of_shots(_noted(followed, known, on_frame, stop), options):
            places.add(place)
    if not places.items:
        raise InputError(f"{source}: no face was found that is to be restored")
    with open_film(source, options) as film:
        tracked = (known.get(frame.index, Known()).of(frame) for frame in film.frames())
        shown = _restored(tracked, places.items, parts, options)
        return [_shown(restored, place, side, partial(_around, side=side)) for place, restored in shown]


def moments_of_tracks(
    source: Path, options: RestoreOptions, parts: Parts, found: Survey, *, each: int, side: int
) -> Iterator[Moment]:
    """A few moments of every track, in the order of the film, each face upright and as large as the others.

    Each is restored as it will be in the film, but for other faces that touch it.

    Args:
        source: the film that was surveyed; it is read again.
        options: how it was surveyed, and would be restored.
        parts: the networks.
        found: who is in it.
        each: moments of a track at most.
        side: side of their pictures.

    Raises:
        InputError: if the film cannot be read.
    """
    if options.around == "picture":  # only faces are shown, and where shots begin was not kept
        options = options.model_copy(update={"around": "crop"})
    faces, target = found.tracks.by_frame(), template(side, parts.landmarks_512)
    places = sorted(
        (_Place(index, face) for record in found.tracks.tracks for index, face in _picked(found, record.id, each)),
        key=lambda place: place.index,
    )
    with open_film(source, options, count_all=True) as film:
        tracked = (TrackedFrame(frame, faces.get(frame.index, ())) for frame in film.frames())
        for place, restored in _restored(tracked, places, parts, options, alone=True):
            yield _shown(restored, place, side, lambda face: similarity_transform(face.landmarks, target))


def _picked(found: Survey, track: int, each: int) -> list[tuple[int, Face]]:
    """Frames and faces of a track: the first that was kept, the last, and what lies evenly between."""
    crops, indexes = found.crops[track], found.indexes[track]
    picked = sorted({round(place) for place in np.linspace(0, len(crops) - 1, each)})
    return [(indexes[number], crops[number].face) for number in picked]


def _chosen(source: Path, options: RestoreOptions, parts: Parts, stop: Flag) -> RestoreOptions:
    """The options with the tracks chosen that are among the persons asked for."""
    choosing = choose_in_film(source, options, parts, stop)
    while True:
        try:
            next(choosing)
        except StopIteration as ended:
            return ended.value


def _noted(
    followed: Iterator[TrackedFrame],
    known: dict[int, Known],
    on_frame: Callable[[int], None] | None,
    stop: Flag,
) -> Iterator[TrackedFrame]:
    for count, tracked in enumerate(followed, 1):
        if stop.is_set():
            raise StoppedError("interrupted while looking for the moments to show")
        known[tracked.frame.index] = tracked.known
        if on_frame is not None:
            on_frame(count)
        yield tracked


def _largest_of_shots(frames: Iterator[TrackedFrame], options: RestoreOptions) -> Iterator[_Place]:
    best: _Place | None = None
    for tracked in choose(frames, options.only, options.skip, options.max_faces):
        if tracked.cut and best is not None:
            yield best
            best = None
        for face in tracked.faces:
            place = _Place(tracked.frame.index, face)
            best = place if best is None or place.size > best.size else best
    if best is not None:
        yield best


def _restored(
    frames: Iterator[TrackedFrame], places: list[_Place], parts: Parts, options: RestoreOptions, *, alone: bool = False
) -> Iterator[tuple[_Place, RestoredFrame]]:
    """Each place with its frame, restored out of the frames around it; ``alone``: no other face is restored there."""
    around = reach(options)
    held: deque[TrackedFrame] = deque(maxlen=around.back + 1 + around.ahead)
    waiting = deque(places)
    for tracked in frames:
        held.append(tracked)
        while waiting and tracked.frame.index >= waiting[0].index + around.ahead:
            yield _one(held, waiting.popleft(), parts, options, alone)
        if not waiting:
            return
    while waiting and held:
        yield _one(held, waiting.popleft(), parts, options, alone)


def _one(
    held: "deque[TrackedFrame]", place: _Place, parts: Parts, options: RestoreOptions, alone: bool
) -> tuple[_Place, RestoredFrame]:
    if alone:
        options = options.model_copy(update={"only": (place.face.track,)})
    with Run(threads=False) as run:
        return place, next(restore_faces(iter(held), parts, options, run, place.index))


def _shown(restored: RestoredFrame, place: _Place, side: int, seen: Callable[[Face], Affine]) -> Moment:
    frame: Frame = restored.frame
    (face,) = (face for face in restored.faces if face.track == place.face.track)  # as large as the frame is now
    to_window = seen(face)
    before, after = (window(item, to_window, (side, side)) for item in (RestoredFrame(restored.source, ()), restored))
    return Moment(frame.index, frame.pts * frame.time_base, place.face.track, before, after)


def _around(face: Face, side: int) -> Affine:
    """From display coordinates to a window with sides of ``side`` pixels, the face in its middle."""
    scale = side / (_AROUND * face_size(face.landmarks))
    shift = np.full(2, (side - 1) / 2) - scale * face.landmarks.mean(axis=0)
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
