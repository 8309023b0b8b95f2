"""Score restored pictures: against clean ones that are there, or on faces that are degraded for the purpose."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from torch import Tensor

from gfpvideo.errors import InputError
from gfpvideo.evaluate.metrics import Scorer, available, definitions, scorer, to_tensor
from gfpvideo.evaluate.pairs import Pair, Picture
from gfpvideo.evaluate.report import Evaluation, Example
from gfpvideo.generator.generator import Generator
from gfpvideo.pixels.color import to_bytes
from gfpvideo.train.data import load_faces
from gfpvideo.train.degrade import Degradation, degrade

PAPER = Degradation(grey=0.0, jitter=0.0)
"""Equation 7 with the ranges of section 4.1; colour jitter is for training, no network can know the colour before."""

_BATCH = 8

OnPicture = Callable[[int], None]


def compare(
    pairs: Iterator[Pair],
    *,
    faces: bool,
    weights_dir: Path | None = None,
    examples: int = 0,
    on_picture: OnPicture | None = None,
) -> Evaluation:
    """Score pairs of restored and clean pictures.

    Args:
        pairs: see :mod:`gfpvideo.evaluate.pairs`.
        faces: whether they are aligned faces.
        weights_dir: where downloaded weights lie.
        examples: how many pairs to keep for the report.
        on_picture: called with the number of pictures so far.
    """
    usable, left_out = available(definitions(weights_dir), faces=faces)
    scores, count = scorer(usable), 0
    evaluation = Evaluation(usable, 0, left_out=left_out)
    for pair in pairs:
        scores.add(_tensor([pair.restored]), _tensor([pair.clean]))
        count += 1
        if len(evaluation.examples) < examples:
            evaluation.examples.append(Example(pair.name, (pair.restored, pair.clean)))
        if on_picture is not None:
            on_picture(count)
    evaluation.count = count
    evaluation.columns["restored"] = scores.values()
    return evaluation


def benchmark(
    folder: Path,
    generators: dict[str, Generator],
    *,
    numbers: range | None = None,
    degradation: Degradation = PAPER,
    seed: int = 0,
    weights_dir: Path | None = None,
    examples: int = 0,
    on_picture: OnPicture | None = None,
) -> Evaluation:
    """Degrade clean faces, restore them, and score both: the paper's CelebA-Test, made from any folder of faces.

    Picture ``i`` is degraded with the random numbers of ``(seed, i)``, so every run and model sees the same faces.

    Args:
        folder: aligned faces.
        generators: models to compare, by the name of their column; all of one size.
        numbers: file names to use, as numbers; ``None`` for all.
        degradation: what is done to the faces.
        seed: start of the random numbers.
        weights_dir: where downloaded weights lie.
        examples: how many faces to keep for the report.
        on_picture: called with the number of pictures so far.

    Raises:
        InputError: if there are no faces, or the models differ in size.
    """
    sizes = {generator.size for generator in generators.values()}
    if len(sizes) != 1:
        raise InputError(f"the models restore faces of different sizes ({sorted(sizes)}): compare them one by one")
    faces = load_faces(folder, sizes.pop(), numbers).pictures
    usable, left_out = available(definitions(weights_dir), faces=True)
    columns = ["degraded", *generators]
    scores = {name: scorer(usable) for name in columns}
    evaluation = Evaluation(usable, len(faces), left_out=left_out)
    aged = _aged(faces, degradation, seed)
    for first in range(0, len(faces), _BATCH):
        degraded, clean = (list(side) for side in zip(*islice(aged, _BATCH), strict=True))
        states = [degraded, *(_restored(generator, degraded) for generator in generators.values())]
        _score(scores, dict(zip(columns, states, strict=True)), clean)
        for row in zip(*states, clean, strict=True):
            if len(evaluation.examples) < examples:
                evaluation.examples.append(Example(f"face {len(evaluation.examples) + 1}", row))
        if on_picture is not None:
            on_picture(min(first + _BATCH, len(faces)))
    evaluation.columns = {name: scores[name].values() for name in columns}
    return evaluation


def _aged(faces: list[Picture], degradation: Degradation, seed: int) -> Iterator[tuple[Picture, Picture]]:
    for index, face in enumerate(faces):
        random = np.random.default_rng((seed, index))
        aged, clean = degrade(face.astype(np.float32) / np.float32(255), degradation, random)
        yield to_bytes(aged), to_bytes(clean)


def _restored(generator: Generator, faces: list[Picture]) -> list[Picture]:
    crops = np.stack(faces).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1
    return [to_bytes((crop.transpose(1, 2, 0) + 1) / 2) for crop in generator(crops)]


def _score(scores: dict[str, Scorer], states: dict[str, list[Picture]], clean: list[Picture]) -> None:
    truth = _tensor(clean)
    for name, pictures in states.items():
        scores[name].add(_tensor(pictures), truth)


def _tensor(pictures: list[Picture]) -> Tensor:
    """(B, 3, H, W) float32 in [0, 1]."""
    return to_tensor([picture.astype(np.float32) / np.float32(255) for picture in pictures])
