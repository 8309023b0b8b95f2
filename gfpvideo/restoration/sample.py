"""Crops as a model would see them, spread over films: what eight-bit arithmetic is measured on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.generator.models import ModelFile
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import cut_out, follow
from gfpvideo.stages.run import Run
from gfpvideo.stages.spread import Spread

Pixels = NDArray[np.float32]


def crops_of(films: Sequence[Path], options: RestoreOptions, count: int) -> tuple[ModelFile, Pixels]:
    """The model that ``options`` name, and up to ``count`` crops as it would see them, spread over the films.

    Returns:
        The model, and (N, 3, S, S) float32 RGB in [-1, 1]; of a film no more than twice its part is ever held.

    Raises:
        GfpvideoError: if a film cannot be read or the model not be loaded.
    """
    parts = load_parts(options)
    size, each = parts.generator.size, -(-count // max(1, len(films)))
    found = [crop for film in films for crop in _spread(_crops(film, parts, options), each)]
    empty = np.zeros((0, 3, size, size), np.float32)
    return parts.generator.model, np.stack(found[:count]) if found else empty


def _crops(film: Path, parts: Parts, options: RestoreOptions) -> Iterator[Pixels]:
    """The first face of each frame, (3, S, S)."""
    with open_film(film, options) as source, Run() as run:
        followed = follow(run("decode", source.frames(), thread=True), parts, options, run)
        for frame in cut_out(followed, parts, options, run, parts.generator.size):
            yield from (crop.source.transpose(2, 0, 1) for crop in frame.crops[:1])


def _spread(crops: Iterator[Pixels], count: int) -> list[Pixels]:
    """``count`` of them, evenly: twice as many are kept on the way, for the stream's length is not known before."""
    kept: Spread[Pixels] = Spread(2 * count)
    for crop in crops:
        kept.add(crop)
    places = np.linspace(0, len(kept.items) - 1, min(count, len(kept.items)))
    return [kept.items[round(place)] for place in places]
