"""Choose the engine that runs a network here, and tell what there is to choose from."""

from pathlib import Path
from typing import TYPE_CHECKING

from gfpvideo.errors import EngineError, WeightsError
from gfpvideo.generator.engines.engine import Engine
from gfpvideo.options.restore import Compiler, EngineName, Precision

if TYPE_CHECKING:
    from gfpvideo.networks.gfpgan.network import Gfpgan, Variant


def make_engine(
    model: Path,
    architecture: str,
    engine: EngineName = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    together: int = 1,
    compiler: Compiler = "none",
) -> Engine:
    """Compile the network of a model file; for the arguments see :func:`gfpvideo.generator.generator.load_generator`.

    Raises:
        WeightsError: if the file is not a model that gfpvideo runs.
        EngineError: if the engine, device, precision or compiler is not to be had here.
    """
    if architecture and not architecture.startswith("gfpgan_"):
        raise WeightsError(f"{model}: the architecture {architecture!r} is not one that gfpvideo runs")
    if engine == "auto":
        engine = "torch" if device.startswith("cuda") or (device == "auto" and cuda_present()) else "openvino"
    if engine == "torch":
        from gfpvideo.generator.engines.torch import TorchEngine

        return TorchEngine(load_network(model, architecture), device, precision, compiler, together)
    if compiler != "none":
        raise EngineError(f"--compiler {compiler} is for --engine torch; openvino compiles by itself")
    if device.startswith("cuda"):
        raise EngineError("openvino cannot use CUDA; give --engine torch")
    from gfpvideo.generator.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(model, architecture, device, precision, together)


def cuda_present() -> bool:
    """Whether an NVIDIA driver answers; asked of the driver, so that no engine but torch need be imported."""
    import ctypes.util

    if ctypes.util.find_library("cuda") is None and not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return torch.cuda.is_available()


def devices() -> list[str]:
    """What the engines can run on here, and in which precisions, in words."""
    import openvino as ov

    core = ov.Core()
    found = []
    for name in core.available_devices:
        able = ", ".join(core.get_property(name, "OPTIMIZATION_CAPABILITIES"))
        found.append(f"openvino {name}: {core.get_property(name, 'FULL_DEVICE_NAME')} ({able})")
    if cuda_present():
        import torch

        found += [f"cuda:{index}: {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return found


def load_network(model: Path, architecture: str) -> "Gfpgan":
    """The torch network of a model file, on the CPU in float32."""
    from gfpvideo.networks.gfpgan.loading import build, read_state_dict

    variants: dict[str, Variant] = {
        "gfpgan_clean": "clean",
        "gfpgan_original": "original",
        "gfpgan_bilinear": "bilinear",
    }
    return build(read_state_dict(model), variants.get(architecture), name=model.name)
