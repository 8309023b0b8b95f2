"""The same faces on an NVIDIA GPU; set FAIL_WITHOUT_CUDA where there is one, so that these tests cannot be skipped."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import gfpvideo
from gfpvideo import RestoreOptions, load_generator
from helpers import facts, psnr

pytestmark = pytest.mark.cuda

ROUGH = 0.01
"""Root of the mean square, of samples in [-1, 1], by which arithmetic of 8 to 11 bits differs from float32.

bfloat16 on a CPU keeps to it, and has the fewest bits of all: float16 has 11, as has float32 in tensor cores (TF32).
"""


@pytest.fixture(scope="module")
def crops() -> NDArray[np.float32]:
    coarse = np.random.default_rng(3).uniform(-1, 1, (5, 3, 16, 16)).astype(np.float32)
    return np.ascontiguousarray(coarse.repeat(16, axis=2).repeat(16, axis=3))


def apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(one - other).mean()))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_gpu_gives_what_the_cpu_gives(precision: Literal["fp32", "bf16", "fp16"], crops: NDArray[np.float32]) -> None:
    exact = load_generator("compact", "torch", "cpu", "fp32")(crops)
    generator = load_generator("compact", "torch", "cuda", precision)
    assert "cuda" in generator.engine.name
    assert precision in generator.engine.name
    together = generator(crops)
    assert np.isfinite(together).all()
    assert apart(together, exact) < ROUGH
    assert apart(np.concatenate([generator(crop[None]) for crop in crops]), together) < ROUGH
    assert np.array_equal(generator(crops), together)


def test_a_film_is_restored_on_a_gpu(film: Path, tmp_path: Path) -> None:
    planes = {}
    for device in ("cpu", "cuda"):
        values = {"model": "compact", "device": device, "engine": "torch", "end": "1", "codec": "ffv1"}
        report = gfpvideo.restore(film, tmp_path / f"{device}.mkv", RestoreOptions.parse(values))
        assert (report.frames, report.faces, device in report.engine) == (18, 18, True)
        planes[device] = facts(tmp_path / f"{device}.mkv", planes=True).planes
    for one, other in zip(planes["cpu"], planes["cuda"], strict=True):
        luma = [np.frombuffer(picture[0], np.uint8) for picture in (one, other)]
        assert psnr(*luma) > 40
