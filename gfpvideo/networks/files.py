"""Read the files of the small networks of our own."""

from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file
from torch import nn

from gfpvideo.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)


def filled(network: Network, path: Path, called: str) -> Network:
    """A network with the weights of a file, ready to be used.

    Args:
        network: takes the weights, in its own precision.
        path: the file.
        called: what the network is called.

    Raises:
        WeightsError: if the file cannot be read, or holds something else.
    """
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not the weights of {called}") from error
    except Exception as error:  # safetensors raises its own kind, a bare Exception
        raise WeightsError(f"{path}: not a safetensors file") from error
    return network.eval()
