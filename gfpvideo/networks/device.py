"""The torch device that somebody asked for."""

import re

import torch

from gfpvideo.errors import EngineError


def choose_device(name: str) -> torch.device:
    """The torch device of that name: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``, which is CUDA where it is present.

    Raises:
        EngineError: if it is not there.
    """
    if name == "gpu":
        raise EngineError(
            "--device gpu is OpenVINO's (an Intel GPU), and what was asked for runs by torch; give cpu or cuda"
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise EngineError(f"--device {name}: no such device; give auto, cpu, cuda or cuda:N")
    if name != "cpu":
        index = int(name.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise EngineError(f"--device {name}: torch sees {torch.cuda.device_count()} CUDA devices here")
    return torch.device(name)
