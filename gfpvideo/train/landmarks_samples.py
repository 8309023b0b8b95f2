"""Samples for the landmark network: faces and other things, aged afresh every time.

A sample is warped once, straight to the resolution that the face has in the imagined film, damaged there, and enlarged
to the network's crop, as a small face of a film would be. Sample ``i`` depends on the seed and ``i`` alone.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from gfpvideo.networks.landmarks import CONTEXT, MIRROR, POINTS, SIDE, anchors, rough_face
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import Affine, compose, face_size, move
from gfpvideo.train.landmarks_damage import Random, age, cover, relight
from gfpvideo.train.landmarks_pictures import TILE, Bytes, Pictures

_LEVELS = 3
"""Each picture is shrunk by halves, up to so many times, so that one bilinear warp does for every scale."""


class Batch(NamedTuple):
    """What the network is shown, and what it should say."""

    crops: Tensor
    """(B, 3, 128, 128) RGB in [-1, 1]."""
    points: Tensor
    """(B, N, 2) in shares of the crop."""
    known: Tensor
    """(B,) 1 where there is a face whose points are known."""
    presence: Tensor
    """(B,) 1 for a face that can be restored."""
    certain: Tensor
    """(B,) 0 for faces on the border of what can be restored: presence is not asked there."""
    pose: Tensor
    """(B, 3) yaw, pitch and roll in radians."""
    detail: Tensor
    """(B,) distance from eyes to mouth in pixels that the damage has left, for tables."""


class Samples(Dataset[tuple[Tensor, ...]]):
    """Aged crops of faces and of other things; the items are the fields of :class:`Batch`, one sample each."""

    def __init__(self, pictures: Pictures, *, negatives: float, seed: int, length: int) -> None:
        """Draw ``length`` samples, a share ``negatives`` of them without a face."""
        self._pictures = pictures
        self._ends = np.cumsum(pictures.chances)
        self._negatives = negatives
        self._seed = seed
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """One sample."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        random = np.random.default_rng((self._seed, index))
        if random.random() < self._negatives:
            return self._negative(random)
        return self._face(int(np.searchsorted(self._ends, random.random() * self._ends[-1])), random)

    def _face(self, chosen: int, random: Random) -> tuple[Tensor, ...]:
        mesh = np.asarray(self._pictures.points[chosen, :, :2], np.float64)
        side = drawn_side(random)
        affine, turned = drawn_map(mesh, side, random)
        points, pose = moved_label(mesh, np.asarray(self._pictures.poses[chosen], np.float64), affine, turned)
        clean = self._warped(self._pictures.faces[chosen], affine, side, random)
        crop, covered = cover(clean, points, self._texture, random)
        crop, detail = self._damaged(crop, face_size(anchors(points)), random)
        hidden, points = hidden_share(points, covered, side), (points + 0.5) * (SIDE / side) - 0.5
        seen = cv2.resize(1 - covered.astype(np.float32), (SIDE, SIDE)) > 0.5
        before = np.asarray(cv2.resize(clean, (SIDE, SIDE)), np.float32)
        left = structure_left(before, crop, points, seen)
        presence, certain = restorable(detail, hidden, left)
        return _item(crop, points, 1.0, presence, certain, pose, detail)

    def _negative(self, random: Random) -> tuple[Tensor, ...]:
        side = drawn_side(random)
        kind = random.random()
        if kind < 0.5 and len(self._pictures.tiles):
            tile = self._pictures.tiles[int(random.integers(len(self._pictures.tiles)))]
            crop = _turned_tile(tile, side, random)
        elif kind < 0.85:
            crop = self._beside(side, random)
        else:
            crop = _pattern(side, random)
        crop, _ = self._damaged(crop, side / 4, random)
        return _item(crop, np.zeros((POINTS, 2)), 0.0, 0.0, 1.0, np.zeros(3), 0.0)

    def _beside(self, side: int, random: Random) -> FloatImage:
        """A piece of a picture of a face that does not show the face: beside it, or a small part of it alone."""
        chosen = int(random.integers(len(self._pictures.faces)))
        face = rough_face(np.asarray(self._pictures.points[chosen, :, :2], np.float64))
        centre, size = face.centre, face.size
        if random.random() < 0.5:
            width = size * random.uniform(0.12, 0.4)
            middle = centre + size * random.uniform(-0.6, 0.6, 2)
        else:
            width = size * random.uniform(0.4, 1.2)
            angle = random.uniform(0, 2 * np.pi)
            middle = centre + size * random.uniform(0.8, 1.2) * np.array([np.cos(angle), np.sin(angle)])
        affine = _around(middle, width, side, random.uniform(-0.8, 0.8))
        return self._warped(self._pictures.faces[chosen], affine, side, random, beyond=False)

    def _warped(self, picture: Bytes, affine: Affine, side: int, random: Random, *, beyond: bool = True) -> FloatImage:
        """The picture under ``affine`` in (side, side), something or other beyond its edge."""
        level, affine = _level(np.asarray(picture), affine)
        kind = random.random() if beyond else 0.0
        if kind < 0.4:
            warped = cv2.warpAffine(level, affine, (side, side), borderMode=cv2.BORDER_REFLECT_101)
        elif kind < 0.55:
            shade = tuple(random.integers(0, 256, 3).tolist()) if random.random() < 0.4 else (0, 0, 0)
            warped = cv2.warpAffine(level, affine, (side, side), borderValue=shade)
        elif kind < 0.65:
            warped = cv2.warpAffine(level, affine, (side, side), borderMode=cv2.BORDER_REPLICATE)
        else:
            ground = np.ascontiguousarray((self._texture(side, random) * 255).astype(np.uint8))
            warped = cv2.warpAffine(level, affine, (side, side), dst=ground, borderMode=cv2.BORDER_TRANSPARENT)
        return np.asarray(warped, np.float32) / np.float32(255)

    def _texture(self, side: int, random: Random) -> FloatImage:
        """Some other picture's surface, (side, side, 3)."""
        tiles = self._pictures.tiles
        if len(tiles) and random.random() < 0.5:
            return _turned_tile(tiles[int(random.integers(len(tiles)))], side, random)
        return self._beside(side, random) if random.random() < 0.6 else _pattern(side, random)

    def _damaged(self, crop: FloatImage, size: float, random: Random) -> tuple[FloatImage, float]:
        """The crop relit, aged and enlarged to the network's size, and the detail that is left of ``size`` pixels."""
        crop, pitch = age(relight(crop, random), random)
        way = cv2.INTER_CUBIC if random.random() < 0.5 else cv2.INTER_LINEAR
        enlarged = np.asarray(cv2.resize(crop, (SIDE, SIDE), interpolation=way), np.float32)
        return np.clip(enlarged, 0.0, 1.0), size / pitch


