"""`gfpvideo bench`: what it measures adds up."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.generator.generator import find_model
from gfpvideo.look.bench import gemm_peak, gflop_of, peak_memory


def test_operations_of_a_face_are_those_of_the_model_card() -> None:
    assert gflop_of(find_model("compact")) == pytest.approx(18.5, abs=0.1)


def test_peaks_are_of_this_world() -> None:
    assert 0.1 < gemm_peak("fp32") < 1e6
    memory = peak_memory()
    assert memory is None or memory > 50


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
    assert found["film"]["stages"].keys() >= {"decode", "detect", "generate", "composite", "encode"}
    assert "film, 12 frames, 12 faces" in result.stdout
