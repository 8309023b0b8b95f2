"""The networks compute what the published ones do."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gfpvideo.generator.gfpgan import Gfpgan, GfpganConfig, Variant
from gfpvideo.generator.loading import build

REFERENCE = Path(__file__).parent / "reference"
INDEX: dict[str, Any] = json.loads((REFERENCE / "index.json").read_text())
SMALL = [name for name in INDEX if "512" not in name]
LARGE = [name for name in INDEX if "512" in name]


def _random(name: str, shape: list[int]) -> NDArray[np.float32]:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return generator.standard_normal(shape, dtype=np.float32)


def weight_of(key: str, shape: list[int]) -> torch.Tensor:
    """The tensor that stands for ``key`` in the reference networks."""
    value = _random(key, shape)
    if key.endswith("modulation.bias"):
        value = 1 + 0.1 * value
    elif ".noises." not in key:
        fan_in = np.prod(shape[-3:]) if len(shape) >= 4 else np.prod(shape[1:]) if len(shape) >= 2 else 100
        value = value / np.sqrt(fan_in)
    return torch.from_numpy(value.astype(np.float32))


def state_of(name: str) -> dict[str, torch.Tensor]:
    return {key: weight_of(key, shape) for key, shape in INDEX[name]["state_dict"].items()}


def input_of(name: str) -> torch.Tensor:
    entry = INDEX[name]
    return torch.from_numpy(np.clip(0.5 * _random(entry["input"], entry["input_shape"]), -1, 1))


def network_of(name: str) -> Gfpgan:
    variant: Variant | None = "bilinear" if "bilinear" in name else None
    return build(state_of(name), variant, name=name)


def _like_stored(picture: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture if picture.shape == stored.shape else picture[..., ::4, ::4]


def check_against_reference(name: str) -> None:
    network = network_of(name)
    with torch.inference_mode():
        encoded = network.encode(input_of(name))
        picture = network(input_of(name)).numpy()
        pyramid = [level.numpy() for level in network.pyramid(encoded)]
    stored = np.load(REFERENCE / f"{name}.npz")
    difference = np.abs(_like_stored(picture, stored["image"]) - stored["image"]).max()
    assert difference < 1e-4 * INDEX[name]["std"]
    assert [level.shape[-1] for level in pyramid] == [2**i for i in range(3, network.config.levels + 1)]
    for level in pyramid:
        expected = stored[f"rgb_{level.shape[-1]}"]
        assert np.abs(_like_stored(level, expected) - expected).max() < 1e-4 * expected.std()


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
        "sft_half": config.sft_half,
    }
    assert found == constructor


@pytest.mark.parametrize("variant", ["clean", "original", "bilinear"])
def test_a_batch_equals_single_crops(variant: Variant) -> None:
    """Modulation is by sample: eight different faces in one batch must not see each other.

    Fresh weights, not the reference's: with those the original network hardly looks at its input.
    """
    torch.manual_seed(4)
    network = Gfpgan(GfpganConfig(variant, size=128, style_dim=64, channel_multiplier=1, narrow=0.25)).eval()
    crops = torch.from_numpy(np.clip(0.5 * _random("batch", [8, 3, 128, 128]), -1, 1))
    with torch.inference_mode():
        together = network(crops)
        alone = torch.cat([network(crop[None]) for crop in crops])
    spread = float(alone.std())
    assert float((together - alone).abs().max()) < 1e-5 * spread
    assert float((alone[0] - alone[1]).abs().max()) > 1e-2 * spread


def test_noise_is_fixed() -> None:
    """The published code draws fresh noise at each call unless told not to: faces then shimmer."""
    network = network_of("gfpgan_clean_256_narrow")
    with torch.inference_mode():
        assert torch.equal(network(input_of("gfpgan_clean_256_narrow")), network(input_of("gfpgan_clean_256_narrow")))
