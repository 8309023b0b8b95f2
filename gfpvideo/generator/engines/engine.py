"""What an engine is: a network, compiled for a device and a precision."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gfpvideo.networks.abilities import Abilities
from gfpvideo.options.restore import Compiler, EngineName, Precision


@dataclass(frozen=True)
class EngineChoice:
    """Which engine somebody wants."""

    engine: EngineName = "auto"
    """``openvino``, ``torch``, or ``auto``: torch where CUDA is present, else OpenVINO."""
    device: str = "auto"
    """``cpu``, ``cuda``, ``cuda:N``, ``gpu`` (Intel, by OpenVINO) or ``auto``."""
    precision: Precision = "auto"
    """``fp32``, ``bf16``, ``fp16``, ``int8`` or ``auto``: bfloat16 where the device computes it natively."""
    compiler: Compiler = "none"
    """What compiles a network that torch runs: ``inductor``, ``cudagraphs``, ``tensorrt`` or ``none``."""
    together: int = 1
    """How many crops are usually restored by one call; results do not depend on it, their speed does."""

    def shared(self, devices: Sequence[str]) -> "list[EngineChoice]":
        """The same for each of several devices, which gets its share of the crops; without any, this one alone."""
        if not devices:
            return [self]
        share = -(-self.together // len(devices))
        return [replace(self, device=device, together=share) for device in devices]


class Engine(Protocol):
    """A network, compiled for a device and a precision."""

    name: str
    """Engine, device and precision, for the summary."""
    abilities: Abilities
    """What its network can do."""

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, 3, S, S) float32 in, the same out; a crop's result does not depend on its companions."""
        ...
