"""Networks as OpenVINO runs them: traced once, kept in the user's cache folder."""

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import openvino as ov

CACHE_VARIABLE = "GFPVIDEO_CACHE"
"""Environment variable that names the folder of compiled models."""


@cache
def openvino_core() -> ov.Core:
    """The process's only one, which never ends.

    A core gives the thread that makes it an alternate stack for signals and, when it ends, puts back the one that it
    found there: if that was another core's, and is gone, the next signal (Ctrl-C) ends the program.
    """
    return ov.Core()


def cache_folder() -> Path:
    """Folder of traced and compiled models: ``GFPVIDEO_CACHE``, else the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("gfpvideo", appauthor=False)


def graph_name(key: str) -> str:
    """Name of the folder of a graph: ``key`` says which, and the version of OpenVINO goes with it."""
    return f"{key}-{ov.get_version().split('-')[0]}"


def traced_once(key: str, folder: Path, trace: Callable[[], ov.Model]) -> Path:
    """Path of a graph in OpenVINO's format, traced now unless it was before.

    Args:
        key: what it is traced from, with a version of its own.
        folder: where traced and compiled models are kept.
        trace: makes it.
    """
    target = folder / "traced" / graph_name(key)
    if not target.is_dir():
        save_graph(trace(), target)
    return target / "graph.xml"


def save_graph(graph: ov.Model, target: Path) -> None:
    """Write a graph into the folder ``target``, whole or not at all; one that is there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        finished = Path(scratch) / "graph"
        finished.mkdir()
        ov.save_model(graph, finished / "graph.xml", compress_to_fp16=False)
        if target.is_dir():
            target.rename(Path(scratch) / "before")
        try:
            finished.rename(target)
        except OSError:
            if not target.is_dir():  # another process that traced the same model may have been faster
                raise
