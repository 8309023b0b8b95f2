"""StyleGAN2 layers of the original GFP-GAN (version 1) and of its bilinear sibling.

Equalised learning rates scale every weight at run time by ``1 / sqrt(fan in)``; activations are leaky ReLUs times
sqrt(2); the original resamples with the separable (1, 3, 3, 1) blur, the sibling bilinearly. Attribute names are
those of the published state dicts, in which the two siblings cannot be told apart.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gfpvideo.networks.gfpgan.layers_clean import SLOPE, NormStyle, resize_bilinear
from gfpvideo.networks.gfpgan.modulation import demodulation, scale_channels

BLUR = (1.0, 3.0, 3.0, 1.0)
"""Taps of the separable resampling filter."""


def blur_kernel(gain: float) -> Tensor:
    """(4, 4) float32 blur kernel whose sum is ``gain``."""
    taps = torch.tensor(BLUR)
    kernel = torch.outer(taps, taps)
    return kernel / kernel.sum() * gain


class Blur(nn.Module):
    """Depthwise blur of (B, C, H, W) with its own padding; optionally after inserting zeros (2x upsampling)."""

    kernel: Tensor

    def __init__(self, pad: tuple[int, int], *, gain: float = 1.0, upsample: bool = False) -> None:
        super().__init__()
        self.register_buffer("kernel", blur_kernel(gain), persistent=False)
        self.pad = (*pad, *pad)
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        if self.upsample:
            x = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
            x = x.reshape(batch, channels, 2 * height, 2 * width)
        x = F.pad(x, self.pad)
        kernel = self.kernel.to(x.dtype).expand(channels, 1, 4, 4)
        return F.conv2d(x, kernel, groups=channels)


class Bilinear(nn.Module):
    """Bilinear resize of (B, C, H, W) by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return resize_bilinear(x, self.factor)


class BiasedLeakyReLU(nn.Module):
    """Bias, leaky ReLU and a gain of sqrt(2): StyleGAN2's fused activation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.bias[None, :, None, None].to(x.dtype), SLOPE) * math.sqrt(2.0)


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU with a gain of sqrt(2)."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) * math.sqrt(2.0)


class EqualConv2d(nn.Module):
    """Convolution with an equalised learning rate."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1.0 / math.sqrt(in_channels * kernel**2)
        self.stride = stride
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, stride=self.stride, padding=self.padding)


