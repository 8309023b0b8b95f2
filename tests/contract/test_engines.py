"""What every engine must do, and that they agree."""

import gc
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gfpvideo import load_generator
from gfpvideo.errors import EngineError, WeightsError
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.generator import make_generator
from gfpvideo.generator.models import find_model
from gfpvideo.networks.abilities import Abilities
from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig
from gfpvideo.networks.landmarks import installed_landmarks
from gfpvideo.networks.over_time import network_over_time
from gfpvideo.networks.weights import entry
from helpers import assert_same

EngineName = Literal["openvino", "torch"]
ENGINES: list[EngineName] = ["openvino", "torch"]


@pytest.fixture(scope="module")
def crops() -> NDArray[np.float32]:
    """Eight smooth random pictures, so that the network sees something like light and shade."""
    coarse = np.random.default_rng(3).uniform(-1, 1, (8, 3, 16, 16)).astype(np.float32)
    return np.ascontiguousarray(coarse.repeat(16, axis=2).repeat(16, axis=3))


@pytest.fixture(scope="module")
def restored(crops: NDArray[np.float32]) -> Callable[[EngineName], NDArray[np.float32]]:
    """What an engine makes of all crops at once in float32, computed when it is first asked for."""
    return cache(lambda engine: load_generator("compact", engine, "cpu", "fp32")(crops))


@pytest.mark.parametrize("engine", ENGINES)
def test_shape_type_and_range(engine: EngineName, crops: NDArray[np.float32]) -> None:
    generator = load_generator("compact", engine, "cpu", "fp32")
    before = crops.copy()
    restored = generator(crops[:2])
    assert generator.size == 256
    assert restored.shape == (2, 3, 256, 256)
    assert restored.dtype == np.float32
    assert np.abs(restored).max() <= 1.0
    assert restored.std() > 0.1
    assert np.array_equal(crops, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_abilities_are_data(engine: EngineName) -> None:
    """OpenVINO's, which reads no model file, come with the graph."""
    generator = load_generator("compact", engine, "cpu", "fp32")
    assert generator.abilities == Abilities(256, window=1, reuse=True, precisions=("fp32", "bf16", "fp16"))


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_file_is_hashed_once(
    engine: EngineName, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = entry("compact").path(tmp_path)
    name = "compact" if named else str(shutil.copy(path, tmp_path / "mine.safetensors"))
    real, seen = hashlib.file_digest, []

    def counted(file: Any, kind: str) -> Any:
        seen.append(Path(file.name).name)
        return real(file, kind)

    monkeypatch.setattr("hashlib.file_digest", counted)
    model = find_model(name)
    generator = make_generator(model, EngineChoice(engine, "cpu"), ["cpu", "cpu"])
    assert generator.model.sha256 == entry("compact").sha256
    assert seen == [path.name if named else "mine.safetensors"]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_batch_is_empty(engine: EngineName) -> None:
    assert load_generator("compact", engine, "cpu")(np.zeros((0, 3, 256, 256), np.float32)).shape == (0, 3, 256, 256)


@pytest.mark.parametrize("engine", ENGINES)
def test_eight_together_equal_eight_alone(
    engine: EngineName, crops: NDArray[np.float32], restored: Callable[[EngineName], NDArray[np.float32]]
) -> None:
    generator = load_generator("compact", engine, "cpu", "fp32")
    alone = np.concatenate([generator(crop[None]) for crop in crops])
    assert_same(restored(engine), alone, "in another order")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_crop_gives_the_same_result(engine: EngineName, crops: NDArray[np.float32]) -> None:
    generator = load_generator("compact", engine, "cpu")
    assert_same(generator(crops[:1]), generator(crops[:1]), "alike")


def test_openvino_and_torch_agree_in_float32(restored: Callable[[EngineName], NDArray[np.float32]]) -> None:
    assert_same(restored("openvino"), restored("torch"), "in another order")


def test_sharing_the_processor_otherwise_changes_no_bit(crops: NDArray[np.float32]) -> None:
    """Whether all threads share a crop or each has its own: the same sums in the same order."""
    alone, side_by_side = (load_generator("compact", "openvino", "cpu", together=count) for count in (1, 8))
    assert_same(alone(crops), side_by_side(crops), "alike")
    assert_same(alone(crops[:1]), side_by_side(crops[:1]), "alike")


@pytest.mark.parametrize("engine", ["openvino", pytest.param("torch", marks=pytest.mark.slow)])
def test_bfloat16_is_close_to_float32(engine: EngineName, crops: NDArray[np.float32]) -> None:
    exact = load_generator("compact", engine, "cpu", "fp32")(crops[:2])
    try:
        rounded = load_generator("compact", engine, "cpu", "bf16")(crops[:2])
    except EngineError as error:
        pytest.skip(str(error))
    assert 0 < np.abs(rounded - exact).max() < 0.1
    assert np.sqrt(np.square(rounded - exact).mean()) < 0.01


@pytest.mark.parametrize("shape", [(3, 256, 256), (1, 3, 128, 128), (1, 1, 256, 256)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be float32 of shape"):
        load_generator("compact", "torch", "cpu")(np.zeros(shape, np.float32))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_of_ones_own_is_loaded(engine: EngineName, tmp_path: Path) -> None:
    torch.manual_seed(2)
    path = tmp_path / "mine.pth"
    network = Gfpgan(GfpganConfig(variant="original", size=32, style_dim=8, channel_multiplier=1, narrow=1 / 32))
    torch.save({"params_ema": network.state_dict()}, path)
    crop = np.random.default_rng(1).uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(crop)).clamp(-1, 1).numpy()
    assert_same(load_generator(str(path), engine, "cpu", "fp32")(crop), expected, "in another order")


def test_garbage_leaves_no_traced_graph(tmp_path: Path) -> None:
    path = tmp_path / "garbage.pth"
    path.write_bytes(b"garbage")
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"garbage\.pth"):
            load_generator(str(path), "openvino")


def test_a_missing_gpu_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(EngineError, match="0 CUDA devices"):
        load_generator("compact", "torch", "cuda")
    with pytest.raises(EngineError, match="--engine torch"):
        load_generator("compact", "openvino", "cuda")
    with pytest.raises(EngineError, match=r"--device cuda:1: torch sees 0 CUDA devices"):
        load_generator("compact", "torch", "cuda:1")
    with pytest.raises(EngineError, match="needs a GPU"):
        load_generator("compact", "torch", "cpu", "fp16")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unknown_device_is_one_clear_error(engine: EngineName) -> None:
    with pytest.raises(EngineError, match="--device abacus"):
        load_generator("compact", engine, "abacus")


@pytest.mark.slow
def test_networks_that_came_and_went_leave_signals_alone() -> None:
    """OpenVINO's cores change the stack that signals are handled on; one that is gone would end the program here."""
    for _ in range(2):
        first, detector, last = installed_landmarks(), make_detector("centerface", 0.5), network_over_time("gather", 64)
        detector.detect([np.zeros((64, 64, 3), np.uint8)])
        del first
        gc.collect()
        del detector, last
        gc.collect()
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]
