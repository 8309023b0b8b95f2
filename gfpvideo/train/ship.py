"""Trace the networks that ship, so that nobody who restores needs torch, or waits for it."""

import tempfile
from pathlib import Path

from gfpvideo.errors import OutputError
from gfpvideo.generator.engines import openvino as generators
from gfpvideo.generator.models import EMBEDDED, FAST, find_model
from gfpvideo.networks import landmarks, over_time
from gfpvideo.networks.graphs import Traceable, write_graph
from gfpvideo.networks.shipped import pack
from gfpvideo.networks.weights import sha256

_SIDE = 256
"""Side of the embedded generator's crops, at which the networks beside it are traced as well."""


def shipped() -> list[Traceable]:
    """The networks whose graphs ship."""
    beside = [over_time.traceable(name, _SIDE) for name in ("gather", "confidence")]
    return [*(generators.traceable(find_model(name)) for name in (EMBEDDED, FAST)), *beside, landmarks.traceable()]


def pack_graphs(folder: Path) -> dict[str, str]:
    """Trace every network that ships afresh, and write what ships of its graph; do so whenever weights change.

    Args:
        folder: where the files go, ``weights/graphs`` in a checkout.

    Returns:
        The files' SHA-256 by the networks' names, for ``weights/manifest.toml``.

    Raises:
        OutputError: if they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return {network.name: sha256(_packed(network, folder)) for network in shipped()}
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None


def _packed(network: Traceable, folder: Path) -> Path:
    target = folder / f"{network.name}.safetensors"
    with tempfile.TemporaryDirectory() as scratch:
        pack(network.name, network.key, write_graph(network.trace(), Path(scratch)), target)
    return target
