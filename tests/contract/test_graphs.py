"""Graphs that ship: put together from the weights, they are what tracing makes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset8
from typer.testing import CliRunner

from conftest import ROOT
from gfpvideo.cli import app
from gfpvideo.errors import WeightsError
from gfpvideo.networks import graphs, shipped, weights
from gfpvideo.networks.graphs import Traceable, compiled_once, openvino_core, traced_once, write_graph
from gfpvideo.networks.shipped import unpacked
from gfpvideo.stages.threads import side_by_side
from gfpvideo.train.ship import shipped as all_shipped

NAMES = ["compact", "compact-fast", "gather", "confidence", "landmarks"]


def network(name: str) -> Traceable:
    (found,) = (each for each in all_shipped() if each.name == name)
    return found


def outputs(graph: Path) -> list[NDArray]:
    model = openvino_core().read_model(graph)
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    shape = tuple(model.input(0).shape)
    values = compiled(np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32))
    return [np.array(value) for value in values.values()]


@pytest.fixture
def reads_what_ships(tmp_path_factory: pytest.TempPathFactory) -> None:
    known = network("gather")
    if not unpacked(known.name, known.key, tmp_path_factory.mktemp("read")):
        pytest.skip("this OpenVINO is older than what ships, and traces for itself")


@pytest.mark.slow
@pytest.mark.usefixtures("reads_what_ships")
@pytest.mark.parametrize("name", NAMES)
def test_what_ships_is_what_tracing_makes(name: str, tmp_path: Path) -> None:
    ships, traced = tmp_path / "ships", tmp_path / "traced"
    ships.mkdir()
    traced.mkdir()
    assert unpacked(name, network(name).key, ships)
    made, expected = outputs(ships / "graph.xml"), outputs(write_graph(network(name).trace(), traced))
    assert all(np.array_equal(one, other) for one, other in zip(made, expected, strict=True))


def test_all_networks_ship_with_graphs_of_their_own_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped.ov, "get_version", lambda: "9999.1.0")  # an older one reads none
    assert [each.name for each in all_shipped()] == NAMES
    for each in all_shipped():
        assert unpacked(each.name, each.key, tmp_path), f"{each.name}: run gfpvideo train graphs -o weights/graphs"


def test_what_was_traced_of_something_else_is_traced_anew(tmp_path: Path) -> None:
    known = network("gather")

    def trace() -> ov.Model:
        return openvino_core().read_model(traced_once(known, tmp_path / "a"))

    other = traced_once(Traceable(known.name, f"{known.key}-other", trace), tmp_path / "b")
    assert other.parent.name.startswith(f"{known.key}-other")
    assert (tmp_path / "a" / "traced").is_dir()  # so it was asked for


def test_an_older_openvino_traces_for_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = network("gather")
    for version, reads in (("2025.0.0", False), ("9999.1.0", True)):
        monkeypatch.setattr(shipped.ov, "get_version", lambda version=version: version)
        assert unpacked(known.name, known.key, tmp_path) == reads


def test_a_damaged_graph_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "gather.safetensors").write_bytes(b"something else")
    key = network("gather").key
    monkeypatch.setattr(weights, "data_folder", lambda name: tmp_path)
    with pytest.raises(WeightsError, match="the embedded graph is damaged or missing"):
        unpacked("gather", key, tmp_path)


@pytest.mark.usefixtures("reads_what_ships")
def test_a_first_restoration_needs_no_torch(tmp_path: Path) -> None:
    """With nothing in the cache: whoever has no torch, or a slow one, does not wait for it."""
    script = (
        "import sys; from gfpvideo import RestoreOptions, restore\n"
        f"restore({str(ROOT / 'samples' / 'home_movie.mp4')!r}, {str(tmp_path / 'out.mp4')!r},"
        " RestoreOptions(end=0.2))\n"
        "assert 'torch' not in sys.modules"
    )
    cache = str(tmp_path / "cache")
    environment = {**os.environ, graphs.CACHE_VARIABLE: cache}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    traced = [item for item in (tmp_path / "cache" / "traced").iterdir() if item.is_dir()]
    assert len(traced) == len(NAMES) - 1  # of one generator


def test_of_two_at_a_time_one_traces_and_the_other_waits(tmp_path: Path) -> None:
    traced = []

    def trace() -> ov.Model:
        traced.append(1)
        time.sleep(0.3)
        return small_graph()

    paths = side_by_side([lambda: traced_once(Traceable("nosuch", "key", trace), tmp_path)] * 2)
    assert len(traced) == 1
    assert paths[0] == paths[1]
    assert paths[0].is_file()


def test_compiled_models_are_read_and_written_by_one_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside, most = [], []

    class Core:
        def compile_model(self, *_: object) -> None:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.2)
            inside.pop()

    monkeypatch.setattr(graphs, "openvino_core", Core)
    side_by_side([lambda: compiled_once(small_graph(), "it", "CPU", {}, tmp_path)] * 2)
    assert most == [1, 1]


def test_a_folder_that_keeps_nothing_is_named(monkeypatch: pytest.MonkeyPatch, film: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(graphs.CACHE_VARIABLE, str(tmp_path / "file"))
    done = CliRunner().invoke(app, ["restore", str(film), "-o", str(tmp_path / "out.mp4")])
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert "compiled networks cannot be kept here" in said
    assert graphs.CACHE_VARIABLE in said
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def small_graph() -> ov.Model:
    given = opset8.parameter([1, 4], np.float32)
    return ov.Model([opset8.relu(given)], [given])  # pyright: ignore[reportCallIssue, reportGeneralTypeIssues]
