"""The torch engine: CUDA in bfloat16, copies beside the computation, or the CPU.

The CUDA path could not be measured where this was written (no GPU at hand). Its logic is tested on the CPU, where torch
has streams that do nothing.
"""

import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gfpvideo.errors import EngineError
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.networks.device import choose_device
from gfpvideo.networks.gfpgan.network import Gfpgan
from gfpvideo.options.restore import Compiler, Precision

_log = logging.getLogger(__name__)
_MOST = 64
"""Crops that run at once, until memory turns out to be short."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Types of numbers by their names."""


class TorchEngine:
    """Runs a network with torch; implements :class:`gfpvideo.generator.engines.engine.Engine`."""

    def __init__(self, network: Gfpgan, choice: EngineChoice) -> None:
        """Take a network over.

        Args:
            network: on any device; it is moved.
            choice: where and how to run it. A compiler compiles it for batches of ``together`` crops alone: smaller
                ones are filled up.

        Raises:
            EngineError: if the device, precision or compiler is not to be had here.
        """
        self.abilities = network.abilities
        self._device = choose_device(choice.device)
        chosen = choose_precision(choice.precision, self._device, self.abilities.precisions)
        self._dtype = DTYPES[chosen]
        network = network.to(self._device, self._dtype)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)
        self._forward = compiled(network, choice.compiler, self._device)
        self._fixed = choice.compiler != "none"
        self._most = choice.together if self._fixed else _MOST
        self._copies = _Copies(self._device)
        self.name = f"torch {self._device} {chosen}" + (f" {choice.compiler}" if self._fixed else "")

    @torch.inference_mode()
    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch, in one pass if memory allows; see :class:`gfpvideo.generator.engines.engine.Engine`."""
        while True:
            try:
                return self._run(crops)
            except torch.OutOfMemoryError as error:
                self._copies.finish()
                self._take_fewer(min(self._most, len(crops)), error)

    def _take_fewer(self, failed: int, error: torch.OutOfMemoryError) -> None:
        """From now on run half as many crops at once as were too many."""
        if failed == 1:
            raise EngineError(
                f"{self._device} has not enough memory for one face; give a smaller --model, or --device cpu"
            ) from error
        self._most = failed // 2
        _log.warning("%s: not enough memory for %d faces at once, going on with %d", self.name, failed, self._most)

    def _run(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run as many crops at once as fit; while they are computed, the next go up and those before come down."""
        parts = [crops[begin : begin + self._most] for begin in range(0, len(crops), self._most)]
        results = []
        following = self._up(parts[0])
        for part, after in zip(parts, [*parts[1:], None], strict=True):
            batch = self._copies.arrived(following)
            if after is not None:
                following = self._up(after)
            results.append(self._copies.down(self._forward(batch)[: len(part)]))
        self._copies.finish()
        return np.concatenate([result.numpy() for result in results])

    def _up(self, part: NDArray[np.float32]) -> Tensor:
        missing = self._most - len(part) if self._fixed else 0
        filled = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.float32)]) if missing else part
        return self._copies.up(torch.from_numpy(filled), self._dtype)


class _Copies:
    """Copies to and from a device, each way in a stream of its own beside the computation's.

    Host memory is pinned, from torch's cache of such memory. What a stream still reads is held until :meth:`finish`.
    """

    def __init__(self, device: torch.device) -> None:
        cuda = device.type == "cuda"
        self._device, self._pin = device, cuda
        self._module: Any = torch.cuda if cuda else torch.cpu
        self._upward, self._downward = (torch.cuda.Stream(device) if cuda else torch.cpu.Stream() for _ in range(2))
        self._held: list[Tensor] = []

    def up(self, crops: Tensor, dtype: torch.dtype) -> Tensor:
        """Start to copy crops to the device; use them after :meth:`arrived`."""
        host = crops.pin_memory() if self._pin else crops
        with self._module.stream(self._upward):
            batch = host.to(self._device, non_blocking=True).to(dtype, memory_format=torch.channels_last)
        self._held += [host, batch]
        return batch

    def arrived(self, batch: Tensor) -> Tensor:
        """The same crops; the computation waits for them."""
        self._module.current_stream(self._device).wait_stream(self._upward)
        return batch

    def down(self, restored: Tensor) -> Tensor:
        """Start to copy results to host memory; read them after :meth:`finish`."""
        # A copy in any case: what CUDA graphs give out is overwritten by the next batch.
        whole = restored.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        host = torch.empty(whole.shape, dtype=whole.dtype, pin_memory=self._pin)
        self._downward.wait_stream(self._module.current_stream(self._device))
        with self._module.stream(self._downward):
            host.copy_(whole, non_blocking=True)
        self._held.append(whole)
        return host

    def finish(self) -> None:
        """Wait for all copies."""
        self._module.synchronize(self._device)
        self._held.clear()


def compiled(network: nn.Module, compiler: Compiler, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The network as a function, compiled by one of torch's backends at its first call.

    Raises:
        EngineError: if the backend is not installed, or the device not its own.
    """
    if compiler == "none":
        return network
    if compiler != "inductor" and device.type != "cuda":
        raise EngineError(f"--compiler {compiler} needs a CUDA device; give --compiler inductor or none")
    if compiler == "tensorrt":
        if find_spec("torch_tensorrt") is None:
            raise EngineError('torch_tensorrt is not installed; get it with: pip install "gfpvideo[tensorrt]"')
        import torch_tensorrt  # type: ignore[import-not-found]  # noqa: F401  # makes itself known to torch
    return torch.compile(network, backend=compiler, dynamic=False)


def choose_precision(precision: Precision, device: torch.device, able: Sequence[str]) -> str:
    """The arithmetic to use on a device.

    ``auto`` is bfloat16 on a GPU that computes it: it has float32's range, and does not overflow as float16 may.
    Neither was compared with float32 on a GPU yet.

    Args:
        precision: what was asked for.
        device: where the network is to run.
        able: kinds of arithmetic in which the network computes what it should.

    Raises:
        EngineError: if torch does not compute it there, or the network not in it.
    """
    if precision == "auto":
        return "bf16" if "bf16" in able and _computes_bf16(device) else "fp32"
    if precision == "int8":
        raise EngineError("--precision int8 is for --engine openvino")
    if precision == "fp16" and device.type == "cpu":
        raise EngineError("--precision fp16 needs a GPU; on the CPU give bf16 or fp32")
    if precision not in able:
        raise EngineError(f"--precision {precision}: this network does not compute it; give {' or '.join(able)}")
    return precision


def _computes_bf16(device: torch.device) -> bool:
    """Whether a GPU has bfloat16 of its own; a CPU is left to float32, which torch does no slower there."""
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)
