"""Who in a film looks like the person of a picture: `restore --reference`.

ArcFace turns aligned faces into vectors whose angle tells persons apart. Its weights could not be had where gfpvideo is
developed: what is tested is the way there, with random weights, not the threshold, which is a usual one for ArcFace.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError, StoppedError
from gfpvideo.frames import Frame
from gfpvideo.media.still import read_picture
from gfpvideo.networks.weights import installed
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.geometry import face_size
from gfpvideo.restoration.events import Following
from gfpvideo.restoration.load import Finder, device_of
from gfpvideo.restoration.opening import for_stills, open_film
from gfpvideo.restoration.way import cut_out, follow
from gfpvideo.stages.run import Run
from gfpvideo.stages.spread import Spread

if TYPE_CHECKING:
    from gfpvideo.networks.arcface import ArcFace

SIDE = 256
"""Side of the crops that are compared."""
_LOOKS = 8
"""Crops of a track that are compared at most."""

Embedding = NDArray[np.float32]
"""(512,) of length 1."""


def choose_like_reference(
    frames: Iterator[Frame], expected: int | None, options: RestoreOptions, parts: Finder, stop: Flag
) -> Generator[Following, None, RestoreOptions]:
    """Follow everybody in ``frames``; returns the options with those tracks chosen that look like the reference.

    Raises:
        StoppedError: if ``stop`` is set meanwhile.
        WeightsError: if ArcFace's weights are missing.
        InputError: if the reference shows no face, or nobody looks like it.
    """
    if options.reference is None:
        return options
    weights = installed("arcface-resnet18", options.weights_dir)
    from gfpvideo.networks.arcface import load_arcface

    network = load_arcface(weights, device_of(options))
    wanted = embed(network, portrait(options.reference, parts, options)[None])
    looks: dict[int, Spread[NDArray[np.float32]]] = {}
    everybody = options.model_copy(update={"only": (), "skip": (), "max_faces": None})
    with Run() as run:
        cropped = cut_out(follow(frames, parts, everybody, run), parts, everybody, run, SIDE)
        for done, frame in enumerate(cropped, 1):
            if stop.is_set():
                raise StoppedError(
                    f"{options.reference}: interrupted while looking for the person; nothing was written"
                )
            for crop in frame.crops:
                looks.setdefault(crop.face.track, Spread(_LOOKS)).add(crop.source)
            yield Following(done, expected)
    cosines = {track: float(embed(network, np.stack(seen.items)) @ wanted) for track, seen in sorted(looks.items())}
    chosen = tuple(track for track, cosine in cosines.items() if cosine >= options.likeness)
    if not chosen:
        raise InputError(_nobody(options, cosines))
    return options.model_copy(update={"only": chosen})


def choose_in_film(
    source: Path, options: RestoreOptions, parts: Finder, stop: Flag
) -> Generator[Following, None, RestoreOptions]:
    """The same for a film, which is read once for it, if there is a reference; see :func:`choose_like_reference`."""
    if options.reference is None:
        return options
    with open_film(source, options) as film:
        return (yield from choose_like_reference(film.frames(), film.expected_frames, options, parts, stop))


def _nobody(options: RestoreOptions, found: dict[int, float]) -> str:
    nearest = f"the nearest has {max(found.values()):.2f}" if found else "there is no face at all"
    return (
        f"{options.reference}: nobody in the film looks like it by {options.likeness:g} ({nearest});"
        " lower --likeness, or choose with gfpvideo inspect"
    )


def embed(network: "ArcFace", crops: NDArray[np.float32]) -> Embedding:
    """Mean direction of the faces of one person, (B, S, S, 3) RGB in [-1, 1]."""
    from gfpvideo.networks.arcface import embeddings

    vectors = embeddings(network, crops.transpose(0, 3, 1, 2).copy())
    mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


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
