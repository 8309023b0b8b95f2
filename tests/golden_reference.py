"""The stored outputs of the published networks, and the weights and inputs that made them.

Weights and inputs are not stored: a rule makes them from the names of the keys, exactly on every machine.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "golden" / "reference"
INDEX: dict[str, Any] = json.loads((FOLDER / "index.json").read_text())


def random_of(name: str, shape: list[int]) -> NDArray[np.float32]:
    """Standard normal numbers that depend on ``name`` alone."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return generator.standard_normal(shape, dtype=np.float32)


def weight_of(key: str, shape: list[int]) -> torch.Tensor:
    """The tensor that stands for ``key`` in the reference networks."""
    value = random_of(key, shape)
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if key.endswith("running_var"):
        value = 1 + 0.1 * np.abs(value)
    elif key.endswith("modulation.bias"):
        value = 1 + 0.1 * value
    elif ".noises." not in key:
        fan_in = np.prod(shape[-3:]) if len(shape) >= 4 else np.prod(shape[1:]) if len(shape) >= 2 else 100
        value = value / np.sqrt(fan_in)
    return torch.from_numpy(np.asarray(value, np.float32))


def state_of(name: str) -> dict[str, torch.Tensor]:
    """The state dict of a reference network."""
    return {key: weight_of(key, shape) for key, shape in INDEX[name]["state_dict"].items()}


def input_of(name: str) -> torch.Tensor:
    """The input of a reference network."""
    entry = INDEX[name]
    return torch.from_numpy(np.clip(0.5 * random_of(entry["input"], entry["input_shape"]), -1, 1))


def stored_outputs(name: str) -> dict[str, NDArray[np.float32]]:
    """What the published network computed."""
    return dict(np.load(FOLDER / f"{name}.npz"))


def like_stored(picture: NDArray[np.float32], stored: NDArray[np.float32]) -> NDArray[np.float32]:
    """``picture`` as it would be stored: every 4th row and column, if it is large."""
    return picture if picture.shape == stored.shape else picture[..., ::4, ::4]
