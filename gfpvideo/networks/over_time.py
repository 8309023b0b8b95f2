"""Run the small networks beside the generator: one gathers neighbours in time, one judges restorations."""

import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset8

from gfpvideo.networks.graphs import Traceable, cache_folder, computes_bf16, openvino_core, traced_once
from gfpvideo.networks.weights import entry, installed

_GRAPH_VERSION = 1
"""Raised whenever a traced graph changes, so that no stale one is used."""
_MODULES = {"gather": "gfpvideo.networks.gather_net", "confidence": "gfpvideo.networks.confidence_net"}
"""Where each network is defined; they bring torch along, which a traced network does not need."""

_TRACED = 256
"""Side of the crops whose graphs ship; from one of these, those of other sizes are made."""

Channels = NDArray[np.float32]
"""(C, S, S) planes of a crop, (C, H, W) of a picture; what they hold, the network's own module says."""


class OnOpenVino:
    """A network on OpenVINO; several threads may use it."""

    def __init__(self, graph: ov.Model, *, exact: bool = False) -> None:
        """Compile the traced network, in bfloat16 where the processor computes it, unless it is to be ``exact``.

        OpenVINO keeps what follows the last convolution, where pictures are mixed, in float32: bfloat16 changes what is
        gathered by 0.03 grey levels (79 dB), and confidence by 0.004 at most.
        """
        quick = computes_bf16() and not exact
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if quick else "f32"}
        self._model = openvino_core().compile_model(graph, "CPU", config)
        self._local = threading.local()

    def __call__(self, seen: Channels) -> Channels:
        """Run it on one crop."""
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        return np.array(self._local.request.infer({0: seen[None]}, share_inputs=True)[0][0])


class OnTorch:
    """A network on a CUDA device, in float32. It could not be measured where this was written (no GPU at hand)."""

    def __init__(self, network: Any, device: str) -> None:
        """Take a network over and move it."""
        import torch

        self._device = torch.device(device)
        self._network = network.to(self._device)

    def __call__(self, seen: Channels) -> Channels:
        """Run it on one crop."""
        import torch

        with torch.inference_mode():
            return self._network(torch.from_numpy(seen[None]).to(self._device))[0].cpu().numpy()


class OfPictures:
    """A network on OpenVINO for pictures of any size: compiled anew for each, and a film has one."""

    def __init__(self, name: str, *, exact: bool = False) -> None:
        """Compile nothing yet.

        Args:
            name: as :func:`network_over_time` takes it.
            exact: compute in float32 whatever the processor can.
        """
        self._name, self._exact = name, exact
        self._of_shape = lru_cache(1)(self._compiled)  # bands of a picture have one shape, and so have those of a film
        self._lock = threading.Lock()

    def __call__(self, seen: Channels) -> Channels:
        """Run it on the planes (C, H, W) of one picture."""
        with self._lock:
            network = self._of_shape(seen.shape)
        return network(seen)

    def _compiled(self, shape: tuple[int, ...]) -> OnOpenVino:
        return OnOpenVino(_of_size(self._name, shape), exact=self._exact)


def _of_size(name: str, shape: tuple[int, ...]) -> ov.Model:
    """A network's graph for planes of another size than those that it was traced with."""
    graph = openvino_core().read_model(traced_once(traceable(name, _TRACED), cache_folder()))
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "Reshape" and node.input_value(1).get_node().get_type_name() == "Constant":
            _look_up_sides(node)
    graph.reshape([1, *shape])
    return graph


def _look_up_sides(node: ov.Node) -> None:
    """Let a reshaping take its sides from its input, if those that it was traced with stand in it as numbers."""
    *others, height, width = (0, 0, *node.get_output_shape(0))
    if (height, width) == (_TRACED, _TRACED):
        sides = opset8.gather(opset8.shape_of(node.input_value(0)), _numbers([2, 3]), _numbers(0))
        node.input(1).replace_source_output(opset8.concat([_numbers(others[2:]), sides], 0).output(0))


def _numbers(values: Sequence[int] | int) -> ov.Node:
    return opset8.constant(np.array(values, np.int64))


def network_of_pictures(name: str, device: str | None = None, *, exact: bool = False) -> OfPictures | OnTorch:
    """The same for whole pictures, of any size; arguments and errors as :func:`network_over_time`."""
    return OfPictures(name, exact=exact) if device is None else OnTorch(_loaded(name, installed(name)), device)


def network_over_time(name: str, size: int, device: str | None = None, *, exact: bool = False) -> OnOpenVino | OnTorch:
    """One of the networks that ship with gfpvideo.

    Args:
        name: ``gather`` or ``confidence``.
        size: side of the crops in pixels.
        device: a CUDA device, or ``None`` for the processor, where it is traced unless it was before.
        exact: compute in float32 whatever the processor can.

    Raises:
        WeightsError: if its file is damaged or missing.
    """
    if device is not None:
        return OnTorch(_loaded(name, installed(name)), device)
    return OnOpenVino(openvino_core().read_model(traced_once(traceable(name, size), cache_folder())), exact=exact)


def traceable(name: str, size: int) -> Traceable:
    """What OpenVINO runs for crops with sides of ``size`` pixels; see :func:`network_over_time`."""
    path = installed(name)
    return Traceable(name, f"{name}-{entry(name).sha256}-{size}-{_GRAPH_VERSION}", lambda: _traced(name, path, size))


def _loaded(name: str, path: Path) -> Any:
    return import_module(_MODULES[name]).load(path)


def _traced(name: str, path: Path, size: int) -> ov.Model:
    import torch

    channels = import_module(_MODULES[name]).CHANNELS
    exported = torch.export.export(_loaded(name, path), (torch.zeros(1, channels, size, size),))
    return ov.convert_model(exported, input=[1, channels, size, size])
