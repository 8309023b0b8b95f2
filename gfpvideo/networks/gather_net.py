"""The network that gathers, for training and tracing; :mod:`gfpvideo.networks.over_time` runs it.

Of a crop and its neighbours, which optical flow has laid onto it, it decides pixel by pixel how much of each is taken,
and adds what no weighted mean can give (a sharper edge than any of them has).
"""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from gfpvideo.networks.files import filled

NEIGHBOURS = 4
"""Crops besides the one at hand: one and two frames before and after."""
CHANNELS = 3 * (1 + NEIGHBOURS) + NEIGHBOURS
"""Of the input: the crop, its neighbours, and how far each of them differs from it."""
_WIDTH, _BLOCKS = 32, 2
_CELL = 2
"""Pixels a side of a place that is looked at: a quarter of the places that there are pixels."""
_SLOPE = 0.2
"""Of the leaky rectifiers, and what a block's output is multiplied by."""


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)
        self.b = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + _SLOPE * self.b(functional.leaky_relu(self.a(x), _SLOPE))


class GatherNet(nn.Module):
    """Takes (B, 19, S, S), gives (B, 3, S, S) RGB in about [-1, 1]; S is even.

    The first 15 channels are RGB in [-1, 1] of the crop and its neighbours; the last 4 are what
    :func:`gfpvideo.temporal.gather.difference` makes of each neighbour.
    """

    def __init__(self) -> None:
        """With random weights."""
        super().__init__()
        self.a = nn.Conv2d(CHANNELS, _WIDTH, 3 * _CELL, _CELL, padding=_CELL)
        self.r = nn.Sequential(*(_Block() for _ in range(_BLOCKS)))
        self.w = nn.Conv2d(_WIDTH, (1 + NEIGHBOURS) * _CELL**2, 3, padding=1)
        self.o = nn.Conv2d(_WIDTH, 3 * _CELL**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The crop with what its neighbours know."""
        seen = self.r(self.a(x))
        shares = functional.pixel_shuffle(self.w(seen), _CELL).softmax(dim=1).split(1, dim=1)
        gathered = functional.pixel_shuffle(self.o(seen), _CELL)
        for picture, share in zip(x.split(3, dim=1), shares, strict=False):  # one by one: no copy of them all
            gathered = gathered + share * picture
        return gathered


def load(path: Path) -> GatherNet:
    """The network of a file.

    Raises:
        WeightsError: if it cannot be read, or holds something else.
    """
    return filled(GatherNet(), path, "the network that gathers")
