"""Several devices share the work, and memory that is short."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, OptionError
from gfpvideo.generator.engines.torch_engine import TorchEngine
from gfpvideo.pipeline import load_networks
from gfpvideo.threads import side_by_side
from helpers import facts


def test_two_devices_give_what_one_gives() -> None:
    crops = np.random.default_rng(1).uniform(-1, 1, (5, 3, 256, 256)).astype(np.float32)
    _, one = load_networks(RestoreOptions(model="compact"))
    _, two = load_networks(RestoreOptions.parse({"model": "compact", "devices": "cpu,cpu"}))
    assert two.engine.name == f"{one.engine.name} + {one.engine.name}"
    assert np.array_equal(one(crops), two(crops))
    assert np.array_equal(one(crops[:1]), two(crops[:1]))


@pytest.mark.slow
def test_a_film_of_two_devices_is_that_of_one(film: Path, tmp_path: Path) -> None:
    values = {"model": "compact", "preset": "ultrafast", "end": "1"}
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


def test_short_memory_halves_the_batch_and_goes_on() -> None:
    network: Any = Tight(2)
    engine = TorchEngine(network, "cpu", "fp32")
    crops = np.random.default_rng(2).normal(size=(7, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(engine(crops), -crops)
    assert network.seen == [1] * 7  # 7, then 3, then 1
    assert np.array_equal(engine(crops[:2]), -crops[:2])
    with pytest.raises(EngineError, match="not enough memory for one face"):
        TorchEngine(Tight(0), "cpu", "fp32")(crops)  # type: ignore[arg-type]
