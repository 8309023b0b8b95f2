"""The network that says how far a restoration is to be believed, pixel by pixel; for training and tracing.

It sees what the film shows, what was gathered of it for the generator, and what the generator made of that. Where the
picture itself holds the face, any change of it is harm; where damage has left nothing, the generator knows best.
"""

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from gfpvideo.networks.files import filled

CHANNELS = 9
"""Of the input: RGB of what the generator was shown, of what it made, and of the film."""
_CELL = 4
"""Pixels a side that become channels at first: confidence is soft, and far from a pixel counts as well."""
_WIDTH = 32
_DILATIONS = (1, 2, 4, 1)


class ConfidenceNet(nn.Module):
    """Takes (B, 9, S, S) in about [-1, 1], gives (B, 2, S, S) in [0, 1]; S is a multiple of 4.

    The first channel is how much is taken of what gathering changed, the second how much of what the generator did.
    """

    def __init__(self) -> None:
        """With random weights, half confident everywhere."""
        super().__init__()
        self.first = nn.Conv2d(CHANNELS * _CELL**2, _WIDTH, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=step, dilation=step) for step in _DILATIONS)
        self.last = nn.Conv2d(_WIDTH, 2 * 4, 3, padding=1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """How much of each change is to be taken."""
        seen = functional.relu(self.first(functional.pixel_unshuffle(x, _CELL)))
        for convolution in self.inner:
            seen = seen + functional.relu(convolution(seen))
        fine = functional.pixel_shuffle(self.last(seen), 2)
        return functional.interpolate(fine, scale_factor=2.0, mode="bilinear", align_corners=False).sigmoid()


def load(path: Path) -> ConfidenceNet:
    """The network of a file.

    Raises:
        WeightsError: if it cannot be read, or holds something else.
    """
    return filled(ConfidenceNet(), path, "the network of confidence")