def drawn_side(random: Random) -> int:
    """Side in pixels that the crop has in the film."""
    return min(SIDE, round(float(np.exp(random.uniform(np.log(18), np.log(190))))))


def drawn_map(mesh: NDArray[np.float64], side: int, random: Random) -> tuple[Affine, float]:
    """A map from the picture to a crop of ``side`` pixels, as a detector would place it, and the angle in it.

    A mirrored map has a negative determinant; the angle is that by which the face is turned after mirroring.
    """
    angle = float(np.radians(random.uniform(-60, 60) if random.random() < 0.5 else random.normal(0, 12)))
    stretch = np.exp(random.normal(0, 0.04))
    linear = np.array([[stretch, random.normal(0, 0.03)], [0.0, 1 / stretch]])
    if random.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ linear
    face = rough_face(mesh @ linear.T)
    scale = side / (CONTEXT * face.size * float(np.exp(np.clip(random.normal(0, 0.17), -0.4, 0.4))))
    centre = face.centre + random.normal(0, 0.06, 2) * face.size
    return np.column_stack([scale * linear, (side - 1) / 2 - scale * centre]), angle


def moved_label(
    mesh: NDArray[np.float64], pose: NDArray[np.float64], affine: Affine, angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (N, 2) and pose (3,) under a map; a mirrored face's points change places, its yaw and roll their sign."""
    points = move(affine, mesh)
    if np.linalg.det(affine[:, :2]) < 0:
        points, pose = points[MIRROR], pose * [-1, 1, -1]
    return points, pose + np.array([0.0, 0.0, angle])


def hidden_share(points: NDArray[np.float64], covered: NDArray[np.bool_], side: int) -> float:
    """Share of the points that are covered (a mask of the crop), or lie outside the crop."""
    places = np.round(points).astype(int)
    inside = ((places >= 0) & (places < side)).all(axis=1)
    x, y = np.clip(places, 0, side - 1).T
    return float(np.mean(~inside | covered[y, x]))


def structure_left(
    clean: FloatImage, damaged: FloatImage, points: NDArray[np.float64], seen: NDArray[np.bool_]
) -> float:
    """How much the damage has left of what makes a face: -1 to 1, the correlation of eyes, nose and mouth.

    What is finer than they are is left out, as noise is, and what is coarser, as light is.

    Args:
        clean: (H, W, 3) the face before it was covered and damaged.
        damaged: the same afterwards.
        points: (N, 2) in its pixels.
        seen: (H, W) where nothing covers it.
    """
    size = max(1.0, face_size(anchors(points)))
    inside = np.zeros(clean.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(cv2.convexHull(points.astype(np.float32))).astype(np.int32), 1)
    bands = [_band(picture, size)[(inside > 0) & seen] for picture in (clean, damaged)]
    if len(bands[0]) < 2:
        return 0.0
    one, other = (band - band.mean() for band in bands)
    return float(one @ other / max(1e-9, np.linalg.norm(one) * np.linalg.norm(other)))


def _band(picture: FloatImage, size: float) -> NDArray[np.float32]:
    grey = picture.mean(axis=2)
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), size / share) for share in (10, 3))
    return np.asarray(fine - coarse, np.float32)


