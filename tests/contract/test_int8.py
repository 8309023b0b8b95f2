"""Eight-bit arithmetic: made on request, checked against float32, and refused otherwise."""

from pathlib import Path

import numpy as np
import pytest

import gfpvideo
from gfpvideo.errors import EngineError
from gfpvideo.generator.quantize import LEAST_PSNR, quantize
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.sample import crops_of
from helpers import psnr


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GFPVIDEO_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
def test_eight_bits_are_not_to_be_had_before_they_are_made() -> None:
    with pytest.raises(EngineError, match=r"--precision int8: .*gfpvideo weights quantize FILM"):
        gfpvideo.load_generator("compact", precision="int8")
    with pytest.raises(EngineError, match="is for --engine openvino"):
        gfpvideo.load_generator("compact", "torch", "cpu", "int8")


@pytest.mark.slow
def test_crops_are_spread_over_the_films(film: Path, tape: Path) -> None:
    model, crops = crops_of([film, tape], RestoreOptions(model="compact"), 20)
    assert model.name == "compact"
    assert crops.shape == (20, 3, 256, 256)
    assert np.abs(crops[:10].mean(axis=1) - crops[0].mean(axis=0)).mean() < np.abs(crops[0] - crops[-1]).mean()


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("name", ["compact", "compact-fast"])
def test_a_quantized_network_is_near_float32(name: str, film: Path, tape: Path) -> None:
    """On any processor: those without VNNI add products up in sixteen bits, which must not overflow."""
    pytest.importorskip("nncf")
    model, crops = crops_of([film], RestoreOptions(model=name), 40)
    with pytest.raises(EngineError, match="9 faces are too few"):
        quantize(model, crops[:9])
    made = quantize(model, crops)
    assert made.least >= LEAST_PSNR
    eight, exact = (gfpvideo.load_generator(name, precision=precision) for precision in ("int8", "fp32"))
    assert eight.engine.name.startswith("openvino cpu int8 (")
    _, others = crops_of([tape], RestoreOptions(model=name), 3)
    likeness = psnr(eight(others), exact(others), 2.0)
    assert 36 < likeness < 60
