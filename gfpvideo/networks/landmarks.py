"""Dense points of a face with how sure they are, whether it is a face at all, and its pose: a small network of our own.

The points are a subset of the 478 of MediaPipe's Face Mesh (outline, brows, eyes, irises, nose, lips). The network
(:mod:`gfpvideo.networks.landmark_net`) sees a square crop 1.5 times as large as a rough face.
"""

import threading
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from gfpvideo.networks.graphs import Traceable, cache_folder, openvino_core, traced_once
from gfpvideo.networks.weights import entry, installed
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import Affine, compose, move, resample, scale_of, similarity_transform

_GRAPH_VERSION = 1
"""Raised whenever the traced graph changes, so that no stale one is used."""
SIDE = 128
"""Side of the crop in pixels."""
CONTEXT = 1.5
"""How many times larger than the rough face the crop is."""

# Each group: points in the left half of the picture (the subject's right), their mirror images, points in the middle.
_OUTLINE = (
    [109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148],
    [338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377],
    [10, 152],
)
_BROWS = ([46, 53, 52, 65, 55, 70, 63, 105, 66, 107], [276, 283, 282, 295, 285, 300, 293, 334, 296, 336], [])
_EYES = (
    [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173],
    [263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398],
    [],
)
_IRISES = ([468, 469, 470, 471, 472], [473, 476, 475, 474, 477], [])
_NOSE = ([98, 64, 48, 115, 220, 45, 97], [327, 294, 278, 344, 440, 275, 326], [168, 6, 197, 195, 5, 4, 1, 19, 94, 2])
_LIPS = (
    [61, 185, 40, 39, 37, 146, 91, 181, 84, 78, 191, 80, 81, 82, 95, 88, 178, 87],
    [291, 409, 270, 269, 267, 375, 321, 405, 314, 308, 415, 310, 311, 312, 324, 318, 402, 317],
    [0, 17, 13, 14],
)
_GROUPS = {"outline": _OUTLINE, "brows": _BROWS, "eyes": _EYES, "irises": _IRISES, "nose": _NOSE, "lips": _LIPS}

OVAL = [10, *_OUTLINE[1], 152, *_OUTLINE[0][::-1]]
"""Numbers in the mesh of the face's outline, clockwise from the top."""
MESH: tuple[int, ...] = tuple(number for group in _GROUPS.values() for part in group for number in part)
"""Numbers of our points in the mesh of 478."""
POINTS = len(MESH)
_PLACES = {number: place for place, number in enumerate(MESH)}


def _places(numbers: list[int]) -> list[int]:
    return [_PLACES[number] for number in numbers]


GROUPS: dict[str, list[int]] = {
    name: _places([number for part in group for number in part]) for name, group in _GROUPS.items()
}
"""Places of each part of the face among our points."""


OUTLINE = _places(OVAL)
"""Places among our points of the face's outline, clockwise from the top."""
COMPONENTS = (
    _places([*_EYES[0], *_IRISES[0]]),
    _places([*_EYES[1], *_IRISES[1]]),
    _places([number for part in _LIPS for number in part]),
)
"""Places among our points of the eye on the left of the picture, of the other, and of the mouth."""


def _mirror() -> NDArray[np.intp]:
    permutation = np.arange(POINTS)
    for left, right, _ in _GROUPS.values():
        permutation[_places(left)], permutation[_places(right)] = _places(right), _places(left)
    return permutation


MIRROR = _mirror()
"""Point ``i`` of a face is point ``MIRROR[i]`` of its mirror image."""

_ANCHORS = [_places(_EYES[0]), _places(_EYES[1]), _places([4]), _places([61]), _places([291])]


