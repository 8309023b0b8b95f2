"""Turn a checkpoint into a model file that holds nothing but the averaged network."""

from pathlib import Path

import torch

from gfpvideo.networks.gfpgan.loading import build, read_state_dict
from gfpvideo.train.files import check_weights_name, write_weights


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
    check_weights_name(target)
    state = read_state_dict(checkpoint)
    build(state, name=checkpoint.name)
    dtype = torch.float16 if half else torch.float32
    write_weights({key: tensor.to(dtype) for key, tensor in state.items()}, target)
