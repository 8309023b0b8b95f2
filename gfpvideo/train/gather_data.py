"""Windows of frames for the network that gathers: moving faces, aged as one film, laid onto one another by their flow.

Window ``i`` depends on the seed and ``i`` alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from gfpvideo.errors import InputError
from gfpvideo.media.source import VideoSource
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.geometry import Affine, compose, invert, resample
from gfpvideo.temporal.gather import OFFSETS, network_input
from gfpvideo.temporal.motion import brought, compared, flow, joined
from gfpvideo.train.gather_options import FacesTable, Films, Stills
from gfpvideo.train.listing import by_number, key_of, pictures_in, taken
from gfpvideo.train.over_time import DAMAGES, hardly

Random = np.random.Generator
Bytes = NDArray[np.uint8]

SIDE = 256
"""Side of a crop."""
PATCH = 128
"""Side of the pieces that are learnt from."""
_KEPT = 288
"""Side of the pictures that are kept: a margin around the crop, so that it can be moved."""
_LENGTH = 9
"""Frames that are aged together: an encoder looks at more than a window."""
_FAR = 2.0
"""How much smaller than its crop a face of a good transfer may be."""
_PLACED = 0.25
"""Standard deviation, in pixels of the crop, of the error by which landmarks place each frame."""


@dataclass(frozen=True)
class Faces:
    """Films of faces, and single pictures."""

    films: list[Bytes]
    """Each (T, 288, 288, 3) RGB."""
    stills: list[Bytes]
    """Each (N, 288, 288, 3) RGB."""
    chances: NDArray[np.float64]
    """How often each entry of ``films`` and then of ``stills`` is drawn; their sum is 1."""


class Window(NamedTuple):
    """A crop with its neighbours, and what it should become."""

    seen: NDArray[np.float32]
    """(19, 256, 256), see :func:`gfpvideo.temporal.gather.network_input`."""
    clean: FloatImage
    """(256, 256, 3) RGB in [-1, 1]."""


def prepared(options: FacesTable, folder: Path) -> tuple[Faces, Faces]:
    """The faces to learn from and those held out, kept in ``folder`` after the first time.

    Raises:
        InputError: if a folder is missing or empty, a film too short, or one that is to be held out not there.
    """
    learn, held = [], []
    for path in _files(options.films):
        key = key_of(path.resolve(), path.stat().st_size, path.stat().st_mtime_ns)
        frames = _kept(folder / f"{path.stem}-{key}.npy", lambda path=path: np.stack(list(_film(path))))
        if len(frames) < _LENGTH:
            raise InputError(f"{path}: has {len(frames)} frames, {_LENGTH} or more are wanted")
        (held if path.stem in options.films.held else learn).append(frames)
    stills = [
        _kept(folder / f"{table.folder.name}-{key_of(table)}.npy", lambda table=table: _stills(table))
        for table in options.stills
    ]
    chances = [options.films.share * len(film) / sum(map(len, learn)) for film in learn]
    chances += [table.share for table in options.stills]
    even = np.full(len(held), 1 / max(1, len(held)))
    return Faces(learn, stills, np.array(chances) / np.sum(chances)), Faces(held, [], even)


def check_held(held: Faces) -> None:
    """Refuse to train what is to be checked by films without any.

    Raises:
        InputError: if there are none.
    """
    if not held.films:
        raise InputError("films.held: name at least one film that is not learnt from, to check by")


def _files(films: Films) -> list[Path]:
    found = sorted(path for path in films.folder.glob("*") if path.suffix.lower() in {".mp4", ".mkv", ".mov"})
    if all(path.stem in films.held for path in found):
        raise InputError(f"{films.folder}: no films to learn from")
    if unknown := set(films.held) - {path.stem for path in found}:
        raise InputError(f"{films.folder}: holds no film {sorted(unknown)[0]}, which is to be held out")
    return found


def _kept(path: Path, make: Callable[[], Bytes]) -> Bytes:
    if not path.is_file():
        scratch = path.with_suffix(".partial.npy")
        np.save(scratch, make())
        scratch.rename(path)
    return np.load(path, mmap_mode="r")


def _film(path: Path) -> Iterator[Bytes]:
    with VideoSource(path) as source:
        for frame in source.frames():
            if frame.size != (_KEPT, _KEPT):
                raise InputError(f"{path}: is {frame.size[0]}x{frame.size[1]}, {_KEPT}x{_KEPT} is wanted")
            yield np.ascontiguousarray(frame.thumbnail(_KEPT)[..., ::-1])


def _stills(table: Stills) -> Bytes:
    """Pictures at the scale of a film's: the aligned face fills the middle 256x256."""
    paths = sorted(pictures_in(table.folder), key=lambda path: by_number(path.name))
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in taken(paths, table.take, table.folder)]
    readable = [picture for picture in pictures if picture is not None]
    if not readable:
        raise InputError(f"{table.folder}: no pictures to learn from")
    margin = (_KEPT - SIDE) // 2
    small = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in readable]
    around = [cv2.copyMakeBorder(picture, margin, margin, margin, margin, cv2.BORDER_REFLECT_101) for picture in small]
    return np.stack(around)[..., ::-1].astype(np.uint8)


