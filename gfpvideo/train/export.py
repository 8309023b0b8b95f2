"""Turn a checkpoint into a model file that holds nothing but the averaged network."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from gfpvideo.errors import OutputError
from gfpvideo.networks.gfpgan.loading import build, read_state_dict


def export(checkpoint: Path, target: Path, *, half: bool) -> None:
    """Write the averaged weights of ``checkpoint`` as safetensors.

    Args:
        checkpoint: a checkpoint of the training, or any model file.
        target: the file to write, ``.safetensors``.
        half: whether to round the weights to float16.

    Raises:
        WeightsError: if the checkpoint is not a GFP-GAN.
        OutputError: if the target has another suffix or cannot be written.
    """
    if target.suffix != ".safetensors":
        raise OutputError(f"{target}: give a name that ends in .safetensors")
    state = read_state_dict(checkpoint)
    build(state, name=checkpoint.name)
    dtype = torch.float16 if half else torch.float32
    try:
        save_file({key: tensor.to(dtype).contiguous() for key, tensor in state.items()}, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from None
