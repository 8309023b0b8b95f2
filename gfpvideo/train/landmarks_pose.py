"""The pose of a head, from its points: how the mean face is turned to lie on them."""

import numpy as np
from numpy.typing import NDArray

from gfpvideo.networks.landmarks import MIRROR


def mean_face(meshes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 3) mean of meshes (F, N, 3), each turned to look ahead; symmetric, of unit size, its middle at 0."""
    first = _centred(meshes.astype(np.float64))
    mean = _symmetric(first.mean(axis=0))
    for _ in range(5):
        mean = _symmetric(np.mean([mesh @ _rotation(mean, mesh) for mesh in first], axis=0))
    return mean


def _centred(meshes: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = meshes - meshes.mean(axis=-2, keepdims=True)
    return middle / np.sqrt(np.square(middle).sum(axis=(-2, -1), keepdims=True))


def _symmetric(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    return _centred((mesh + mesh[MIRROR] * [-1, 1, 1]) / 2)


def _rotation(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation R that brings centred ``source`` closest to ``target``: target = source @ R.T (Kabsch, 1976)."""
    u, _, vt = np.linalg.svd(target.T @ source)
    sign = np.sign(np.linalg.det(u @ vt))
    return u @ np.diag([1, 1, sign]) @ vt


def pose_of(mesh: NDArray[np.floating], canonical: NDArray[np.floating]) -> NDArray[np.float64]:
    """Yaw, pitch and roll (3,) in radians of a mesh (N, 3); x right, y down, depth away from the viewer.

    The mean face is turned by pitch, then yaw, then roll: roll is clockwise in the picture, positive yaw turns the nose
    to the picture's left, positive pitch turns it down.
    """
    r = _rotation(canonical.astype(np.float64), _centred(mesh.astype(np.float64)))
    yaw = np.arcsin(np.clip(-r[2, 0], -1, 1))
    return np.array([yaw, np.arctan2(r[2, 1], r[2, 2]), np.arctan2(r[1, 0], r[0, 0])])
