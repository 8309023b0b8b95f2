"""Style modulation by scaling activations (StyleGAN2, equations 1 and 3), shared by every layer kit."""

import torch
from torch import Tensor

EPSILON = 1e-8
"""Keeps the demodulation finite where a style is zero; the published networks use the same value."""


def scale_channels(x: Tensor, scale: Tensor) -> Tensor:
    """Multiply each channel of ``x`` (B, C, H, W) by ``scale`` (B, C)."""
    return x * scale[:, :, None, None].to(x.dtype)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """Factor that gives each output channel unit expected deviation.

    Args:
        weight: (out, in, k, k) convolution weights as applied.
        style: (B, in) scales of the input channels.

    Returns:
        (B, out) reciprocal norm of the modulated weights.
    """
    energy = weight.square().sum(dim=(2, 3))
    return torch.rsqrt(style.square() @ energy.t() + EPSILON)
