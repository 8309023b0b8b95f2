"""ArcFace and the discriminators compute what the published ones do."""

import numpy as np
import pytest
import torch
from torch import nn

from gfpvideo.networks.arcface import ArcFace, grey_faces
from gfpvideo.train.discriminators import ComponentDiscriminator, StyleGAN2Discriminator, group_deviation
from golden_reference import input_of, like_stored, state_of, stored_outputs


def _loaded(network: nn.Module, name: str) -> nn.Module:
    network.load_state_dict(state_of(name))
    return network.eval()


def _error(found: torch.Tensor, stored: np.ndarray, scale: float) -> float:
    """Largest difference from what is stored, over ``scale``."""
    return float(np.abs(like_stored(found.numpy(), stored) - stored).max()) / scale


@torch.inference_mode()
def test_arcface_equals_the_published_one() -> None:
    network = _loaded(ArcFace(), "arcface_resnet18")
    stored = stored_outputs("arcface_resnet18")["embedding"]
    assert _error(network(input_of("arcface_resnet18")), stored, float(stored.std())) < 1e-4


@torch.inference_mode()
def test_stylegan2_discriminator_equals_the_published_one() -> None:
    name = "stylegan2_discriminator_128_narrow"
    network = _loaded(StyleGAN2Discriminator(128, narrow=0.25), name)
    stored = stored_outputs(name)["score"]
    assert _error(network(input_of(name)), stored, float(np.abs(stored).mean())) < 1e-4


@torch.inference_mode()
def test_component_discriminator_equals_the_published_one() -> None:
    name = "facial_component_discriminator"
    network = _loaded(ComponentDiscriminator(), name)
    stored = stored_outputs(name)
    score, (shallow, deep) = network(input_of(name))
    for found, key in ((score, "score"), (shallow, "feat1"), (deep, "feat2")):
        assert _error(found, stored[key], float(np.sqrt(np.square(stored[key]).mean()))) < 1e-4


def test_deviation_is_taken_within_groups() -> None:
    """The published code puts crops i, i + B/g, i + 2B/g ... into one group; a batch of one has no deviation."""
    same = torch.ones(8, 3, 4, 4)
    assert float(group_deviation(same, 4).max()) == pytest.approx(1e-4)
    varied = torch.arange(8.0)[:, None, None, None].expand(8, 3, 4, 4)
    found = group_deviation(varied, 4)[:, 0, 0, 0]
    assert torch.allclose(found, torch.full((8,), float(np.std([0, 2, 4, 6]))), atol=1e-4)
    assert group_deviation(varied[:1], 4).shape == (1, 1, 4, 4)
    # Of six, groups of three: every second picture.
    six = torch.rand(6, 2, 4, 4)
    wanted = [six[start::2].var(dim=0, unbiased=False).add(1e-8).sqrt().mean() for start in (0, 1)]
    assert torch.allclose(group_deviation(six, 4)[:, 0, 0, 0], torch.stack(wanted * 3))


def test_grey_faces_keep_their_light() -> None:
    crops = torch.full((2, 3, 256, 256), 0.5)
    assert torch.allclose(grey_faces(crops), torch.full((2, 1, 128, 128), 0.5), atol=1e-3)
