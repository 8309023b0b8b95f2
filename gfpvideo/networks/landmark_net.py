"""The landmark network itself, for training and tracing; :mod:`gfpvideo.networks.landmarks` explains what it says.

Convolutions lead down to 4x4 cells and, by way of sums with what was seen at 8x8 and 16x16, up to 16x16 again, where
each point has a map of where it may be; its place is the map's mean (Sun et al., Integral human pose regression, 2018)
and a correction from the whole crop. Deviations are those of a Laplace distribution for each coordinate, learnt with
the points (Kendall and Gal, 2017).
"""

import warnings
from pathlib import Path
from typing import NamedTuple

import openvino as ov
import torch
from torch import Tensor, nn
from torch.nn import functional

from gfpvideo.networks.files import filled
from gfpvideo.networks.landmarks import POINTS, SIDE


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
    return filled(LandmarkNet(), path, "our landmark network")


def traced(network: LandmarkNet) -> ov.Model:
    """The network as OpenVINO runs it, for one crop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch's tracing, which OpenVINO uses
        graph = ov.convert_model(network, example_input=torch.zeros(2, 3, SIDE, SIDE))
    graph.reshape([1, 3, SIDE, SIDE])
    return graph
