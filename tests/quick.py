"""A generator as quick as it is bad, for tests in which only what is around it matters."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig

_FOLDER = tempfile.TemporaryDirectory(prefix="gfpvideo-tests-")


def random_model(path: Path, size: int) -> Path:
    """Write a small generator of crops of ``size`` with random weights, the same each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Gfpgan(GfpganConfig(size=size, style_dim=16, channel_multiplier=1, narrow=1 / 32, mlp_depth=2))
    save_file(network.state_dict(), path)
    return path


QUICK: dict[str, Any] = {
    "model": str(random_model(Path(_FOLDER.name) / "quick.safetensors", 128)),
    "guard": False,
    "believe": False,
    "detect_size": 256,
}
"""Options: nothing that the generator makes looks like a face, so guard and belief would keep it out of the picture."""
QUICK_ARGUMENTS = ["--model", QUICK["model"], "--no-guard", "--no-believe", "--detect-size", "256"]
"""The same on a command line."""
