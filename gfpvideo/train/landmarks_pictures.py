"""Faces and pieces without a face for the landmark network, read once and kept at a small size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.faces.detectors.centerface import CenterFace
from gfpvideo.frames import Detection
from gfpvideo.media.source import VideoSource
from gfpvideo.networks.landmarks import CONTEXT, MESH
from gfpvideo.train.landmarks_damage import Random
from gfpvideo.train.landmarks_options import Clips, Empty, LandmarkOptions, Stills
from gfpvideo.train.landmarks_pose import mean_face, pose_of
from gfpvideo.train.landmarks_views import turned_view
from gfpvideo.train.listing import by_number, key_of, taken

Bytes = NDArray[np.uint8]

KEPT = 256
"""Side of the pictures that are kept."""
TILE = 128
"""Side of the kept pieces without a face."""


@dataclass(frozen=True)
class Pictures:
    """Faces, and pieces without a face, ready to be drawn from."""

    faces: Bytes
    """(F, 256, 256, 3) RGB."""
    points: NDArray[np.float32]
    """(F, N, 3) in pixels of these pictures, depth in the same unit."""
    poses: NDArray[np.float32]
    """(F, 3) yaw, pitch and roll in radians."""
    chances: NDArray[np.float64]
    """(F,) how often each face is drawn; their sum is 1."""
    tiles: Bytes
    """(T, 128, 128, 3) pieces of films without a face."""
    canonical: NDArray[np.float32]
    """(N, 3) the mean face."""


_STORED = ("faces", "points", "chances", "tiles")


def prepared(
    options: LandmarkOptions, folder: Path, *, held: bool, canonical: NDArray[np.float32] | None = None
) -> Pictures:
    """The pictures to learn from, or those held out, kept in ``folder`` after the first time.

    Args:
        options: where the pictures are.
        folder: where the shrunk pictures are kept.
        held: whether the held-out ones are asked for.
        canonical: (N, 3) mean face that poses are relative to, by default that of these pictures.

    Raises:
        InputError: if a folder or file of labels is missing, or holds no faces.
    """
    path = folder / f"{'held' if held else 'learn'}-{key_of(options.stills, options.clips, options.empty)}"
    if not path.is_dir():
        _keep(_gathered(options, held=held), path)
    faces, points, chances, tiles = (np.load(path / f"{name}.npy", mmap_mode="r") for name in _STORED)
    if canonical is None:
        canonical = mean_face(points).astype(np.float32)
    poses = np.stack([pose_of(mesh, canonical) for mesh in points]).astype(np.float32)
    return Pictures(faces, points, poses, chances, tiles, canonical)


def _keep(arrays: dict[str, NDArray], path: Path) -> None:
    scratch = path.with_suffix(".partial")
    scratch.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(scratch / f"{name}.npy", array)
    scratch.rename(path)


def _gathered(options: LandmarkOptions, *, held: bool) -> dict[str, NDArray]:
    found, chances = [], []
    for table in options.clips:
        found += (read := list(_clip_faces(table, held)))
        chances += [table.share / max(1, len(read))] * len(read)
    for table in options.stills:
        found += (read := list(_still_faces(table, held)))
        found += (views := [] if held else list(_views(read, table.views)))
        turned = table.views_share if views else 0.0
        chances += [table.share * (1 - turned) / max(1, len(read))] * len(read)
        chances += [table.share * turned / max(1, len(views))] * len(views)
    faces, meshes = [face for face, _ in found], [mesh for _, mesh in found]
    if not faces:
        raise InputError(f"the options name no faces to {'hold out' if held else 'learn from'}")
    tiles = list(_tiles(options.empty, held)) if options.empty else []
    return {
        "faces": np.stack(faces),
        "points": np.stack(meshes)[:, MESH].astype(np.float32),
        "chances": np.array(chances) / np.sum(chances),
        "tiles": np.stack(tiles) if tiles else np.zeros((0, TILE, TILE, 3), np.uint8),
    }


def _still_faces(table: Stills, held: bool) -> Iterator[tuple[Bytes, NDArray[np.float32]]]:
    """Each picture, (256, 256, 3), and its mesh, (478, 3)."""
    labels = read_labels(table.labels)
    if missing := {"names", "points"} - labels.keys():
        raise InputError(f"{table.labels}: not a file of points: it holds no {sorted(missing)[0]}")
    names = [str(name) for name in labels["names"]]
    order = sorted(range(len(names)), key=lambda place: by_number(names[place]))
    wanted = table.held if held else table.take
    for place in taken(order, wanted, table.labels) if wanted else []:
        picture = cv2.imread(str(table.folder / names[place]), cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(f"{table.folder / names[place]}: cannot be read, though {table.labels} names it")
        yield _kept(np.asarray(picture[..., ::-1], np.uint8), labels["points"][place])


def _views(read: list[tuple[Bytes, NDArray[np.float32]]], count: int) -> Iterator[tuple[Bytes, NDArray[np.float32]]]:
    """``count`` turned views of each face; one that looks aside already turns on in that direction."""
    random = np.random.default_rng(0)
    for picture, mesh in read:
        aside = mesh[234, 2] - mesh[454, 2]
        side = np.sign(aside) if abs(aside) > 0.3 * np.ptp(mesh[:, 0]) else random.choice([-1, 1])
        for number in range(count):
            yaw = side * (-1) ** number * np.radians(random.uniform(15, 60))
            view, turned = turned_view(picture, mesh.astype(np.float64), yaw, np.radians(random.normal(0, 10)))
            yield view, turned.astype(np.float32)


def _clip_faces(table: Clips, held: bool) -> Iterator[tuple[Bytes, NDArray[np.float32]]]:
    labels = read_labels(table.labels)
    for name in sorted(labels):
        if (name in table.held) == held:
            for picture, mesh in zip(_frames(table.folder, name), labels[name], strict=False):
                if picture.number % table.every == 0:
                    yield _kept(picture.rgb, mesh)


class _Numbered(NamedTuple):
    number: int
    rgb: Bytes


def _frames(folder: Path, name: str, side: int = 4096) -> Iterator[_Numbered]:
    """Frames of a film of the folder, as shown, no longer than ``side``."""
    path = next((path for path in sorted((folder / name).parent.glob(f"{Path(name).stem}.*"))), folder / name)
    with VideoSource(path) as source:
        for number, frame in enumerate(source.frames()):
            yield _Numbered(number, np.ascontiguousarray(frame.thumbnail(side)[..., ::-1]))


def read_labels(path: Path) -> dict[str, NDArray]:
    """The arrays of a file of points.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as a file of points") from error


