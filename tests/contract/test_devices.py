"""Several devices share the work, and memory that is short."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, OptionError
from gfpvideo.generator.engines.torch import TorchEngine, compiled
from gfpvideo.restoration.run import load_networks
from gfpvideo.stages.threads import side_by_side
from helpers import assert_same, facts
from quick import QUICK, random_model


def test_two_devices_give_what_one_gives() -> None:
    crops = np.random.default_rng(1).uniform(-1, 1, (5, 3, 256, 256)).astype(np.float32)
    _, one = load_networks(RestoreOptions(model="compact"))
    _, two = load_networks(RestoreOptions.parse({"model": "compact", "devices": "cpu,cpu"}))
    assert two.engine.name == f"{one.engine.name} + {one.engine.name}"
    assert_same(one(crops), two(crops), "alike")
    assert_same(one(crops[:1]), two(crops[:1]), "alike")


@pytest.mark.slow
def test_a_film_of_two_devices_is_that_of_one(film: Path, tmp_path: Path) -> None:
    values = QUICK | {"preset": "ultrafast", "end": "1"}
    for name, more in (("one", {}), ("two", {"devices": "cpu,cpu"})):
        gfpvideo.restore(film, tmp_path / f"{name}.mkv", RestoreOptions.parse(values | more))
    assert facts(tmp_path / "one.mkv", planes=True).planes == facts(tmp_path / "two.mkv", planes=True).planes


def test_unknown_devices_are_named() -> None:
    with pytest.raises(OptionError, match="option devices = 'cpu,tpu': 'tpu' is not a device"):
        RestoreOptions.parse({"devices": "cpu,tpu"})


def test_the_first_failure_of_several_is_raised() -> None:
    def fail() -> int:
        raise EngineError("no")

    assert side_by_side([lambda: 1, lambda: 2]) == [1, 2]
    with pytest.raises(EngineError, match="no"):
        side_by_side([lambda: 1, fail])


class Tight(torch.nn.Module):
    """A network that runs out of memory beyond two crops."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.config: Any = type("Config", (), {"size": 8})()
        self.most, self.seen = most, []

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        if len(crops) > self.most:
            raise torch.OutOfMemoryError("too many")
        self.seen.append(len(crops))
        return -crops


class Scaled(torch.nn.Module):
    """A small network that remembers the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.config: Any = type("Config", (), {"size": 8})()
        self.layer = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.layer(crops)


def test_a_compiled_network_sees_batches_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is filled up, and taken off again: seven crops are two batches of four."""
    seen: list[tuple[int, ...]] = []

    def compile_(network: torch.nn.Module, **how: Any) -> Any:
        assert how == {"backend": "inductor", "dynamic": False}

        def run(crops: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(crops.shape))
            return network(crops)

        return run

    monkeypatch.setattr("torch.compile", compile_)
    network: Any = Scaled()
    plain, engine = TorchEngine(network, "cpu", "fp32"), TorchEngine(network, "cpu", "fp32", "inductor", 4)
    crops = np.random.default_rng(3).normal(size=(7, 3, 8, 8)).astype(np.float32)
    assert_same(engine(crops), plain(crops), "in another order")
    assert seen == [(4, 3, 8, 8)] * 2
    assert engine.name == "torch cpu fp32 inductor"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor_gives_what_torch_gives(rng: np.random.Generator, tmp_path: Path) -> None:
    model = random_model(tmp_path / "tiny.safetensors", 32)
    values = {"model": str(model), "engine": "torch", "precision": "fp32", "batch": 2}
    _, plain = load_networks(RestoreOptions.parse(values))
    crops = rng.uniform(-1, 1, (3, 3, plain.size, plain.size)).astype(np.float32)
    _, faster = load_networks(RestoreOptions.parse(values | {"compiler": "inductor"}))
    assert_same(faster(crops), plain(crops), "in another order")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"compiler": "cudagraphs", "engine": "torch", "device": "cpu"}, "--compiler cudagraphs needs a CUDA device"),
        ({"compiler": "tensorrt", "engine": "torch", "device": "cpu"}, "--compiler tensorrt needs a CUDA device"),
        ({"compiler": "inductor", "engine": "openvino"}, "--compiler inductor is for --engine torch"),
    ],
)
def test_compilers_that_do_not_fit_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        load_networks(RestoreOptions.parse(QUICK | values))


def test_tensorrt_is_an_extra() -> None:
    if find_spec("torch_tensorrt") is not None:
        pytest.skip("torch_tensorrt is installed")
    with pytest.raises(EngineError, match=r'pip install "gfpvideo\[tensorrt\]"'):
        compiled(Scaled(), "tensorrt", torch.device("cuda"))


def test_short_memory_halves_the_batch_and_goes_on() -> None:
    network: Any = Tight(2)
    engine = TorchEngine(network, "cpu", "fp32")
    crops = np.random.default_rng(2).normal(size=(7, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(engine(crops), -crops)
    assert network.seen == [1] * 7  # 7, then 3, then 1
    assert np.array_equal(engine(crops[:2]), -crops[:2])
    with pytest.raises(EngineError, match="not enough memory for one face"):
        TorchEngine(Tight(0), "cpu", "fp32")(crops)  # type: ignore[arg-type]
