"""The torch engine: CUDA in half precision with pinned transfers, or the CPU.

The CUDA path could not be measured where this was written (no GPU at hand); its logic is tested on the CPU.
"""

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gfpvideo.errors import EngineError
from gfpvideo.generator.gfpgan import Gfpgan
from gfpvideo.options import Precision

_log = logging.getLogger(__name__)
_MOST = 64
"""Crops that run at once, until memory turns out to be short."""
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchEngine:
    """Runs a network with torch; implements :class:`gfpvideo.generator.engines.Engine`."""

    def __init__(self, network: Gfpgan, device: str, precision: Precision) -> None:
        self._device = choose_device(device)
        chosen = choose_precision(precision, self._device)
        self._dtype = _DTYPES[chosen]
        self._network = network.to(self._device, self._dtype)
        for module in self._network.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)
        self._pinned = self._device.type == "cuda"
        self._most = _MOST
        self.size = network.config.size
        self.name = f"torch {self._device} {chosen}"

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch, in one pass if memory allows; see :class:`gfpvideo.generator.engines.Engine`."""
        results: list[NDArray[np.float32]] = []
        done = 0
        while done < len(crops):
            part = crops[done : done + self._most]
            try:
                results.append(self._run(part))
                done += len(part)
            except torch.OutOfMemoryError as error:
                self._take_fewer(len(part), error)
        return np.concatenate(results)

    def _take_fewer(self, failed: int, error: torch.OutOfMemoryError) -> None:
        """From now on run half as many crops at once as were too many."""
        if failed == 1:
            raise EngineError(
                f"{self._device} has not enough memory for one face; give a smaller --model, or --device cpu"
            ) from error
        self._most = failed // 2
        _log.warning("%s: not enough memory for %d faces at once, going on with %d", self.name, failed, self._most)

    def _run(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(crops)
        if self._pinned:
            batch = batch.pin_memory()
        batch = batch.to(self._device, self._dtype, non_blocking=True, memory_format=torch.channels_last)
        return self._network(batch).float().contiguous().cpu().numpy()


def choose_device(name: str) -> torch.device:
    """The torch device of that name, ``auto`` being CUDA where it is present.

    Raises:
        EngineError: if it is not there.
    """
    if name == "gpu":
        raise EngineError("torch knows no device 'gpu'; give --device cuda, or --engine openvino for an Intel GPU")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise EngineError(f"--device {name}: torch sees {torch.cuda.device_count()} CUDA devices here")
    return torch.device(name)


def choose_precision(precision: Precision, device: torch.device) -> str:
    """The arithmetic to use on a device, ``auto`` being the fastest.

    Raises:
        EngineError: if torch does not compute it there.
    """
    if precision == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if precision == "int8":
        raise EngineError("--precision int8 is for --engine openvino")
    if precision == "fp16" and device.type == "cpu":
        raise EngineError("--precision fp16 needs a GPU; on the CPU give bf16 or fp32")
    return precision
