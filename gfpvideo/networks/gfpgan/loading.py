"""Read a model file: recognise the architecture from its keys and shapes, and load it strictly."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gfpvideo.errors import UnknownArchitectureError, WeightsError
from gfpvideo.networks.gfpgan.layers_clean import StyleConv
from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig, Modulation, Variant

StateDict = Mapping[str, Tensor]

_WRAPPERS = ("params_ema", "params", "state_dict")
"""Keys under which published files hold the state dict, the better one first."""
_SHOWN = 3
"""Keys that an error names of each kind."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` or ``.pth`` file in float32; nothing in it is ever executed.

    Raises:
        WeightsError: if the file cannot be read or does not hold a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such model file") from None
    except (
        OSError,
        SafetensorError,
        UnpicklingError,
        RuntimeError,
        BadZipFile,
        EOFError,
        ValueError,
        KeyError,
    ) as error:
        raise WeightsError(f"{path}: not a readable model file ({type(error).__name__})") from error
    return {key: tensor.float() for key, tensor in _unwrap(content, path).items()}


def _unwrap(content: object, path: Path) -> dict[str, Tensor]:
    if isinstance(content, dict):
        state: dict[str, Any] = next((content[key] for key in _WRAPPERS if key in content), content)
        if isinstance(state, dict) and state and all(isinstance(value, Tensor) for value in state.values()):
            return state
    raise WeightsError(f"{path}: holds no state dict of tensors")


def recognise(state: StateDict, variant: Variant | None = None) -> GfpganConfig:
    """Find architecture and sizes of a GFP-GAN from the keys and shapes of its state dict.

    Args:
        state: the state dict.
        variant: to be given for ``bilinear``, whose keys are those of ``original``; otherwise found.

    Raises:
        UnknownArchitectureError: if the keys are not those of a GFP-GAN.
    """
    if variant is None:
        variant = "original" if "conv_body_first.0.weight" in state else "clean"
    try:
        fold = math.isqrt(_entry(state, variant).shape[1] // 3)
        finest = 2 ** (_count(state, r"conv_body_down\.(\d+)\.") + 2)
        narrow = state["stylegan_decoder.constant_input.weight"].shape[1] / 512
        style_dim = state["stylegan_decoder.style_mlp.1.weight"].shape[0]
        return GfpganConfig(
            variant=variant,
            size=finest * fold,
            style_dim=style_dim,
            channel_multiplier=_multiplier(state, finest, narrow),
            narrow=narrow,
            mlp_depth=sum(bool(re.fullmatch(r"stylegan_decoder\.style_mlp\.\d+\.weight", key)) for key in state),
            different_w=state["final_linear.bias"].shape[0] > style_dim,
            fold=fold,
            modulation=_modulation(state),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise UnknownArchitectureError(f"these are not the weights of a GFP-GAN (no usable {error})") from None


def _entry(state: StateDict, variant: Variant) -> Tensor:
    return state["conv_body_first.weight" if variant == "clean" else "conv_body_first.0.weight"]


def _count(state: StateDict, pattern: str) -> int:
    return len({match[1] for key in state if (match := re.match(pattern, key))})


def _modulation(state: StateDict) -> Modulation:
    shift = state.get("condition_shift.0.2.weight")
    if shift is None:
        return "none"
    return "channel-split" if shift.shape[0] == shift.shape[1] else "full"


def _multiplier(state: StateDict, size: int, narrow: float) -> float:
    if size < 64:
        return 1.0
    width_at_64 = state["stylegan_decoder.style_convs.6.modulated_conv.weight"].shape[1]
    return width_at_64 / (256 * narrow)


def build(state: StateDict, variant: Variant | None = None, *, name: str = "model") -> Gfpgan:
    """The network of a state dict, in evaluation mode, loaded strictly.

    Args:
        state: the state dict.
        variant: see :func:`recognise`.
        name: the file's name, for error messages.

    Raises:
        WeightsError: with the first missing, unexpected and misshapen keys in one line.
    """
    try:
        config = recognise(state, variant)
    except UnknownArchitectureError as error:
        raise UnknownArchitectureError(f"{name}: {error}") from None
    with torch.device("meta"):
        network = Gfpgan(config)
    _check_keys(network.state_dict(), state, name)
    network = Gfpgan(config)
    network.load_state_dict(dict(state))
    for layer in network.modules():
        if isinstance(layer, StyleConv):
            layer.quiet = not layer.weight.any()
    return network.eval().requires_grad_(False)


def _check_keys(expected: StateDict, found: StateDict, name: str) -> None:
    problems = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "misshapen": [
            f"{key} {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in sorted(expected.keys() & found.keys())
            if found[key].shape != expected[key].shape
        ],
    }
    parts = [f"{len(keys)} {kind} ({_abridged(keys)})" for kind, keys in problems.items() if keys]
    if parts:
        raise WeightsError(f"{name}: not a complete GFP-GAN: {'; '.join(parts)}")


def _abridged(keys: list[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
