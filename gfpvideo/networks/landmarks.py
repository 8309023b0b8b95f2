"""Dense points of a face with how sure they are, whether it is a face at all, and its pose: a small network of our own.

The points are a subset of the 478 of MediaPipe's Face Mesh (outline, brows, eyes, irises, nose, lips). The network sees
a square crop 1.5 times as large as a rough face. Convolutions lead down to 4x4 cells and, by way of sums with what was
seen at 8x8 and 16x16, up to 16x16 again, where each point has a map of where it may be; its place is the map's mean
(Sun et al., Integral human pose regression, 2018) and a correction from the whole crop. Deviations are those of a
Laplace distribution for each coordinate, learnt with the points (Kendall and Gal, 2017).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from gfpvideo.errors import WeightsError
from gfpvideo.networks.weights import installed
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import Affine, compose, move, resample, scale_of, similarity_transform

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
    return np.ascontiguousarray(np.clip(crop * 2 - 1, -1, 1).transpose(2, 0, 1)), to_crop


class Seen(NamedTuple):
    """What the network makes of a batch of crops."""

    points: Tensor
    """(B, N, 2) in shares of the crop: -1 is its left or upper edge, 1 its right or lower one."""
    log_deviations: Tensor
    """(B, N) logarithms of the Laplace distributions' scales, in the same unit."""
    presence: Tensor
    """(B,) logits: is there a face that can be restored?"""
    pose: Tensor
    """(B, 3) yaw, pitch and roll in radians."""


def _convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class _Inverted(nn.Module):
    """Widen, look at the neighbours channel by channel, narrow, and add what came in (MobileNetV2)."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        inner = width * expansion
        self.widen = _convolution(width, inner, 1)
        self.look = _convolution(inner, inner, 3, groups=inner)
        self.narrow = _convolution(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.widen(x))
        return x + self.narrow(functional.relu(self.look(inner)))


class _Down(nn.Module):
    """Half the side, then inverted residual blocks."""

    def __init__(self, inputs: int, outputs: int, blocks: int, expansion: int) -> None:
        super().__init__()
        self.halve = _convolution(inputs, outputs, 3, stride=2)
        self.blocks = nn.Sequential(*(_Inverted(outputs, expansion) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(functional.relu(self.halve(x)))


class LandmarkNet(nn.Module):
    """The network; its input is (B, 3, 128, 128) RGB in [-1, 1]."""

    canonical: Tensor
    """(N, 3) the mean face, upright and looking at the viewer, of unit size; pose is relative to it."""

    def __init__(self) -> None:
        """With random weights."""
        super().__init__()
        self.register_buffer("canonical", torch.zeros(POINTS, 3))
        self.stem = _convolution(3, 16, 3, stride=2)
        self.down32 = _Down(16, 24, 1, 2)
        self.down16 = _Down(24, 56, 2, 2)
        self.down8 = _Down(56, 96, 2, 2)
        self.down4 = _Down(96, 160, 2, 3)
        self.side8 = _convolution(96, 56, 1)
        self.side4 = _convolution(160, 56, 1)
        self.up8 = _Inverted(56, 2)
        self.up16 = _Inverted(56, 1)
        self.maps = nn.Conv2d(56, POINTS, 1)
        self.whole = nn.Linear(160 + 56, 192)
        self.correct = nn.Linear(192, 2 * POINTS)
        self.deviate = nn.Linear(192, POINTS)
        self.spread = nn.Parameter(torch.ones(POINTS))
        self.exists = nn.Linear(192, 1)
        self.turn = nn.Linear(192, 3)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)
        nn.init.constant_(self.deviate.bias, -0.5)

    def forward(self, crops: Tensor) -> Seen:
        """See :class:`Seen`."""
        at16 = self.down16(self.down32(functional.relu(self.stem(crops))))
        at8 = self.down8(at16)
        at4 = self.down4(at8)
        up8 = self.up8(self.side8(at8) + _doubled(self.side4(at4)))
        up16 = self.up16(at16 + _doubled(up8))
        means, spreads = _mean_places(self.maps(up16))
        whole = functional.relu(self.whole(torch.cat([at4.mean((2, 3)), up16.mean((2, 3))], dim=1)))
        points = means + self.correct(whole).view(-1, POINTS, 2)
        log_deviations = (self.deviate(whole) + self.spread * spreads).clamp(-7.0, 1.0)
        return Seen(points, log_deviations, self.exists(whole)[:, 0], self.turn(whole))


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _mean_places(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, N, 2) of each map (B, N, S, S), a distribution over the crop, and half the logarithm of its variance."""
    side = maps.shape[-1]
    weights = maps.flatten(2).softmax(dim=2).view(maps.shape)
    ticks = (torch.arange(side, device=maps.device, dtype=maps.dtype) + 0.5) * (2 / side) - 1
    along, down = weights.sum(2), weights.sum(3)
    means = torch.stack([along @ ticks, down @ ticks], dim=2)
    squares = torch.stack([along @ ticks.square(), down @ ticks.square()], dim=2)
    variances = (squares - means.square()).clamp_min(0).mean(2)
    return means, 0.5 * torch.log(variances + 1e-3)


def load_landmarks(path: Path) -> LandmarkNet:
    """The network of a file, ready to look at faces.

    Raises:
        WeightsError: if it cannot be read, or holds something else.
    """
    network = LandmarkNet()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not the weights of our landmark network") from error
    except Exception as error:  # safetensors raises its own kind, a bare Exception
        raise WeightsError(f"{path}: not a safetensors file") from error
    return network.eval()


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
    """The network on OpenVINO."""

    def __init__(self, network: LandmarkNet, device: str = "CPU") -> None:
        """Compile ``network``; a face's result does not depend on its companions in a batch."""
        model = ov.convert_model(network, example_input=torch.zeros(2, 3, SIDE, SIDE))
        model.reshape([1, 3, SIDE, SIDE])
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self._request = ov.Core().compile_model(model, device, config).create_infer_request()

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
        found = self._request.infer({0: crop})
        return [np.array(found[place]) for place in range(4)]


def installed_landmarks() -> LandmarkNet:
    """The network that ships with gfpvideo, checked against its hash.

    Raises:
        WeightsError: if its file is damaged or missing.
    """
    return load_landmarks(installed("landmarks"))
