"""Aligned faces from a folder, aged afresh every time one is drawn."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from gfpvideo.errors import InputError
from gfpvideo.faces.align import template
from gfpvideo.faces.refine import shape_of
from gfpvideo.networks.landmarks import COMPONENTS, Landmarks
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import move
from gfpvideo.train.degrade import Degradation, degrade
from gfpvideo.train.listing import by_number, pictures_in, taken
from gfpvideo.train.options import Data

_log = logging.getLogger(__name__)

_ROTATION, _SCALE, _SHIFT = 3.0, 0.04, 4.0 / 256
"""Standard deviations of rotation (degrees), scale and shift (shares of the side): what alignment gets wrong."""


COMPONENT_FILE = "components.json"
"""Beside aligned faces: where their eyes and mouths are; without it they are looked for."""
_EYE, _MOUTH = 80, 120
"""Sides of the components' boxes at 512 pixels, unless there is more to cover."""
_AROUND = 1.15
"""Side of a box over the extent of the points that it covers: lids and lips lie a little outside of them."""
_TRUSTED = 0.5
"""Trust in a face's points from which they say where its eyes and mouth are."""


@dataclass(frozen=True)
class Faces:
    """Aligned faces in memory."""

    pictures: list[NDArray[np.uint8]]
    """(S, S, 3) RGB."""
    boxes: list[NDArray[np.float64]]
    """(3, 4) boxes of left eye, right eye and mouth of each picture."""
    skipped: int
    """Files that could not be read."""
    chances: NDArray[np.float64] | None = None
    """How often each is drawn; their sum is 1. Without them all are drawn as often."""


def load_faces(folder: Path, size: int, numbers: range | None = None, network: Landmarks | None = None) -> Faces:
    """Read aligned faces, shrunk to ``size``.

    Args:
        folder: holds the pictures.
        size: side in pixels that they are to have.
        numbers: files whose number is not among them are left out.
        network: finds eyes and mouth where no file beside the faces says where they are; without it they are taken to
            be where FFHQ has them on average.

    Raises:
        InputError: if there is no such folder, or not one readable picture in it.
    """
    paths = pictures_in(folder)
    if numbers is not None:
        paths = [path for path in paths if path.stem.isdigit() and int(path.stem) in numbers]
    return _faces_at(folder, paths, size, network)


def training_faces(data: Data, size: int, network: Landmarks | None = None) -> Faces:
    """All single pictures that a training draws from; see :func:`load_faces`.

    Raises:
        InputError: if a folder is missing, or holds no readable picture.
        OptionError: if more pictures of a folder are asked for than it holds.
    """
    parts, shares = [load_faces(data.folder, size, data.numbers, network)], [1.0]
    for table in data.further:
        named = sorted(pictures_in(table.folder), key=lambda path: by_number(path.name))
        parts.append(_faces_at(table.folder, taken(named, table.take, table.folder), size, network))
        shares.append(table.share)
    chances = [
        np.full(len(part.pictures), share / len(part.pictures)) for part, share in zip(parts, shares, strict=True)
    ]
    return Faces(
        [picture for part in parts for picture in part.pictures],
        [boxes for part in parts for boxes in part.boxes],
        sum(part.skipped for part in parts),
        np.concatenate(chances) / sum(shares),
    )


def _faces_at(folder: Path, paths: Sequence[Path], size: int, network: Landmarks | None) -> Faces:
    known = _known_boxes(folder / COMPONENT_FILE, size)
    read = {path.name: picture for path in paths if (picture := _read(path, size)) is not None}
    if not read:
        raise InputError(f"{folder}: holds no readable aligned faces")
    if len(read) < len(paths):
        _log.warning("%s: %d pictures cannot be read, and are left out", folder, len(paths) - len(read))
    boxes = [known[name] if name in known else boxes_in(picture, network) for name, picture in read.items()]
    return Faces(list(read.values()), boxes, len(paths) - len(read))


