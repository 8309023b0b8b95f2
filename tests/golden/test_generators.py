"""The networks compute what the published ones do."""

import numpy as np
import pytest
import torch

from gfpvideo.networks.gfpgan.loading import build
from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig, Variant
from golden_reference import INDEX, input_of, like_stored, random_of, state_of, stored_outputs
from helpers import assert_same

SMALL = [name for name in INDEX if name.startswith("gfpgan") and "512" not in name]
LARGE = [name for name in INDEX if name.startswith("gfpgan") and "512" in name]


def network_of(name: str) -> Gfpgan:
    variant: Variant | None = "bilinear" if "bilinear" in name else None
    return build(state_of(name), variant, name=name)


def check_against_reference(name: str) -> None:
    network = network_of(name)
    with torch.inference_mode():
        encoded = network.encode(input_of(name))
        picture = network(input_of(name)).numpy()
        pyramid = [level.numpy() for level in network.pyramid(encoded)]
    stored = stored_outputs(name)
    assert_same(like_stored(picture, stored["image"]), stored["image"], "elsewhere")
    assert [level.shape[-1] for level in pyramid] == [2**i for i in range(3, network.config.levels + 1)]
    for level in pyramid:
        expected = stored[f"rgb_{level.shape[-1]}"]
        assert_same(like_stored(level, expected), expected, "elsewhere")


@pytest.mark.parametrize("name", SMALL)
def test_small_network_equals_the_published_one(name: str) -> None:
    check_against_reference(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_full_network_equals_the_published_one(name: str) -> None:
    check_against_reference(name)


@pytest.mark.parametrize("name", SMALL)
def test_sizes_are_recognised_from_the_keys(name: str) -> None:
    config = network_of(name).config
    constructor = INDEX[name]["constructor"]
    found = {
        "out_size": config.size,
        "channel_multiplier": config.channel_multiplier,
        "narrow": config.narrow,
        "num_style_feat": config.style_dim,
        "num_mlp": config.mlp_depth,
        "different_w": config.different_w,
        "sft_half": config.modulation == "channel-split",
    }
    assert found == constructor


@pytest.mark.parametrize("variant", ["clean", "original", "bilinear"])
def test_a_batch_equals_single_crops(variant: Variant) -> None:
    """Modulation is by sample: eight different faces in one batch must not see each other.

    Fresh weights, not the reference's: with those the original network hardly looks at its input.
    """
    torch.manual_seed(4)
    network = Gfpgan(GfpganConfig(variant, size=128, style_dim=64, channel_multiplier=1, narrow=0.25)).eval()
    crops = torch.from_numpy(np.clip(0.5 * random_of("batch", [8, 3, 128, 128]), -1, 1))
    with torch.inference_mode():
        together = network(crops)
        alone = torch.cat([network(crop[None]) for crop in crops])
    spread = float(alone.std())
    assert_same(together.numpy(), alone.numpy(), "in another order")
    assert float((alone[0] - alone[1]).abs().max()) > 1e-2 * spread


def test_noise_is_fixed() -> None:
    """The published code draws fresh noise at each call unless told not to: faces then shimmer."""
    network = network_of("gfpgan_clean_256_narrow")
    with torch.inference_mode():
        one, other = (network(input_of("gfpgan_clean_256_narrow")).numpy() for _ in range(2))
    assert_same(one, other, "alike")
