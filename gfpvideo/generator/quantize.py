"""Eight-bit arithmetic for the OpenVINO engine, at a loss that is measured first.

NNCF finds the range of every activation on crops of real faces. The style's linear layers, the modulation itself and
the convolutions at both ends stay as they are: they are cheap, and in eight bits they would cost most of the accuracy.
Of the weights' range only half is used: processors without VNNI add pairs of products in sixteen bits, which would
overflow otherwise (`compact` came out 23 dB from float32 there), and elsewhere it costs less than half a decibel.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from gfpvideo.errors import EngineError
from gfpvideo.generator.engines.openvino import int8_graph, traced_graph
from gfpvideo.generator.models import ModelFile
from gfpvideo.networks.graphs import cache_folder, openvino_core, save_graph

LEAST_PSNR = 42.0
"""Likeness to float32, dB, below which a quantised network is refused."""
_HELD_OUT = 5
"""Every so many crops one is kept for the check."""


@dataclass(frozen=True)
class Quantized:
    """What came of it."""

    path: Path
    crops: int
    """Crops that ranges were found on."""
    psnr: float
    """Of its output against float32's, dB, mean over the crops that were held out."""
    least: float
    """The same for the worst of them."""


def quantize(model: ModelFile, crops: NDArray[np.float32]) -> Quantized:
    """Make the graph that ``precision="int8"`` runs, and keep it in the cache folder.

    Args:
        model: a generator.
        crops: (N, 3, S, S) float32 RGB in [-1, 1], faces as the generator will see them; 20 at least, better 100.

    Raises:
        EngineError: if there are too few crops, or the result is too far from float32's.
    """
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    checked, used = crops[::_HELD_OUT], [crop for number, crop in enumerate(crops) if number % _HELD_OUT]
    if len(crops) < 4 * _HELD_OUT:
        raise EngineError(f"{len(crops)} faces are too few to quantize by: {4 * _HELD_OUT} are needed; give more films")
    core = openvino_core()
    graph = core.read_model(traced_graph(model, cache_folder()))
    expected = _outputs(core, graph, checked)
    quantized = nncf.quantize(
        graph,
        nncf.Dataset([crop[None] for crop in used]),
        subset_size=len(used),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(types=["MatMul", "Multiply"], names=_ends(graph)),
        advanced_parameters=AdvancedQuantizationParameters(
            overflow_fix=OverflowFix.ENABLE, activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )
    error = np.square(_outputs(core, quantized, checked) - expected).mean(axis=(1, 2, 3))
    psnr = 10 * np.log10(4 / np.maximum(error, 1e-12))  # outputs span [-1, 1]: the peak is 2
    if psnr.min() < LEAST_PSNR:
        raise EngineError(
            f"{model.name}: in eight bits a face is {psnr.min():.1f} dB from float32, {LEAST_PSNR:g} are wanted; give"
            " more and other faces, or another precision"
        )
    path = int8_graph(model, cache_folder())
    save_graph(quantized, path.parent)
    return Quantized(path, len(used), float(psnr.mean()), float(psnr.min()))


def _ends(graph: ov.Model) -> list[str]:
    """Names of the first and the last convolution."""
    convolutions = [layer for layer in graph.get_ordered_ops() if layer.get_type_name() == "Convolution"]
    return [layer.get_friendly_name() for layer in (convolutions[0], convolutions[-1])]


def _outputs(core: ov.Core, graph: ov.Model, crops: NDArray[np.float32]) -> NDArray[np.float32]:
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(graph, "CPU", hints).create_infer_request()
    return np.clip(np.concatenate([request.infer([crop[None]])[0].copy() for crop in crops]), -1.0, 1.0)
