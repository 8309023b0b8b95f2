"""The torch device that somebody asked for."""

import torch

from gfpvideo.errors import EngineError


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
