"""Choose the engine that runs a network here, and tell what there is to choose from."""

from collections.abc import Callable
from pathlib import Path

from gfpvideo.errors import EngineError, UnknownArchitectureError
from gfpvideo.generator.engines.engine import Engine, EngineChoice
from gfpvideo.generator.models import ModelFile, load_network


def make_engine(model: ModelFile, choice: EngineChoice) -> Engine:
    """Compile the network of a model file.

    Raises:
        WeightsError: if the file is not a model that gfpvideo runs.
        EngineError: if the engine, device, precision or compiler is not to be had here.
    """
    if model.family:
        return _MAKERS[model.family](model, choice)
    try:
        return _gfpgan(model, choice)
    except UnknownArchitectureError:
        return _others(model, choice)


def _gfpgan(model: ModelFile, choice: EngineChoice) -> Engine:
    """The engine of a GFP-GAN."""
    cuda = choice.device.startswith("cuda")
    if choice.engine == "torch" or (choice.engine == "auto" and on_cuda(choice)):
        from gfpvideo.generator.engines.torch import TorchEngine

        return TorchEngine(load_network(model), choice)
    if choice.compiler != "none":
        raise EngineError(f"--compiler {choice.compiler} is for --engine torch; openvino compiles by itself")
    if cuda:
        raise EngineError("openvino cannot use CUDA; give --engine torch")
    from gfpvideo.generator.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(model, choice)


def on_cuda(choice: EngineChoice) -> bool:
    """Whether a GFP-GAN that is so chosen runs on CUDA."""
    wanted = choice.device.startswith("cuda") or (choice.device == "auto" and cuda_present())
    return wanted and choice.engine != "openvino"


def _others(model: ModelFile, choice: EngineChoice) -> Engine:
    """The engine of face restorers of other kinds."""
    if choice.engine == "openvino":
        raise EngineError(f"--engine openvino is for GFP-GANs; {model.name} is none: give --engine torch")
    if choice.compiler != "none":
        raise EngineError(f"--compiler {choice.compiler} is for GFP-GANs; {model.name} is none")
    from gfpvideo.generator.engines.spandrel import SpandrelEngine

    return SpandrelEngine(model, choice)


_MAKERS: dict[str, Callable[[ModelFile, EngineChoice], Engine]] = {"gfpgan": _gfpgan, "spandrel": _others}
"""Makers of engines by the families that the manifest names."""


def cuda_present() -> bool:
    """Whether an NVIDIA driver answers; asked of the driver, so that no engine but torch need be imported."""
    import ctypes.util

    if ctypes.util.find_library("cuda") is None and not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return torch.cuda.is_available()


def devices() -> list[str]:
    """What the engines can run on here, and in which precisions, in words."""
    from gfpvideo.networks.graphs import openvino_core

    core = openvino_core()
    found = []
    for name in core.available_devices:
        able = ", ".join(core.get_property(name, "OPTIMIZATION_CAPABILITIES"))
        found.append(f"openvino {name}: {core.get_property(name, 'FULL_DEVICE_NAME')} ({able})")
    if cuda_present():
        import torch

        found += [f"cuda:{index}: {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return found
