"""Faces seen from another side: most pictures of faces look ahead, most people in films do not.

The picture is laid over the face's mesh, what surrounds the face over rings that move less and less, and the whole is
turned and drawn again (Zhu et al., Face alignment across large poses, 2016, profile faces in the same way).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.networks.landmarks import OVAL
from gfpvideo.pixels.geometry import Affine

_SURFACE = 468
"""Points of the mesh that lie on the face's surface; the rest are irises."""
_RINGS = ((1.12, 0.9), (1.35, 0.6), (1.7, 0.25))
"""Rings around the face: how many times larger than its outline, and the share of the outline's movement."""


def turned_view(
    picture: NDArray[np.uint8], mesh: NDArray[np.float64], yaw: float, pitch: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A face after its head turned.

    Args:
        picture: (S, S, 3).
        mesh: (478, 3) in its pixels, depth away from the viewer.
        yaw: radians; positive turns the nose to the picture's left.
        pitch: radians; positive turns the nose down.

    Returns:
        The picture, and the mesh in it.
    """
    turned = _turned(mesh, yaw, pitch)
    sources, depths, targets = _net(mesh, turned, len(picture))
    maps = _drawn(sources, targets, depths, len(picture))
    view = cv2.remap(picture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(view, np.uint8), turned


def _turned(mesh: NDArray[np.float64], yaw: float, pitch: float) -> NDArray[np.float64]:
    """About the middle of the head, some way behind the face; the face's middle stays where it is."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    around_y = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    cos, sin = np.cos(pitch), np.sin(pitch)
    around_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    pivot = np.array([*mesh[:, :2].mean(axis=0), mesh[:, 2].max()])
    turned = (mesh - pivot) @ (around_y @ around_x).T + pivot
    turned[:, :2] += mesh[:, :2].mean(axis=0) - turned[:, :2].mean(axis=0)
    return turned


def _net(
    mesh: NDArray[np.float64], turned: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Knots (K, 2) in the source, their depths (K,) after turning, and their places (K, 2) in the target."""
    outline, moved = mesh[OVAL], turned[OVAL]
    middle = outline[:, :2].mean(axis=0)
    sources, targets, depths = [mesh[:_SURFACE, :2]], [turned[:_SURFACE, :2]], [turned[:_SURFACE, 2]]
    for larger, share in _RINGS:
        ring = middle + (outline[:, :2] - middle) * larger
        sources.append(ring)
        targets.append(ring + share * (moved - outline)[:, :2])
        depths.append(moved[:, 2] + (larger - 1) * side)
    ticks = np.linspace(-0.25, 1.25, 9) * side
    frame = np.array([(x, y) for x in ticks for y in ticks if x in ticks[[0, -1]] or y in ticks[[0, -1]]])
    sources, targets, depths = [*sources, frame], [*targets, frame], [*depths, np.full(len(frame), 4.0 * side)]
    return np.concatenate(sources), np.concatenate(depths), np.concatenate(targets)


def _drawn(
    sources: NDArray[np.float64], targets: NDArray[np.float64], depths: NDArray[np.float64], side: int
) -> NDArray[np.float32]:
    """(S, S, 2) where each pixel of the target comes from: triangles from the farthest to the nearest."""
    triangles = _triangles(sources, side)
    facing = _areas(sources[triangles]) * _areas(targets[triangles]) > 0
    triangles = triangles[facing]
    triangles = triangles[np.argsort(-depths[triangles].mean(axis=1))]
    numbers = np.zeros((side, side), np.int32)
    for number, corners in enumerate(np.round(targets[triangles] * 16).astype(np.int32)):
        cv2.fillConvexPoly(numbers, corners, number, shift=4)
    back = _affine_maps(targets[triangles], sources[triangles])[numbers]
    y, x = np.mgrid[:side, :side]
    places = back @ np.stack([x, y, np.ones_like(x)], axis=-1)[..., None].astype(np.float64)
    return places[..., 0].astype(np.float32)


def _triangles(knots: NDArray[np.float64], side: int) -> NDArray[np.intp]:
    """(T, 3) Delaunay's triangulation."""
    from scipy.spatial import Delaunay

    return np.asarray(Delaunay(knots / side).simplices, np.intp)


def _areas(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    along, across = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]


def _affine_maps(before: NDArray[np.float64], after: NDArray[np.float64]) -> Affine:
    """(T, 2, 3) maps of triangles (T, 3, 2)."""
    homogeneous = np.concatenate([before, np.ones((*before.shape[:2], 1))], axis=2)
    return np.asarray(np.swapaxes(np.linalg.solve(homogeneous, after), 1, 2), np.float64)