def _kept(picture: Bytes, mesh: NDArray[np.float32]) -> tuple[Bytes, NDArray[np.float32]]:
    scale = KEPT / len(picture)
    small = cv2.resize(picture, (KEPT, KEPT), interpolation=cv2.INTER_AREA)
    moved = mesh * scale
    moved[:, :2] += (scale - 1) / 2
    return np.asarray(small, np.uint8), moved


# Pieces without a face


def _tiles(table: Empty, held: bool) -> Iterator[Bytes]:
    """Random pieces of the films, and what a detector takes for faces there."""
    random = np.random.default_rng(0)
    detector = CenterFace(0.05)
    for name in table.held if held else (*table.films, *table.crowded):
        for rgb in _spread(table, name):
            found = detector.detect([np.ascontiguousarray(rgb[..., ::-1])])[0]
            faces = [one for one in found if one.score >= table.sure] if name in table.crowded else []
            yield from _pieces(rgb, [one for one in found if one.score < table.sure or not faces], faces, random)


def _spread(table: Empty, name: str) -> list[Bytes]:
    frames = [frame.rgb for frame in _frames(table.folder, name, 640)]
    places = np.linspace(0, len(frames) - 1, min(table.frames, len(frames))).astype(int)
    return [np.ascontiguousarray(frames[place]) for place in places]


def _pieces(rgb: Bytes, errors: list[Detection], faces: list[Detection], random: Random) -> Iterator[Bytes]:
    boxes = [_square(error.box, random) for error in errors]
    height, width = rgb.shape[:2]
    for _ in range(6):
        size = float(np.exp(random.uniform(np.log(20), np.log(min(height, width)))))
        centre = random.uniform([0, 0], [width, height])
        boxes.append(np.concatenate([centre - size / 2, centre + size / 2]))
    for box in boxes:
        if not any(_near(box, face.box) for face in faces):
            yield _cut_tile(rgb, box)


def _square(box: NDArray[np.float64], random: Random) -> NDArray[np.float64]:
    centre, half = (box[:2] + box[2:]) / 2, CONTEXT * (box[2:] - box[:2]).max() / 2 * np.exp(random.normal(0, 0.15))
    return np.concatenate([centre - half, centre + half])


def _near(box: NDArray[np.float64], face: NDArray[np.float64]) -> bool:
    """Whether the box overlaps the face, with half a face around it."""
    margin = (face[2:] - face[:2]) / 2
    return bool((box[:2] < face[2:] + margin).all() and (box[2:] > face[:2] - margin).all())


def _cut_tile(rgb: Bytes, box: NDArray[np.float64]) -> Bytes:
    scale = TILE / (box[2] - box[0])
    affine = np.array([[scale, 0, -box[0] * scale], [0, scale, -box[1] * scale]])
    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.5 / scale) if scale < 0.7 else rgb
    return np.asarray(cv2.warpAffine(smooth, affine, (TILE, TILE), borderMode=cv2.BORDER_REPLICATE), np.uint8)