class EqualLinear(nn.Module):
    """Linear layer with an equalised learning rate, optionally with the fused activation."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias_init: float = 0.0,
        rate: float = 1.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / rate)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init))
        self.scale = rate / math.sqrt(in_features)
        self.rate = rate
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        out = F.linear(x, self.weight * self.scale, self.bias * self.rate)
        return F.leaky_relu(out, SLOPE) * math.sqrt(2.0) if self.activate else out


class ConvLayer(nn.Sequential):
    """Optional 2x downsampling, an equalised convolution, optional bias and activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        downsample: bool = False,
        activate: bool = True,
        bias: bool = False,
        bilinear: bool = False,
    ) -> None:
        layers: list[nn.Module] = []
        stride, padding = 1, kernel // 2
        if downsample and bilinear:
            layers.append(Bilinear(0.5))
        elif downsample:
            layers.append(Blur((1 + kernel // 2, 1 + kernel // 2)))
            stride, padding = 2, 0
        layers.append(EqualConv2d(in_channels, out_channels, kernel, stride=stride, padding=padding, bias=bias))
        if activate:
            layers.append(BiasedLeakyReLU(out_channels))
        super().__init__(*layers)


class ConvUpLayer(nn.Module):
    """Bilinear 2x upsampling, an equalised convolution, optional bias and activation."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, activate: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.scale = 1.0 / math.sqrt(in_channels * kernel**2)
        self.padding = kernel // 2
        self.activation = BiasedLeakyReLU(out_channels) if activate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = F.conv2d(resize_bilinear(x, 2.0), self.weight * self.scale, padding=self.padding)
        return self.activation(out)


class ResBlock(nn.Module):
    """Residual block of the U-Net encoder (and of StyleGAN2's discriminator): halves the resolution."""

    def __init__(self, in_channels: int, out_channels: int, *, bilinear: bool = False) -> None:
        super().__init__()
        self.conv1 = ConvLayer(in_channels, in_channels, 3)
        self.conv2 = ConvLayer(in_channels, out_channels, 3, downsample=True, bilinear=bilinear)
        self.skip = ConvLayer(in_channels, out_channels, 1, downsample=True, activate=False, bilinear=bilinear)

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2.0)


class ResUpBlock(nn.Module):
    """Residual block of the U-Net decoder: doubles the resolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(in_channels, in_channels, 3)
        self.conv2 = ConvUpLayer(in_channels, out_channels, 3, activate=True)
        self.skip = ConvUpLayer(in_channels, out_channels, 1, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2.0)


class ModulatedConv2d(nn.Module):
    """Equalised convolution whose input channels are scaled by a style; activations are scaled, not weights."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        style_dim: int,
        *,
        demodulate: bool,
        upsample: bool,
        bilinear: bool,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out_channels, in_channels, kernel, kernel))
        self.modulation = EqualLinear(style_dim, in_channels, bias_init=1.0)
        self.scale = 1.0 / math.sqrt(in_channels * kernel**2)
        self.padding = kernel // 2
        self.demodulate = demodulate
        self.upsample = upsample
        self.smooth = Blur((1, 1), gain=4.0) if upsample and not bilinear else None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        weight = self.weight[0] * self.scale
        style = self.modulation(style)
        x = self._convolve(scale_channels(x, style), weight)
        return scale_channels(x, demodulation(weight, style)) if self.demodulate else x

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.smooth is not None:
            return self.smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        if self.upsample:
            x = resize_bilinear(x, 2.0)
        return F.conv2d(x, weight, padding=self.padding)


class StyleConv(nn.Module):
    """Modulated convolution, fixed noise and fused activation: one layer of the StyleGAN2 prior."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, *, upsample: bool, bilinear: bool) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv2d(
            in_channels, out_channels, 3, style_dim, demodulate=True, upsample=upsample, bilinear=bilinear
        )
        self.weight = nn.Parameter(torch.zeros(1))
        self.activate = BiasedLeakyReLU(out_channels)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        out = self.modulated_conv(x, style)
        return self.activate(out + (self.weight * noise).to(out.dtype))


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to RGB, added to the upsampled picture of the scale below."""

    def __init__(self, in_channels: int, style_dim: int, *, upsample: bool, bilinear: bool) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv2d(
            in_channels, 3, 1, style_dim, demodulate=False, upsample=False, bilinear=bilinear
        )
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.enlarge = nn.Identity()
        if upsample:
            self.enlarge = Bilinear(2.0) if bilinear else Blur((2, 1), gain=4.0, upsample=True)

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None = None) -> Tensor:
        out = self.modulated_conv(x, style)
        out = out + self.bias.to(out.dtype)
        return out if skip is None else out + self.enlarge(skip)


class StyleGAN2Layers:
    """The layer kit of the original network; see :class:`gfpvideo.networks.gfpgan.network.LayerKit`."""

    unet_entry_activates = True

    def __init__(self, *, bilinear: bool = False, mlp_rate: float = 0.01) -> None:
        self.bilinear = bilinear
        self.mlp_rate = mlp_rate

    def unet_conv(self, in_channels: int, out_channels: int, kernel: int) -> nn.Module:
        return ConvLayer(in_channels, out_channels, kernel)

    def down(self, in_channels: int, out_channels: int) -> nn.Module:
        return ResBlock(in_channels, out_channels, bilinear=self.bilinear)

    def up(self, in_channels: int, out_channels: int) -> nn.Module:
        return ResUpBlock(in_channels, out_channels)

    def plain_conv(self, in_channels: int, out_channels: int, kernel: int) -> nn.Module:
        return EqualConv2d(in_channels, out_channels, kernel, padding=kernel // 2)

    def activation(self) -> nn.Module:
        return ScaledLeakyReLU()

    def linear(self, in_features: int, out_features: int) -> nn.Module:
        return EqualLinear(in_features, out_features)

    def style_mlp(self, style_dim: int, depth: int) -> nn.Sequential:
        layers: list[nn.Module] = [NormStyle()]
        layers += [EqualLinear(style_dim, style_dim, rate=self.mlp_rate, activate=True) for _ in range(depth)]
        return nn.Sequential(*layers)

    def style_conv(self, in_channels: int, out_channels: int, style_dim: int, *, upsample: bool) -> nn.Module:
        return StyleConv(in_channels, out_channels, style_dim, upsample=upsample, bilinear=self.bilinear)

    def to_rgb(self, in_channels: int, style_dim: int, *, upsample: bool) -> nn.Module:
        return ToRGB(in_channels, style_dim, upsample=upsample, bilinear=self.bilinear)