class Patches(Dataset[tuple[Tensor, Tensor]]):
    """Item ``i``: pieces (P, 19, 128, 128) of window ``i``, and what they should become, (P, 3, 128, 128)."""

    def __init__(self, faces: Faces, *, seed: int, patches: int, length: int) -> None:
        self._faces, self._seed, self._patches, self._length = faces, seed, patches, length

    def __len__(self) -> int:
        """Windows that can be asked for."""
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """See the class."""
        cv2.setNumThreads(0)
        random = np.random.default_rng([self._seed, index])
        window = drawn_window(self._faces, random)
        clean = window.clean.transpose(2, 0, 1)
        places = random.integers(0, (SIDE - PATCH) // 2 + 1, (self._patches, 2)) * 2
        cuts = [(slice(None), slice(y, y + PATCH), slice(x, x + PATCH)) for y, x in places]
        return (
            torch.from_numpy(np.stack([window.seen[cut] for cut in cuts])),
            torch.from_numpy(np.stack([clean[cut] for cut in cuts])),
        )


def drawn_window(faces: Faces, random: Random, damage: int | None = None) -> Window:
    """A window that chance makes; ``damage`` is a place in :data:`DAMAGES`, by default any."""
    frames = _moving(faces, random)
    if random.random() < 0.5:
        frames = frames[::-1]
    if random.random() < 0.5:
        frames = frames[:, :, ::-1]
    clean = np.ascontiguousarray(frames, np.float32) / np.float32(255)
    to_crop = _placements(random)
    aged = _aged_crops(clean, to_crop, random, damage)
    middle = _LENGTH // 2
    target = _cut(clean[middle], to_crop[middle])
    return Window(laid_together(aged, middle), np.asarray(target * 2 - 1, np.float32))


def laid_together(crops: Sequence[FloatImage], place: int) -> NDArray[np.float32]:
    """(19, S, S) what the network sees of crop ``place`` of consecutive crops (S, S, 3) in [-1, 1]."""
    small = {number: compared(rgb_to_ycc(crops[number])[0]) for number in range(place - 2, place + 3)}
    neighbours = []
    for offset in OFFSETS:
        step = 1 if offset > 0 else -1
        along = flow(small[place], small[place + step])
        if abs(offset) == 2:
            along = joined(along, flow(small[place + step], small[place + offset]))
        neighbours.append(brought(crops[place + offset], along))
    return network_input(crops[place], neighbours)


def _moving(faces: Faces, random: Random) -> NDArray:
    """(9, 288, 288, 3) consecutive frames of a film, now and then every second one, or a still that moves."""
    drawn = int(random.choice(len(faces.chances), p=faces.chances))
    if drawn >= len(faces.films):
        pictures = faces.stills[drawn - len(faces.films)]
        return _moved_still(pictures[int(random.integers(len(pictures)))], random)
    film = faces.films[drawn]
    stride = 2 if random.random() < 0.2 and len(film) >= 2 * _LENGTH else 1
    start = int(random.integers(len(film) - stride * (_LENGTH - 1)))
    return np.asarray(film[start : start + stride * _LENGTH : stride])


def _moved_still(picture: Bytes, random: Random) -> NDArray:
    """A still that drifts, turns, grows and bends smoothly, as a head that moves."""
    phases = random.uniform(0, 2 * np.pi, 4)
    speeds = random.uniform(0.1, 0.7, 4)
    sizes = random.normal(0, 1, 4) * [2.5, 2.5, 0.02, 0.012]
    bend = cv2.resize(
        random.standard_normal((5, 5, 2)).astype(np.float32), (_KEPT, _KEPT), interpolation=cv2.INTER_CUBIC
    )
    bend = bend * np.float32(random.uniform(0, 3))
    rows, columns = np.mgrid[0:_KEPT, 0:_KEPT].astype(np.float32)
    frames = []
    for time in range(_LENGTH):
        x, y, turn, grow = sizes * np.sin(phases + speeds * time)
        bent = bend * np.float32(np.sin(phases[3] + speeds[0] * time))
        across, down = columns - _KEPT / 2, rows - _KEPT / 2
        places = (
            np.float32(_KEPT / 2 + x) + (1 + grow) * across - turn * down + bent[..., 0],
            np.float32(_KEPT / 2 + y) + (1 + grow) * down + turn * across + bent[..., 1],
        )
        x_map, y_map = (np.asarray(place, np.float32) for place in places)
        frames.append(cv2.remap(picture, x_map, y_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))
    return np.stack(frames)


def _placements(random: Random) -> list[Affine]:
    """(2, 3) maps from the kept pictures to crops: about the middle, each off by what landmarks err."""
    margin = (_KEPT - SIDE) / 2
    base = random.uniform(-0.6, 0.6, 2) * margin + margin
    placed = []
    for _ in range(_LENGTH):
        turn, grow = random.normal(0, 0.001), 1 + random.normal(0, 0.001)
        linear = grow * np.array([[1.0, -turn], [turn, 1.0]])
        shift = -base + random.normal(0, _PLACED, 2)
        placed.append(np.column_stack([linear, shift]))
    return placed


def _cut(picture: FloatImage, to_crop: Affine) -> FloatImage:
    return resample(picture, to_crop, (SIDE, SIDE), cv2.BORDER_REFLECT_101)


def _aged_crops(
    clean: NDArray[np.float32], to_crop: list[Affine], random: Random, damage: int | None
) -> list[FloatImage]:
    """The crops (256, 256, 3) in [-1, 1] of a film in which the faces move over the raster, and are damaged there."""
    chosen = DAMAGES[int(random.integers(len(DAMAGES))) if damage is None else damage]
    shrunk = float(np.exp(random.uniform(0, np.log(4.0)))) if random.random() < 0.85 else 1.0
    blur = float(np.exp(random.uniform(np.log(0.2), np.log(2.5)))) if random.random() < 0.7 else 0.0
    if chosen is hardly:
        shrunk, blur = min(shrunk, _FAR), 0.0
    angle = float(random.normal(0, 0.15))
    drift, start = random.normal(0, 0.8, 2), random.uniform(0, 1, 2)
    side = int(np.ceil(_KEPT / shrunk))
    to_film = [_onto_film(shrunk, angle, start + drift * time, side) for time in range(_LENGTH)]
    there = [
        resample(picture, affine, (side, side), cv2.BORDER_REFLECT_101)
        for picture, affine in zip(clean, to_film, strict=True)
    ]
    if blur:
        there = [cv2.GaussianBlur(picture, (0, 0), blur / min(shrunk, 2.0)) for picture in there]
    aged = chosen(np.clip(np.stack(there), 0, 1).astype(np.float32), random)
    maps = [compose(crop, invert(film)) for crop, film in zip(to_crop, to_film, strict=True)]
    crops = [_cut(picture, affine) for picture, affine in zip(aged, maps, strict=True)]
    return [np.clip(crop * 2 - 1, -1, 1).astype(np.float32) for crop in crops]


def _onto_film(shrunk: float, angle: float, shift: NDArray[np.float64], side: int) -> Affine:
    """The map from the kept picture to a film's raster, turned about its middle and moved by ``shift`` pixels."""
    cos, sin = np.cos(angle) / shrunk, np.sin(angle) / shrunk
    linear = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (_KEPT - 1) / 2)
    return np.column_stack([linear, np.full(2, (side - 1) / 2) + shift - linear @ middle])
