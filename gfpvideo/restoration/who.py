"""Who in a film is one of the people in some pictures: `restore --person`."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from threading import Event as Flag

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError, StoppedError
from gfpvideo.frames import Crop, Frame
from gfpvideo.media.still import read_picture
from gfpvideo.networks.likeness import Picture, Recogniser, likeness, picture_of
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.geometry import face_size
from gfpvideo.restoration.events import Following
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.opening import for_stills, open_film
from gfpvideo.restoration.way import cut_out, follow
from gfpvideo.stages.run import Run
from gfpvideo.stages.spread import Spread

SIDE = 256
"""Side of the crops that are compared."""
_LOOKS = 8
"""Crops of a track that are compared at most."""


def choose_persons(
    frames: Iterator[Frame], expected: int | None, options: RestoreOptions, parts: Finder, stop: Flag
) -> Generator[Following, None, RestoreOptions]:
    """Follow everybody in ``frames``; returns the options with those tracks chosen that are one of the persons.

    Raises:
        StoppedError: if ``stop`` is set meanwhile.
        EngineError: if the extra `[likeness]` is missing.
        InputError: if a picture shows no face, or nobody is one of the persons.
    """
    if not options.person:
        return options
    recogniser = Recogniser()
    wanted = [recogniser([picture_of(portrait(path, parts, options))]) for path in options.person]
    looks: dict[int, Spread[Picture]] = {}

    def note(crop: Crop) -> None:
        looks.setdefault(crop.face.track, Spread(_LOOKS)).offer(lambda: picture_of(crop.source))

    yield from look_at_everybody(frames, expected, options, parts, stop, note)
    alike = {
        track: max(likeness(recogniser(seen.items), person) for person in wanted)
        for track, seen in sorted(looks.items())
    }
    chosen = tuple(track for track, value in alike.items() if value >= options.likeness)
    if not chosen:
        raise InputError(_nobody(options, alike))
    return options.model_copy(update={"only": chosen})


def look_at_everybody(
    frames: Iterator[Frame],
    expected: int | None,
    options: RestoreOptions,
    parts: Finder,
    stop: Flag,
    note: Callable[[Crop], object],
) -> Iterator[Following]:
    """Follow everybody, and have each crop with sides of ``SIDE`` pixels noted.

    Raises:
        StoppedError: if ``stop`` is set meanwhile.
    """
    everybody = options.model_copy(update={"only": (), "skip": (), "max_faces": None})
    with Run() as run:
        cropped = cut_out(follow(frames, parts, everybody, run), parts, everybody, run, SIDE)
        for done, frame in enumerate(cropped, 1):
            if stop.is_set():
                raise StoppedError("interrupted while looking for people; nothing was written")
            for crop in frame.crops:
                note(crop)
            yield Following(done, expected)


def choose_in_film(
    source: Path, options: RestoreOptions, parts: Finder, stop: Flag
) -> Generator[Following, None, RestoreOptions]:
    """The same for a film, which is read once for it, if persons are to be found; see :func:`choose_persons`."""
    if not options.person:
        return options
    with open_film(source, options) as film:
        return (yield from choose_persons(film.frames(), film.expected_frames, options, parts, stop))


def _nobody(options: RestoreOptions, found: dict[int, float]) -> str:
    nearest = f"the nearest has {max(found.values()):.2f}" if found else "there is no face at all"
    names = ", ".join(map(str, options.person))
    return (
        f"{names}: nobody in the film is that alike by {options.likeness:g} ({nearest});"
        " lower --likeness, or choose with gfpvideo inspect"
    )


def portrait(path: Path, parts: Finder, options: RestoreOptions) -> NDArray[np.float32]:
    """(S, S, 3) crop of the largest face of a picture.

    Raises:
        InputError: if the picture cannot be read, or shows no face.
    """
    alone = for_stills(options).model_copy(
        update={"only": (), "skip": (), "max_faces": None, "tracks": None, "detect_size": None, "min_face": 0.0}
    )
    with Run(threads=False) as run:
        followed = follow(iter([read_picture(path).frame]), parts, alone, run)
        (found,) = cut_out(followed, parts, alone, run, SIDE)
    if not found.crops:
        raise InputError(f"{path}: no face was found; give a picture that shows the person's face")
    return max(found.crops, key=lambda crop: face_size(crop.face.landmarks)).source
