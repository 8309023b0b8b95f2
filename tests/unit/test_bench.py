"""`gfpvideo bench`: what it measures adds up."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.generator.generator import find_model
from gfpvideo.look import bench

STATUS = Path("/proc/self/status")


def test_operations_of_a_face_are_those_of_the_model_card() -> None:
    assert bench.gflop_of(find_model("compact")) == pytest.approx(18.5, abs=0.1)


def test_a_matrix_product_s_peak_is_its_operations_over_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.5, 0.25, 2.0])
    monkeypatch.setattr(bench, "_GEMM_SIDE", 64)
    monkeypatch.setattr(bench, "_GEMM_RUNS", 3)
    monkeypatch.setattr(bench, "_seconds", lambda work: (work(), next(seconds))[1])
    assert bench.gemm_peak("fp32") == pytest.approx(2 * 64**3 / 0.25 / 1e9)
    assert next(seconds, None) is None


@pytest.mark.skipif(not STATUS.exists(), reason="the memory that is in use is read from /proc")
def test_peak_memory_is_what_was_used_at_most_in_mib() -> None:
    """Beyond what is resident now and what was needed before, 64 MiB more are seen, and seen when they are gone."""
    size = 64 + round((bench.peak_memory() or 0) - resident())
    block = np.ones((size, 1 << 20), np.uint8)
    with_block = resident()
    del block
    assert resident() < with_block - 32
    peak = bench.peak_memory()
    assert peak is not None
    assert with_block - 8 <= peak < with_block + 64


def resident() -> float:
    """MiB that this process has in memory."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.slow
def test_bench_measures_the_generator_and_a_film(film: Path, tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    arguments = ["bench", str(film), "--frames", "12", "--runs", "1", "--json", str(report)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    found = json.loads(report.read_text())
    assert {cost["engine"] for cost in found["generator"]} >= {"openvino cpu fp32", "torch cpu fp32"}
    assert all(cost["milliseconds"] > 0 for cost in found["generator"])
    assert (found["film"]["frames"], found["film"]["faces"]) == (12, 12)
    assert found["film"]["stages"].keys() >= {"decode", "detect", "generate", "paste", "encode"}
    assert "film, 12 frames, 12 faces" in result.stdout
