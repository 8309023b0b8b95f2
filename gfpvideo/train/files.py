"""The files that trainings write: checkpoints, and weights to use."""

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from gfpvideo.errors import OutputError

DAMAGED = (RuntimeError, KeyError, TypeError, ValueError, UnpicklingError, EOFError, OSError, struct.error)
"""What reading a checkpoint raises that is none, or not of the network at hand."""


def make_folders(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless they are there.

    Raises:
        OutputError: if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder cannot be made ({error.strerror})") from None


def check_new(checkpoint: Path, *, resume: bool) -> None:
    """Refuse to begin a training where another one was: hours of work would be written over.

    Raises:
        OutputError: if there is a checkpoint, and nobody wants to go on with it.
    """
    if checkpoint.exists() and not resume:
        raise OutputError(
            f"{checkpoint}: a training was here; --resume goes on with it, or give another folder with -o"
        )


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint to a temporary file, and rename it once it is on the disk.

    Raises:
        OutputError: if it cannot be written; the checkpoint before is still there.
    """
    scratch = path.with_suffix(".partial")
    try:
        with scratch.open("wb") as file:  # given a path, torch has errors of its own
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise OutputError(f"{path}: the checkpoint cannot be written ({error.strerror or error})") from error


def check_weights_name(target: Path) -> None:
    """Refuse names that are not those of files of weights.

    Raises:
        OutputError: if the suffix is another.
    """
    if target.suffix != ".safetensors":
        raise OutputError(f"{target}: give a name that ends in .safetensors")


def write_weights(state: Mapping[str, Tensor], target: Path) -> None:
    """Write tensors by name.

    Raises:
        OutputError: if the file cannot be written.
    """
    try:
        save_file({name: value.contiguous() for name, value in state.items()}, target)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{target}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
