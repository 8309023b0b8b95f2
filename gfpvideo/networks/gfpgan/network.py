"""GFP-GAN (Wang et al., CVPR 2021): degradation-removing U-Net, StyleGAN2 prior, channel-split SFT between them.

One topology for every published version; a layer kit decides whether it is built of the clean layers (1.2 to 1.4)
or of StyleGAN2's (1.0 and its bilinear sibling). Module names are those of the published state dicts.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gfpvideo.networks.abilities import Abilities
from gfpvideo.networks.gfpgan.layers_clean import SLOPE, CleanLayers
from gfpvideo.networks.gfpgan.layers_stylegan2 import StyleGAN2Layers

Variant = Literal["clean", "original", "bilinear"]
Modulation = Literal["channel-split", "full", "none"]


@dataclass(frozen=True)
class GfpganConfig:
    """Everything that fixes the shape of a GFP-GAN."""

    variant: Variant = "clean"
    """Layer kit: ``clean`` (1.2 to 1.4), ``original`` (1.0) or ``bilinear`` (the original without blur kernels)."""
    size: int = 512
    """Side of the square crop in pixels, a power of two."""
    style_dim: int = 512
    """Length of a latent code w."""
    channel_multiplier: float = 2
    """Width of the layers from 64 pixels up, relative to StyleGAN2's."""
    narrow: float = 1.0
    """Width of all layers relative to StyleGAN2's."""
    mlp_depth: int = 8
    """Layers of the mapping network (kept for its weights; restoration starts from w)."""
    different_w: bool = True
    """Whether the U-Net predicts one w a layer (else a single one)."""
    fold: int = 1
    """Pixels along each side that a position of the finest level holds, laid out as channels (space to depth): a
    processor is bound by memory where few channels have many positions. The published networks have 1."""
    modulation: Modulation = "channel-split"
    """SFT on half of the channels (section 3.4), on all of them, or, as an ablation, none: only w carries the face."""

    @property
    def levels(self) -> int:
        """log2 of the positions along the finest level's side."""
        return (self.size // self.fold).bit_length() - 1

    @property
    def latents(self) -> int:
        """How many codes w the prior consumes."""
        return 2 * self.levels - 2

    def channels(self, resolution: int, share: float = 1.0) -> int:
        """Channels of the prior's features at ``resolution``; the U-Net has ``share`` = 0.5 of them."""
        if resolution <= 32:
            return int(512 * self.narrow * share)
        return int(16384 // resolution * self.channel_multiplier * self.narrow * share)


class LayerKit(Protocol):
    """How the topology makes its layers."""

    unet_entry_activates: bool

    def unet_conv(self, in_channels: int, out_channels: int, kernel: int) -> nn.Module: ...
    def down(self, in_channels: int, out_channels: int) -> nn.Module: ...
    def up(self, in_channels: int, out_channels: int) -> nn.Module: ...
    def plain_conv(self, in_channels: int, out_channels: int, kernel: int) -> nn.Module: ...
    def activation(self) -> nn.Module: ...
    def linear(self, in_features: int, out_features: int) -> nn.Module: ...
    def style_mlp(self, style_dim: int, depth: int) -> nn.Sequential: ...
    def style_conv(self, in_channels: int, out_channels: int, style_dim: int, *, upsample: bool) -> nn.Module: ...
    def to_rgb(self, in_channels: int, style_dim: int, *, upsample: bool) -> nn.Module: ...


def layer_kit(variant: Variant) -> LayerKit:
    """The kit that builds ``variant``."""
    return CleanLayers() if variant == "clean" else StyleGAN2Layers(bilinear=variant == "bilinear")


class Encoded(NamedTuple):
    """What the U-Net hands to the prior."""

    w: Tensor
    """(B, latents, style_dim) codes."""
    scales: list[Tensor]
    """SFT scale of each resolution from 8 up, (B, C, R, R); empty without spatial modulation."""
    shifts: list[Tensor]
    """SFT shift of each resolution from 8 up, (B, C, R, R); empty without spatial modulation."""
    features: list[Tensor]
    """U-Net decoder features of each resolution from 8 up; the pyramid pictures are made from them."""


class ConstantInput(nn.Module):
    """The learned 4x4 start of the prior."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        return self.weight.expand(batch, -1, -1, -1)


class StyleGAN2Decoder(nn.Module):
    """StyleGAN2's synthesis network with channel-split spatial feature transforms (section 3.4, equations 3 and 4)."""

    def __init__(self, config: GfpganConfig, kit: LayerKit) -> None:
        super().__init__()
        width = config.channels(4)
        self.modulation = config.modulation
        self.style_mlp = kit.style_mlp(config.style_dim, config.mlp_depth)
        self.constant_input = ConstantInput(width)
        self.style_conv1 = kit.style_conv(width, width, config.style_dim, upsample=False)
        self.to_rgb1 = kit.to_rgb(width, config.style_dim, upsample=False)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        self.noises.register_buffer("noise0", torch.randn(1, 1, 4, 4))
        for level in range(3, config.levels + 1):
            out = config.channels(2**level)
            self.style_convs.append(kit.style_conv(width, out, config.style_dim, upsample=True))
            self.style_convs.append(kit.style_conv(out, out, config.style_dim, upsample=False))
            self.to_rgbs.append(kit.to_rgb(out, config.style_dim, upsample=True))
            for index in (2 * level - 5, 2 * level - 4):
                self.noises.register_buffer(f"noise{index}", torch.randn(1, 1, 2**level, 2**level))
            width = out
        self.fold = config.fold
        if config.fold > 1:
            self.to_pixels = kit.plain_conv(width, 3 * config.fold**2, 3)

    def noise(self, index: int) -> Tensor:
        """The fixed noise picture of a layer: the same for every frame, or faces would shimmer."""
        return getattr(self.noises, f"noise{index}")  # torch 2.6 cannot export get_buffer()

    def forward(self, w: Tensor, scales: list[Tensor], shifts: list[Tensor]) -> Tensor:
        """(B, 3, S, S) picture from codes (B, latents, style_dim) and the SFT parameters."""
        x = self.constant_input(w.shape[0])
        x = self.style_conv1(x, w[:, 0], self.noise(0))
        picture = self.to_rgb1(x, w[:, 1])
        for level, to_rgb in enumerate(self.to_rgbs):
            first = 2 * level + 1
            x = self.style_convs[2 * level](x, w[:, first], self.noise(first))
            if self.modulation != "none":
                x = self._transform(x, scales[level], shifts[level])
            x = self.style_convs[2 * level + 1](x, w[:, first + 1], self.noise(first + 1))
            picture = to_rgb(x, w[:, first + 2], picture)
        return picture if self.fold == 1 else self._unfolded(picture, x)

    def _unfolded(self, picture: Tensor, x: Tensor) -> Tensor:
        """The finest level's picture at the crop's size, with what only the features know of each pixel."""
        coarse = F.interpolate(picture, scale_factor=float(self.fold), mode="bilinear", align_corners=False)
        return coarse + F.pixel_shuffle(self.to_pixels(x), self.fold)

    def _transform(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        if self.modulation == "full":
            return x * scale + shift
        kept, changed = torch.chunk(x, 2, dim=1)
        return torch.cat([kept, changed * scale + shift], dim=1)


class Gfpgan(nn.Module):
    """The generator: (B, 3, S, S) RGB in [-1, 1] in, the restored picture of the same shape out (not clipped)."""

    def __init__(self, config: GfpganConfig) -> None:
        super().__init__()
        self.config = config
        kit = layer_kit(config.variant)
        self._activate_entry = not kit.unet_entry_activates
        self._build_unet(kit)
        self._build_conditions(kit)
        count = config.latents if config.different_w else 1
        self.final_linear = kit.linear(self._unet_channels(2) * 16, count * config.style_dim)
        self.stylegan_decoder = StyleGAN2Decoder(config, kit)

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        return Abilities(self.config.size)

    def _unet_channels(self, level: int) -> int:
        return self.config.channels(2**level, 0.5)

    def _build_unet(self, kit: LayerKit) -> None:
        width, top = self._unet_channels, self.config.levels
        fold = self.config.fold
        self.conv_body_first = kit.unet_conv(3 * fold**2, width(top), 1 if fold == 1 else 3)
        self.conv_body_down = nn.ModuleList(kit.down(width(i), width(i - 1)) for i in range(top, 2, -1))
        self.final_conv = kit.unet_conv(width(2), width(2), 3)
        self.conv_body_up = nn.ModuleList(kit.up(width(i - 1), width(i)) for i in range(3, top + 1))
        self.toRGB = nn.ModuleList(kit.plain_conv(width(i), 3, 1) for i in range(3, top + 1))

    def _build_conditions(self, kit: LayerKit) -> None:
        def condition(level: int) -> nn.Sequential:
            width = self._unet_channels(level)
            out = 2 * width if self.config.modulation == "full" else width
            return nn.Sequential(kit.plain_conv(width, width, 3), kit.activation(), kit.plain_conv(width, out, 3))

        levels = range(3, self.config.levels + 1) if self.config.modulation != "none" else ()
        self.condition_scale = nn.ModuleList(condition(level) for level in levels)
        self.condition_shift = nn.ModuleList(condition(level) for level in levels)

    def encode(self, x: Tensor) -> Encoded:
        """Run the U-Net (section 3.2): latent codes and spatial features of (B, 3, S, S) crops in [-1, 1]."""
        feature = self._entry(self.conv_body_first(F.pixel_unshuffle(x, self.config.fold)))
        skips: list[Tensor] = []
        for block in self.conv_body_down:
            feature = block(feature)
            skips.append(feature)
        feature = self._entry(self.final_conv(feature))
        w = self.final_linear(feature.flatten(1)).unflatten(1, (-1, self.config.style_dim))
        if not self.config.different_w:
            w = w.expand(-1, self.config.latents, -1)
        features: list[Tensor] = []
        for block, skip in zip(self.conv_body_up, reversed(skips), strict=True):
            feature = block(feature + skip)
            features.append(feature)
        scales, shifts = (
            [condition(feature) for condition, feature in zip(conditions, features, strict=False)]  # none, or all
            for conditions in (self.condition_scale, self.condition_shift)
        )
        return Encoded(w, scales, shifts, features)

    def _entry(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, SLOPE) if self._activate_entry else x

    def pyramid(self, encoded: Encoded) -> list[Tensor]:
        """Pictures of every U-Net scale from 8 up, for the pyramid restoration loss (section 3.2)."""
        return [to_rgb(feature) for to_rgb, feature in zip(self.toRGB, encoded.features, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encode(x)
        return self.stylegan_decoder(encoded.w, encoded.scales, encoded.shifts)
