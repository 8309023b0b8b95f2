"""The OpenVINO engine: the choice for CPUs (and Intel GPUs).

The network is traced once and kept as OpenVINO's own format in the user's cache folder, beside the compiled model, so
that a later start needs neither torch nor a compilation. The graph takes one crop: on a CPU a batch costs as much a
face as a single one, and a face's result then cannot depend on its companions.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from pydantic import TypeAdapter

from gfpvideo.errors import EngineError
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.models import ModelFile, load_network
from gfpvideo.networks.abilities import Abilities
from gfpvideo.networks.graphs import Traceable, cache_folder, compiled_once, graph_name, openvino_core, traced_once
from gfpvideo.networks.weights import sha256
from gfpvideo.options.restore import Precision
from gfpvideo.stages.threads import cores, side_by_side

if TYPE_CHECKING:
    from gfpvideo.networks.gfpgan.network import Gfpgan

_GRAPH_VERSION = 4
"""Raised whenever the traced graph changes, so that no stale one is used."""
_ABILITIES: TypeAdapter[Abilities] = TypeAdapter(Abilities)
_ABILITIES_PLACE = ["gfpvideo", "abilities"]
"""Where a graph's own file holds them: it is read without the model file."""
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
_CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}


class OpenVinoEngine:
    """Runs a network with OpenVINO; implements :class:`gfpvideo.generator.engines.engine.Engine`."""

    def __init__(self, model: ModelFile, choice: EngineChoice) -> None:
        """Compile a GFP-GAN's graph, which is traced first unless it was before.

        Raises:
            WeightsError: if the model is no GFP-GAN.
            EngineError: if the device or precision is not to be had here.
        """
        core = openvino_core()
        target = _choose_device(core, choice.device)
        folder, eight = cache_folder(), choice.precision == "int8"
        path = _int8(model, folder) if eight else traced_graph(model, folder)
        graph = core.read_model(path)
        self.abilities = _abilities(graph)
        chosen = _choose_precision(core, target, choice.precision, self.abilities.precisions)
        rest = _choose_precision(core, target, "auto", self.abilities.precisions) if eight else chosen
        config = {"INFERENCE_PRECISION_HINT": _HINTS[rest], **_sharing(target, choice.together)}
        compiled = compiled_once(graph, f"{model.name} for {target} {chosen}", target, config, folder)
        self._requests = [compiled.create_infer_request() for _ in range(_streams(choice.together))]
        self.name = f"openvino {target.lower()} {chosen}"
        if eight:
            self.name += f" ({sha256(path.with_suffix('.bin'))[:8]})"  # ranges depend on the faces they were found on

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run each crop by itself, several at a time; see :class:`gfpvideo.generator.engines.engine.Engine`."""
        out = np.empty_like(crops)
        waiting = iter(range(len(crops)))

        def work(request: ov.InferRequest) -> None:
            for index in waiting:
                out[index] = request.infer(crops[index : index + 1])[0][0]

        side_by_side([partial(work, request) for request in self._requests[: len(crops)]])
        return out


def _sharing(target: str, together: int) -> dict[str, object]:
    """How the processor's threads share the work: all on one crop, or a few on each of several.

    Threads that share a crop wait for each other after every layer, and spin while they do; where other stages want the
    processor as well, several crops side by side leave more of it to them. The result is the same to the bit.
    """
    streams = _streams(together)
    return {"NUM_STREAMS": streams} if target == "CPU" and streams > 1 else {"PERFORMANCE_HINT": "LATENCY"}


def _streams(together: int) -> int:
    return min(together, len(cores()))


def traced_graph(model: ModelFile, folder: Path) -> Path:
    """Path of the model file's graph in OpenVINO's format, traced now unless it was before."""
    return traced_once(traceable(model), folder)


def traceable(model: ModelFile) -> Traceable:
    """What OpenVINO runs of a model file."""
    return Traceable(model.name, _graph_key(model), lambda: _traced(load_network(model)))


def int8_graph(model: ModelFile, folder: Path) -> Path:
    """Path of the model file's graph in eight bits; :mod:`gfpvideo.generator.quantize` makes it."""
    return folder / "int8" / graph_name(_graph_key(model)) / "graph.xml"


def _int8(model: ModelFile, folder: Path) -> Path:
    path = int8_graph(model, folder)
    if not path.is_file():
        raise EngineError(
            f"--precision int8: {model.name} was not quantized on this machine yet; do that with: gfpvideo weights"
            " quantize FILM ..."
        )
    return path


def _graph_key(model: ModelFile) -> str:
    return f"{model.sha256}-{model.variant or 'found'}-{_GRAPH_VERSION}"


def _traced(network: "Gfpgan") -> ov.Model:
    import torch

    size = network.config.size
    exported = torch.export.export(network, (torch.zeros(1, 3, size, size),))
    graph = ov.convert_model(exported, input=[1, 3, size, size])
    graph.set_rt_info(_ABILITIES.dump_json(network.abilities).decode(), _ABILITIES_PLACE)
    return graph


def _abilities(graph: ov.Model) -> Abilities:
    """What the network can do, as its graph says."""
    return _ABILITIES.validate_json(graph.get_rt_info(_ABILITIES_PLACE).astype(str))


def _choose_device(core: ov.Core, device: str) -> str:
    wanted = {"auto": "CPU", "cpu": "CPU", "gpu": "GPU"}.get(device)
    if wanted is None or not any(name.split(".")[0] == wanted for name in core.available_devices):
        raise EngineError(f"--device {device}: OpenVINO sees only {', '.join(core.available_devices)} here")
    return wanted


def _choose_precision(core: ov.Core, target: str, precision: Precision, able: Sequence[str]) -> str:
    capabilities = core.get_property(target, "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        return "bf16" if "BF16" in capabilities and "bf16" in able else "fp32"
    if _CAPABILITIES[precision] not in capabilities:
        raise EngineError(f"--precision {precision}: this {target} does not compute it; give fp32")
    return precision
