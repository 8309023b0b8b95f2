"""Model files are recognised, loaded strictly, and refused with one clear line."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gfpvideo.errors import WeightsError
from gfpvideo.networks.gfpgan.loading import build, read_state_dict
from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig

TINY = GfpganConfig(size=32, style_dim=8, channel_multiplier=1, narrow=1 / 32, mlp_depth=2)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return Gfpgan(TINY).state_dict()


@pytest.mark.parametrize("wrapper", ["params_ema", "params", None])
def test_published_wrappings_are_read(state: dict[str, torch.Tensor], wrapper: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({wrapper: state} if wrapper else state, path)
    loaded = read_state_dict(path)
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_averaged_weights_are_preferred(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"params": {"other": torch.zeros(1)}, "params_ema": state}, path)
    assert read_state_dict(path).keys() == state.keys()


def test_half_precision_safetensors_become_float32(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({key: tensor.half() for key, tensor in state.items()}, path)
    loaded = read_state_dict(path)
    assert all(torch.equal(loaded[key], state[key].half().float()) for key in state)


def test_tiny_configuration_is_recognised(state: dict[str, torch.Tensor]) -> None:
    assert build(state).config == TINY


@pytest.mark.parametrize("fold", [2, 4])
def test_a_folded_network_is_recognised_and_keeps_the_size_of_its_crops(fold: int) -> None:
    folded = replace(TINY, size=32 * fold, fold=fold)
    network = build(Gfpgan(folded).state_dict())
    assert network.config == folded
    crops = torch.rand(2, 3, 32 * fold, 32 * fold)
    assert network(crops).shape == crops.shape


def test_what_a_folded_network_adds_goes_to_single_pixels() -> None:
    """Space to depth and back: each of a position's channels is one pixel of the crop."""
    decoder = Gfpgan(replace(TINY, size=64, fold=2)).stylegan_decoder
    upper_right_red = torch.eye(12)[1]
    decoder.to_pixels.load_state_dict({"weight": torch.zeros(12, TINY.channels(32), 3, 3), "bias": upper_right_red})
    with torch.no_grad():
        added = decoder._unfolded(torch.zeros(1, 3, 32, 32), torch.zeros(1, TINY.channels(32), 32, 32))
    assert float(added[0, 0, 0::2, 1::2].min()) == 1.0
    assert float(added.sum()) == 32 * 32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", r"1 missing \(final_conv\.bias\)"),
        ("unexpected", r"1 unexpected \(surprise\)"),
        ("misshapen", r"1 misshapen \(final_conv\.bias \(3,\) instead of \(8,\)\)"),
    ],
)
def test_wrong_keys_are_named(state: dict[str, torch.Tensor], change: str, words: str) -> None:
    if change == "missing":
        del state["final_conv.bias"]
    elif change == "unexpected":
        state["surprise"] = torch.zeros(1)
    else:
        state["final_conv.bias"] = torch.zeros(3)
    with pytest.raises(WeightsError, match=words) as caught:
        build(state, name="model.pth")
    assert "\n" not in str(caught.value)


def test_other_networks_are_refused() -> None:
    with pytest.raises(WeightsError, match="not the weights of a GFP-GAN"):
        build({"conv1.weight": torch.zeros(3, 3)}, name="resnet.pth")


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x80\x04garbage" * 100])
def test_garbage_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        read_state_dict(path)


class _Payload:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_code_in_a_model_file_is_never_run(tmp_path: Path) -> None:
    """A pickle may call anything while it loads; weights_only must stop it."""
    trap = tmp_path / "sprung"
    for name in ("torch.pth", "plain.pth"):
        path = tmp_path / name
        if name == "torch.pth":
            torch.save({"params": _Payload(trap)}, path)
        else:
            path.write_bytes(pickle.dumps({"params": _Payload(trap)}))
        with pytest.raises(WeightsError):
            read_state_dict(path)
    assert not trap.exists()