def anchors(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The five anchors (..., 5, 2) of points (..., N, 2): the eyes' outlines' means, nose tip, corners of the mouth."""
    return np.stack([points[..., places, :].mean(axis=-2) for places in _ANCHORS], axis=-2)


def anchor_deviations(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations (..., 5) of the anchors from those of the points (..., N).

    Neighbouring points err together, so that a mean of them is no surer than they are.
    """
    return np.stack([deviations[..., places].mean(axis=-1) for places in _ANCHORS], axis=-1)


LANDMARKS_512 = np.array([[192.96, 243.33], [319.07, 243.11], [256.65, 312.20], [197.55, 373.68], [315.40, 374.20]])
"""Where our anchors lie in a face aligned at 512x512, on average: medians of 1,150 pictures."""
_BOX_512 = (np.array([255.8, 306.1]), 342.4)
"""Middle and longer side of the box around the points there."""


@dataclass(frozen=True)
class Rough:
    """About where a face is."""

    centre: NDArray[np.float64]
    """(2,) its middle, in the picture's pixels."""
    size: float
    """Longer side of its box, from above the brows to the chin."""
    angle: float = 0.0
    """Radians by which it is turned clockwise in the picture, as far as known."""


def rough_face(points: NDArray[np.float64]) -> Rough:
    """The upright box around our points (N, 2)."""
    low, high = points.min(axis=0), points.max(axis=0)
    return Rough((low + high) / 2, float((high - low).max()))


def rough_of_anchors(found: NDArray[np.float64]) -> Rough:
    """The rough face that five anchors (5, 2) belong to."""
    to_picture = similarity_transform(LANDMARKS_512, found)
    centre, size = _BOX_512
    angle = float(np.arctan2(to_picture[1, 0], to_picture[0, 0]))
    return Rough(move(to_picture, centre[None])[0], size * scale_of(to_picture), angle)


def crop_map(rough: Rough) -> Affine:
    """The (2, 3) map from the picture to the network's crop, in which the face stands upright as far as known."""
    scale = SIDE / (CONTEXT * rough.size)
    cos, sin = scale * np.cos(rough.angle), scale * np.sin(rough.angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([linear, (SIDE - 1) / 2 - linear @ rough.centre])


def cut_face(rgb: FloatImage, rough: Rough) -> tuple[FloatImage, Affine]:
    """The network's crop (3, 128, 128) in [-1, 1] of a picture (H, W, 3) in [0, 1], and the map that leads to it."""
    to_crop = crop_map(rough)
    reach = int(np.ceil(CONTEXT * rough.size * 0.75)) + 2
    x, y = (int(place) for place in np.round(rough.centre))
    left, top = max(0, min(x - reach, rgb.shape[1] - 1)), max(0, min(y - reach, rgb.shape[0] - 1))
    part = rgb[top : max(top + 1, y + reach), left : max(left + 1, x + reach)]
    there = compose(to_crop, np.array([[1.0, 0, left], [0, 1, top]]))
    crop = resample(part, there, (SIDE, SIDE), cv2.BORDER_REPLICATE)  # a mirrored half of a face looks like a face
    return network_input(crop), to_crop


def network_input(crop: FloatImage) -> FloatImage:
    """A crop (128, 128, 3) in [0, 1] as the network takes it: (3, 128, 128) in [-1, 1]."""
    return np.ascontiguousarray(np.clip(crop * 2 - 1, -1, 1).transpose(2, 0, 1), np.float32)


class Found(NamedTuple):
    """What the network found in a batch of crops."""

    points: NDArray[np.float64]
    """(B, N, 2) in pixels of the crop."""
    deviations: NDArray[np.float64]
    """(B, N) standard deviation of each point's coordinates, in pixels of the crop."""
    presence: NDArray[np.float64]
    """(B,) probability that there is a face that can be restored."""
    pose: NDArray[np.float64]
    """(B, 3) yaw, pitch and roll in radians, within the crop."""


class Landmarks:
    """The network on OpenVINO; several threads may use it."""

    def __init__(self, graph: ov.Model, device: str = "CPU") -> None:
        """Compile the traced network; a face's result does not depend on its companions in a batch."""
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        # So small that a second thread would only wait.
        self._model = openvino_core().compile_model(graph, device, config)
        self._local = threading.local()

    def __call__(self, crops: NDArray[np.float32]) -> Found:
        """Look at crops (B, 3, 128, 128) in [-1, 1]."""
        outputs = [self._one(crops[number : number + 1]) for number in range(len(crops))]
        points, scales, presence, pose = (
            np.concatenate(field).astype(np.float64) for field in zip(*outputs, strict=True)
        )
        in_pixels = (points + 1) * (SIDE / 2) - 0.5
        deviations = np.sqrt(2) * np.exp(scales) * (SIDE / 2)  # of a Laplace distribution
        return Found(in_pixels, deviations, 1 / (1 + np.exp(-presence)), pose)

    def _one(self, crop: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        found = self._local.request.infer({0: crop})
        return [np.array(found[place]) for place in range(4)]


def installed_landmarks() -> Landmarks:
    """The network that ships with gfpvideo, checked against its hash, and traced unless it was before.

    Raises:
        WeightsError: if its file is damaged or missing.
    """
    return Landmarks(openvino_core().read_model(traced_once(traceable(), cache_folder())))


def traceable() -> Traceable:
    """What OpenVINO runs; see :func:`installed_landmarks`."""
    path = installed("landmarks")

    def trace() -> ov.Model:
        from gfpvideo.networks.landmark_net import load_landmarks, traced  # brings torch along

        return traced(load_landmarks(path))

    return Traceable("landmarks", f"landmarks-{entry('landmarks').sha256}-{_GRAPH_VERSION}", trace)
