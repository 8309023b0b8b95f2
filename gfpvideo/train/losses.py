"""The losses of GFP-GAN (sections 3.2 to 3.5), each a pure function of tensors; weights are the caller's."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-10


def reconstruction(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference (equation 5, first term)."""
    return (restored - target).abs().mean()


def pyramid(pictures: Sequence[Tensor], target: Tensor) -> Tensor:
    """Restoration loss on every U-Net scale (section 3.2): each picture against the target at its own size."""
    return torch.stack([reconstruction(p, F.adaptive_avg_pool2d(target, p.shape[-1])) for p in pictures]).sum()


def perceptual(restored: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of channel-normalised features, summed over layers (equation 5, second term)."""
    return torch.stack(
        [(normalised(a) - normalised(b)).abs().sum(dim=1).mean() for a, b in zip(restored, target, strict=True)]
    ).sum()


def normalised(features: Tensor) -> Tensor:
    """Features (B, C, H, W) of unit length across channels."""
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + _EPSILON)


def generator_adversarial(fake_scores: Tensor) -> Tensor:
    """Logistic loss of the generator (equation 6): softplus of the negated scores of its pictures."""
    return F.softplus(-fake_scores).mean()


def discriminator_adversarial(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Logistic loss of a discriminator: real pictures should score high, restored ones low."""
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def gradient_penalty(real_scores: Tensor, real: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): mean squared gradient of the scores of real pictures (B, C, H, W)."""
    (gradient,) = torch.autograd.grad(real_scores.sum(), real, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def gram(features: Tensor) -> Tensor:
    """(B, C, C) Gram matrices of features (B, C, H, W), divided by the number of elements of one picture."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def feature_style(restored: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of Gram matrices of features.

    Of a component discriminator's it is the second term of equation 7; the published settings have it for the features
    of the perceptual loss as well.
    """
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in zip(restored, target, strict=True)]).sum()


def feature_matching(restored: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the features themselves: the ablation that the feature style loss replaces."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(restored, target, strict=True)]).sum()


def identity(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of ArcFace embeddings (equation 8)."""
    return (restored - target).abs().mean()
