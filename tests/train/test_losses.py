"""Losses: right gradients, right values where they are known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gfpvideo.train import losses


def _double(*shape: int) -> Tensor:
    """Random numbers away from each other's values, so that absolute differences have a gradient."""
    return (torch.randn(*shape, dtype=torch.float64) * 2 + torch.rand(*shape, dtype=torch.float64)).requires_grad_(True)


CASES: list[tuple[str, Callable[..., Tensor], Callable[[], tuple[Tensor, ...]]]] = [
    ("reconstruction", losses.reconstruction, lambda: (_double(2, 3, 4, 4), _double(2, 3, 4, 4))),
    ("pyramid", lambda a, t: losses.pyramid([a], t), lambda: (_double(1, 3, 4, 4), _double(1, 3, 8, 8))),
    ("perceptual", lambda a, b: losses.perceptual([a], [b]), lambda: (_double(2, 3, 2, 2), _double(2, 3, 2, 2))),
    ("generator", losses.generator_adversarial, lambda: (_double(4, 1),)),
    ("discriminator", losses.discriminator_adversarial, lambda: (_double(4, 1), _double(4, 1))),
    ("style", lambda a, b: losses.feature_style([a], [b]), lambda: (_double(2, 3, 2, 2), _double(2, 3, 2, 2))),
    ("matching", lambda a, b: losses.feature_matching([a], [b]), lambda: (_double(2, 3, 2, 2), _double(2, 3, 2, 2))),
    ("identity", losses.identity, lambda: (_double(2, 5), _double(2, 5))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "loss", "inputs"), CASES, ids=[case[0] for case in CASES])
def test_gradients_are_right(name: str, loss: Callable[..., Tensor], inputs: Callable[[], tuple[Tensor, ...]]) -> None:
    torch.manual_seed(3)
    assert torch.autograd.gradcheck(loss, inputs())


def test_gradient_of_the_gradient_penalty_is_right() -> None:
    torch.manual_seed(3)
    weight = _double(4, 3, 2, 2)

    def penalty(kernel: Tensor) -> Tensor:
        real = torch.linspace(-1, 1, 48, dtype=torch.float64).reshape(1, 3, 4, 4).requires_grad_(True)
        scores = F.softplus(F.conv2d(real, kernel)).sum(dim=(1, 2, 3))
        return losses.gradient_penalty(scores, real)

    assert torch.autograd.gradcheck(penalty, (weight,))


def test_gradient_penalty_of_a_linear_judge() -> None:
    """The gradient of a weighted sum is the weights: the penalty is their squared length, for every picture."""
    weights = torch.arange(12.0).reshape(1, 3, 2, 2)
    real = torch.zeros(5, 3, 2, 2, requires_grad=True)
    assert float(losses.gradient_penalty((real * weights).sum(dim=(1, 2, 3)), real)) == pytest.approx(506.0)


def test_equal_pictures_cost_nothing() -> None:
    picture = torch.randn(2, 3, 16, 16)
    assert float(losses.reconstruction(picture, picture)) == 0
    assert float(losses.perceptual([picture], [picture])) == 0
    assert float(losses.feature_style([picture], [picture])) == 0
    small = F.adaptive_avg_pool2d(picture, 8)
    assert float(losses.pyramid([small, picture], picture)) == 0


def test_logistic_losses_at_zero_are_log_two() -> None:
    zero = torch.zeros(3, 1)
    assert float(losses.generator_adversarial(zero)) == pytest.approx(0.6931472)
    assert float(losses.discriminator_adversarial(zero, zero)) == pytest.approx(2 * 0.6931472)
    assert float(losses.generator_adversarial(zero + 5)) < 0.01
    assert float(losses.discriminator_adversarial(zero + 5, zero - 5)) < 0.02


def test_gram_of_known_features() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert torch.allclose(losses.gram(features), torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 4)


def test_style_ignores_where_things_are() -> None:
    features = torch.randn(1, 4, 6, 6)
    moved = features.roll((2, 3), dims=(2, 3))
    assert float(losses.feature_style([features], [moved])) < 1e-5
    assert float(losses.feature_matching([features], [moved])) > 0.1


def test_the_perceptual_loss_ignores_the_strength_of_features() -> None:
    features = torch.randn(1, 4, 6, 6)
    assert float(losses.perceptual([features], [features * 3])) < 1e-4


def test_features_look_at_content() -> None:
    """The offline features tell a blurred picture from its original, more so the more it is blurred."""
    from gfpvideo.train.features import feature_extractor

    network = feature_extractor("efficientnet-lite0")
    torch.manual_seed(1)
    picture = F.interpolate(torch.rand(1, 3, 32, 32) * 2 - 1, scale_factor=4, mode="bicubic").clamp(-1, 1)
    with torch.no_grad():
        distances = []
        for shrink in (1, 2, 4, 8):
            blurred = F.interpolate(F.avg_pool2d(picture, shrink), scale_factor=shrink, mode="bilinear")
            distances.append(float(losses.perceptual(network(blurred), network(picture))))
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 0.5