def _known_boxes(path: Path, size: int) -> dict[str, NDArray[np.float64]]:
    """Boxes by file name, as ``gfpvideo align`` wrote them, for pictures shrunk to ``size``."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        scale = size / content["size"]
        boxes = {name: (np.array(box, np.float64) + 0.5) * scale - 0.5 for name, box in content["boxes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: not a file of component boxes; make it anew with: gfpvideo align") from None
    wrong = [name for name, box in boxes.items() if box.shape != (3, 4)]
    if wrong:
        raise InputError(f"{path}: {wrong[0]} does not have three boxes of four numbers")
    return boxes


def boxes_in(picture: NDArray[np.uint8], network: Landmarks | None) -> NDArray[np.float64]:
    """(3, 4) boxes of left eye, right eye and mouth in an aligned face (S, S, 3): as seen, else where FFHQ has them."""
    if network is not None:
        shape = shape_of(picture.astype(np.float32) / np.float32(127.5) - 1, network)
        if shape.trust > _TRUSTED:
            return boxes_of_points(shape.points, len(picture))
    return boxes_around(template(len(picture)), len(picture))


def boxes_of_points(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(3, 4) square boxes (left, top, right, bottom) around the points (N, 2) of left eye, right eye and mouth.

    They are as large as :func:`boxes_around` makes them, or larger, as an open mouth wants.
    """
    lows, highs = (np.stack([at(points[part], axis=0) for part in COMPONENTS]) for at in (np.min, np.max))
    half = np.maximum(_halves(size), _AROUND / 2 * (highs - lows).max(axis=1, keepdims=True))
    centres = (lows + highs) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def boxes_around(landmarks: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """(3, 4) boxes (left, top, right, bottom) of left eye, right eye and mouth, 80, 80 and 120 pixels of 512."""
    centres = np.stack([landmarks[0], landmarks[1], landmarks[3:].mean(axis=0)])
    return np.concatenate([centres - _halves(size), centres + _halves(size)], axis=1)


def _halves(size: int) -> NDArray[np.float64]:
    """(3, 1) half of the usual sides of the boxes."""
    return np.array([[_EYE], [_EYE], [_MOUTH]]) / 2 * size / 512


def _read(path: Path, size: int) -> NDArray[np.uint8] | None:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return None
    shrunk = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.asarray(shrunk, np.uint8)[..., ::-1])


class AgedFaces(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Pairs of an aged and a clean face, and where the components are.

    Item ``i`` depends on ``(seed, i)`` alone, so that a resumed or distributed training sees the same pictures.
    """

    def __init__(self, faces: Faces, settings: Degradation, *, seed: int, length: int) -> None:
        """Draw ``length`` items from ``faces``."""
        self._faces = faces
        self._settings = settings
        self._seed = seed
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Aged and clean face, (3, S, S) in [-1, 1], and boxes of left eye, right eye and mouth, (3, 4) pixels."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        random = np.random.default_rng((self._seed, index))
        chosen = int(random.choice(len(self._faces.pictures), p=self._faces.chances))
        clean = self._faces.pictures[chosen].astype(np.float32) / np.float32(255)
        clean, affine = jittered(clean, random)
        aged, target = degrade(clean, self._settings, random)
        return _tensor(aged), _tensor(target), torch.from_numpy(moved_boxes(self._faces.boxes[chosen], affine))


def jittered(picture: FloatImage, random: np.random.Generator) -> tuple[FloatImage, NDArray[np.float64]]:
    """Mirror, turn, scale and shift a face a little, and the (2, 3) map that did it."""
    size = len(picture)
    angle, scale = np.radians(random.normal(0, _ROTATION)), np.exp(random.normal(0, _SCALE))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    centre = (size - 1) / 2
    linear = np.array([[cos, -sin], [sin, cos]])
    if random.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = centre - linear @ [centre, centre] + random.normal(0, _SHIFT * size, 2)
    affine = np.column_stack([linear, shift])
    warped = cv2.warpAffine(picture, affine, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(np.asarray(warped, np.float32), 0.0, 1.0), affine


def moved_boxes(boxes: NDArray[np.float64], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """(3, 4) boxes of left eye, right eye and mouth after :func:`jittered`, as large as before.

    Mirroring swaps the eyes.
    """
    centres, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    centres = move(affine, centres)
    if np.linalg.det(affine[:, :2]) < 0:
        centres, half = centres[[1, 0, 2]], half[[1, 0, 2]]
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def _tensor(picture: FloatImage) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))) * 2 - 1
