"""Traced graphs that ship with gfpvideo, so that nobody waits for torch before the first face.

A graph's file holds its layers, and of its constants only those that are not in the weights already, word for word.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from gfpvideo.networks.weights import graph_of, installed

_LAYERS, _REST, _PLACES, _KEY, _VERSION = "layers", "rest", "places", "key", "openvino"


def unpacked(name: str, key: str, target: Path) -> bool:
    """Put a network's graph together, as ``graph.xml`` and ``graph.bin``, from what ships of it and its weights.

    Args:
        name: what the network is called in ``weights/manifest.toml``.
        key: what is wanted of it.
        target: folder, which is there already.

    Returns:
        Whether there is such a graph, and this OpenVINO reads it.

    Raises:
        WeightsError: if a file is damaged.
    """
    path = graph_of(name)
    if path is None:
        return False
    with safe_open(path, "np") as packed:
        known = packed.metadata()
        if known[_KEY] != key or _number(ov.get_version()) < _number(known[_VERSION]):
            return False
        layers, rest = packed.get_tensor(_LAYERS), packed.get_tensor(_REST)
    weights = load_file(installed(name))
    pieces = (_bytes(weights[of]) if of else rest[at : at + size] for of, at, size in json.loads(known[_PLACES]))
    (target / "graph.xml").write_bytes(layers.tobytes())
    (target / "graph.bin").write_bytes(b"".join(piece.tobytes() for piece in pieces))
    return True


def pack(name: str, key: str, graph: Path, target: Path) -> None:
    """Write what ships of a traced graph.

    Args:
        name: what the network is called in ``weights/manifest.toml``.
        key: what :func:`unpacked` will be asked for.
        graph: the graph's own file, with its constants beside it.
        target: the file to write.
    """
    constants = np.fromfile(graph.with_suffix(".bin"), np.uint8)
    named = {_digest(_bytes(tensor)): of for of, tensor in load_file(installed(name)).items()}
    places, rest = [], [np.empty(0, np.uint8)]
    for piece in _pieces(graph, constants):
        of = named.get(_digest(piece), "")
        places.append((of, 0 if of else sum(map(len, rest)), len(piece)))
        if not of:
            rest.append(piece)
    layers = np.frombuffer(graph.read_bytes(), np.uint8)
    known = {_KEY: key, _VERSION: ov.get_version().split("-")[0], _PLACES: json.dumps(places)}
    save_file({_LAYERS: layers, _REST: np.concatenate(rest)}, target, known)


def _pieces(graph: Path, constants: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The constants of a graph, and what lies between them, in the order of the file."""
    spans = {(int(data["offset"]), int(data["size"])) for data in _constants(graph)}
    place = 0
    for offset, size in sorted(spans):
        if offset > place:
            yield constants[place:offset]
        yield constants[offset : offset + size]
        place = offset + size
    yield constants[place:]


def _constants(graph: Path) -> Iterator[Mapping[str, str]]:
    for layer in ElementTree.parse(graph).iter("layer"):  # noqa: S314 - OpenVINO wrote it just now
        if layer.get("type") == "Const":
            yield layer.find("data").attrib  # pyright: ignore[reportOptionalMemberAccess]


def _bytes(tensor: NDArray) -> NDArray[np.uint8]:
    """A tensor as graphs hold it: in float32."""
    return np.ascontiguousarray(tensor, np.float32).reshape(-1).view(np.uint8)


def _digest(piece: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(piece.tobytes()).digest()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split("."))
