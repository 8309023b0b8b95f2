"""Layers of the clean GFP-GAN (versions 1.2 to 1.4): plain convolutions and bilinear resizing.

The clean network drops the paper's equalised learning rates, fused activations and blur kernels; the topology in
:mod:`gfpvideo.networks.gfpgan.network` is shared. Attribute names are those of the published state dicts.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gfpvideo.networks.gfpgan.modulation import demodulation, scale_channels

SLOPE = 0.2
"""Negative slope of every leaky ReLU in the network."""


def resize_bilinear(x: Tensor, factor: float) -> Tensor:
    """Resize (B, C, H, W) by ``factor``, pixel centres aligned as in the published networks."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class ResBlock(nn.Module):
    """Residual block that halves (``factor`` 0.5) or doubles (``factor`` 2) the resolution."""

    def __init__(self, in_channels: int, out_channels: int, factor: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.conv1(x), SLOPE)
        inner = F.leaky_relu(self.conv2(resize_bilinear(inner, self.factor)), SLOPE)
        return inner + self.skip(resize_bilinear(x, self.factor))


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels are scaled by a style (StyleGAN2, section 2.2).

    The activations are scaled rather than the weights: the same function, but one dense convolution serves a batch
    of different styles.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, style_dim: int, *, demodulate: bool, upsample: bool
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(1, out_channels, in_channels, kernel, kernel) / math.sqrt(in_channels * kernel**2)
        )
        self.modulation = nn.Linear(style_dim, in_channels)
        nn.init.ones_(self.modulation.bias)
        self.demodulate = demodulate
        self.upsample = upsample
        self.padding = kernel // 2

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        weight = self.weight[0]
        style = self.modulation(style)
        x = scale_channels(x, style)
        if self.upsample:
            x = resize_bilinear(x, 2.0)
        x = F.conv2d(x, weight, padding=self.padding)
        return scale_channels(x, demodulation(weight, style)) if self.demodulate else x


class StyleConv(nn.Module):
    """Modulated convolution, fixed noise, bias and activation: one layer of the StyleGAN2 prior."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, *, upsample: bool) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv2d(
            in_channels, out_channels, 3, style_dim, demodulate=True, upsample=upsample
        )
        self.weight = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))
        self.quiet = False
        """Whether noise has no strength: traced, it would be a picture of zeros that is read for every face."""

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        out = self.modulated_conv(x, style) * math.sqrt(2.0)
        added = self.bias if self.quiet else self.weight * noise + self.bias
        return F.leaky_relu(out + added.to(out.dtype), SLOPE)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to RGB, added to the upsampled picture of the scale below."""

    def __init__(self, in_channels: int, style_dim: int, *, upsample: bool) -> None:
        super().__init__()
        self.upsample = upsample
        self.modulated_conv = ModulatedConv2d(in_channels, 3, 1, style_dim, demodulate=False, upsample=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None = None) -> Tensor:
        out = self.modulated_conv(x, style)
        out = out + self.bias.to(out.dtype)
        if skip is None:
            return out
        return out + (resize_bilinear(skip, 2.0) if self.upsample else skip)


class NormStyle(nn.Module):
    """Normalise a style vector to unit second moment."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class CleanLayers:
    """The layer kit of the clean network; see :class:`gfpvideo.networks.gfpgan.network.LayerKit`."""

    unet_entry_activates = False
    """The leaky ReLU after the first and the last U-Net convolution is applied by the topology."""

    @staticmethod
    def unet_conv(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
        return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)

    @staticmethod
    def down(in_channels: int, out_channels: int) -> nn.Module:
        return ResBlock(in_channels, out_channels, 0.5)

    @staticmethod
    def up(in_channels: int, out_channels: int) -> nn.Module:
        return ResBlock(in_channels, out_channels, 2.0)

    @staticmethod
    def plain_conv(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
        return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)

    @staticmethod
    def activation() -> nn.Module:
        return nn.LeakyReLU(SLOPE)

    @staticmethod
    def linear(in_features: int, out_features: int) -> nn.Module:
        return nn.Linear(in_features, out_features)

    @staticmethod
    def style_mlp(style_dim: int, depth: int) -> nn.Sequential:
        layers: list[nn.Module] = [NormStyle()]
        for _ in range(depth):
            layers += [nn.Linear(style_dim, style_dim), nn.LeakyReLU(SLOPE)]
        return nn.Sequential(*layers)

    @staticmethod
    def style_conv(in_channels: int, out_channels: int, style_dim: int, *, upsample: bool) -> nn.Module:
        return StyleConv(in_channels, out_channels, style_dim, upsample=upsample)

    @staticmethod
    def to_rgb(in_channels: int, style_dim: int, *, upsample: bool) -> nn.Module:
        return ToRGB(in_channels, style_dim, upsample=upsample)