def restorable(detail: float, hidden: float, left: float) -> tuple[float, float]:
    """Whether a face can be restored, and whether that is certain enough to be taught.

    Args:
        detail: pixels from eyes to mouth that the damage has left.
        hidden: share of the points that are covered.
        left: how much of the face's structure is left, see :func:`structure_left`.
    """
    if detail < 3.2 or hidden > 0.65 or left < 0.3:
        return 0.0, 1.0
    return 1.0, float(detail > 4.8 and hidden < 0.4 and left > 0.65)


def _level(picture: Bytes, affine: Affine) -> tuple[Bytes, Affine]:
    """The picture shrunk so far that ``affine`` hardly shrinks it any more, and the map from there."""
    shrink = 1 / float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    for _ in range(_LEVELS):
        if shrink < 1.5:
            break
        picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        affine = compose(affine, np.array([[2.0, 0, 0.5], [0, 2.0, 0.5]]))
        shrink /= 2
    return picture, affine


def _around(middle: NDArray[np.float64], width: float, side: int, angle: float) -> Affine:
    scale = side / width
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, (side - 1) / 2 - linear @ middle])


def _turned_tile(tile: Bytes, side: int, random: Random) -> FloatImage:
    middle = np.full(2, (TILE - 1) / 2) + random.normal(0, 4, 2)
    affine = _around(middle, TILE * random.uniform(0.6, 1.0), side, random.normal(0, 0.4))
    if random.random() < 0.5:
        affine = compose(affine, np.array([[-1.0, 0, TILE - 1], [0, 1, 0]]))
    level, affine = _level(np.asarray(tile), affine)
    warped = cv2.warpAffine(level, affine, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.float32) / np.float32(255)


def _pattern(side: int, random: Random) -> FloatImage:
    """Clouds, stripes or patches of some colours."""
    cells = int(random.integers(1, max(2, side // 3)))
    coarse = random.random((cells, int(random.integers(1, max(2, side // 3))), 3 if random.random() < 0.5 else 1))
    way = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(random.integers(3))]
    field = np.atleast_3d(cv2.resize(coarse.astype(np.float32), (side, side), interpolation=way))
    low, high = random.random(3), random.random(3)
    return np.clip(low + (high - low) * field, 0, 1).astype(np.float32)


def _item(
    crop: FloatImage,
    points: NDArray[np.float64],
    known: float,
    presence: float,
    certain: float,
    pose: NDArray[np.float64],
    detail: float,
) -> tuple[Tensor, ...]:
    picture = np.ascontiguousarray(crop.transpose(2, 0, 1)) * np.float32(2) - np.float32(1)
    shares = (points + 0.5) * (2 / SIDE) - 1
    fields = (picture, shares, known, presence, certain, pose, detail)
    return tuple(torch.from_numpy(np.asarray(value, np.float32)) for value in fields)
