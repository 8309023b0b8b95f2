"""Networks as OpenVINO runs them: traced once, kept in the user's cache folder."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import openvino as ov
from filelock import FileLock

from gfpvideo.errors import EngineError
from gfpvideo.networks.shipped import unpacked

CACHE_VARIABLE = "GFPVIDEO_CACHE"
"""Environment variable that names the folder of compiled models."""
_LOCK = "lock"


@cache
def openvino_core() -> ov.Core:
    """The process's only one, which never ends.

    A core gives the thread that makes it an alternate stack for signals and, when it ends, puts back the one that it
    found there: if that was another core's, and is gone, the next signal (Ctrl-C) ends the program.
    """
    return ov.Core()


def computes_bf16() -> bool:
    """Whether the processor has instructions for bfloat16; where torch makes do without, a product takes minutes."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def cache_folder() -> Path:
    """Folder of traced and compiled models: ``GFPVIDEO_CACHE``, else the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("gfpvideo", appauthor=False)


def graph_name(key: str) -> str:
    """Name of the folder of a graph: ``key`` says which, and the version of OpenVINO goes with it."""
    return f"{key}-{ov.get_version().split('-')[0]}"


@dataclass(frozen=True)
class Traceable:
    """A network that OpenVINO is to run."""

    name: str
    """What it is called in ``weights/manifest.toml``, if it is there."""
    key: str
    """What it is traced from, with a version of its own."""
    trace: Callable[[], ov.Model]
    """Makes its graph; that takes seconds, and torch."""


def traced_once(network: Traceable, folder: Path) -> Path:
    """Path of a graph in OpenVINO's format: made now unless it was before, of what ships, or else traced.

    Args:
        network: whose graph it is.
        folder: where traced and compiled models are kept.

    Raises:
        EngineError: if nothing can be kept there.
    """

    def make(scratch: Path) -> None:
        if not unpacked(network.name, network.key, scratch):
            write_graph(network.trace(), scratch)

    target = folder / "traced" / graph_name(network.key)
    if not target.is_dir():
        with _one_at_a_time(target.parent):
            if not target.is_dir():  # else another process has made it meanwhile, and may be reading it
                _keep(make, target)
    return target / "graph.xml"


def compiled_once(
    graph: ov.Model, called: str, target: str, config: Mapping[str, object], folder: Path
) -> ov.CompiledModel:
    """Compile a graph for a device, or take what was compiled before.

    OpenVINO writes the compiled model in place: another process that finds half of it fails, or ends with SIGBUS.

    Args:
        graph: what to compile.
        called: what the user calls it.
        target: OpenVINO's name of the device.
        config: OpenVINO's properties.
        folder: where traced and compiled models are kept.

    Raises:
        EngineError: if nothing can be kept there, or OpenVINO cannot compile this.
    """
    kept = folder / "compiled"
    with _one_at_a_time(kept):
        try:
            return openvino_core().compile_model(graph, target, {**config, "CACHE_DIR": str(kept)})
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {called}: {error}") from error


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keep other processes and threads from writing into a folder of models, and from reading what is half written."""
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise EngineError(
            f"{folder}: compiled networks cannot be kept here ({error.strerror}); name another folder in"
            f" {CACHE_VARIABLE}"
        ) from error
    try:
        yield
    finally:
        lock.release()


def write_graph(graph: ov.Model, folder: Path) -> Path:
    """Write a graph into a folder, in full precision."""
    ov.save_model(graph, folder / "graph.xml", compress_to_fp16=False)
    return folder / "graph.xml"


def save_graph(graph: ov.Model, target: Path) -> None:
    """Write a graph into the folder ``target``, whole or not at all; one that is there is replaced."""
    with _one_at_a_time(target.parent):
        _keep(lambda scratch: write_graph(graph, scratch), target)


def _keep(make: Callable[[Path], object], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        finished = Path(scratch) / "graph"
        finished.mkdir()
        make(finished)
        if target.is_dir():
            target.rename(Path(scratch) / "before")
        finished.rename(target)
