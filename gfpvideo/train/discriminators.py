"""The two discriminators of GFP-GAN: StyleGAN2's for the whole face, a small one for each facial component."""

import math

import torch
from torch import Tensor, nn

from gfpvideo.networks.gfpgan.layers_stylegan2 import ConvLayer, EqualLinear, ResBlock

_EPSILON = 1e-8


class StyleGAN2Discriminator(nn.Module):
    """Judges whole faces, (B, 3, S, S) to (B, 1) scores (Karras et al., 2020; section 3.3)."""

    def __init__(self, size: int, *, channel_multiplier: float = 1.0, narrow: float = 1.0, group: int = 4) -> None:
        """Build for crops with sides of ``size`` pixels; ``group`` crops share a deviation."""
        super().__init__()

        def width(resolution: int) -> int:
            wide = 512 if resolution <= 32 else 16384 // resolution * channel_multiplier
            return int(wide * narrow)

        resolutions = [size >> step for step in range(int(math.log2(size)) - 2)]
        self.conv_body = nn.Sequential(
            ConvLayer(3, width(size), 1), *(ResBlock(width(r), width(r // 2)) for r in resolutions)
        )
        self.final_conv = ConvLayer(width(4) + 1, width(4), 3)
        self.final_linear = nn.Sequential(EqualLinear(width(4) * 16, width(4), activate=True), EqualLinear(width(4), 1))
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Scores of a batch; higher looks more real."""
        features = self.conv_body(x)
        features = torch.cat([features, group_deviation(features, self.group)], dim=1)
        return self.final_linear(self.final_conv(features).flatten(1))


def group_deviation(features: Tensor, group: int) -> Tensor:
    """(B, 1, H, W) mean standard deviation within groups of the batch: shows a lack of variety (ProGAN, section 3).

    Groups are of ``group`` pictures, or of the next smaller number that divides the batch.
    """
    batch, _, height, width = features.shape
    size = next(size for size in range(min(batch, group), 0, -1) if batch % size == 0)
    grouped = features.unflatten(0, (size, -1))
    deviation = (grouped.var(dim=0, unbiased=False) + _EPSILON).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)


class ComponentDiscriminator(nn.Module):
    """Judges an eye or a mouth, patch by patch (section 3.4); its features are compared by the feature style loss."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvLayer(3, 64, 3)
        self.conv2 = ConvLayer(64, 128, 3, downsample=True)
        self.conv3 = ConvLayer(128, 128, 3)
        self.conv4 = ConvLayer(128, 256, 3, downsample=True)
        self.conv5 = ConvLayer(256, 256, 3)
        self.final_conv = ConvLayer(256, 1, 3, activate=False, bias=True)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (B, 1, H/4, W/4) of (B, 3, H, W), and the features of two depths."""
        shallow = self.conv3(self.conv2(self.conv1(x)))
        deep = self.conv5(self.conv4(shallow))
        return self.final_conv(deep), [shallow, deep]
