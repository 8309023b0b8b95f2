"""Several devices share the work, and memory that is short."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from facexlib.detection.retinaface import RetinaFace
from facexlib.parsing.parsenet import ParseNet

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, OptionError
from gfpvideo.faces.detectors.retinaface import RetinaFaceDetector
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.engines.several import SeveralEngines
from gfpvideo.generator.engines.torch import TorchEngine, choose_precision, compiled
from gfpvideo.networks.abilities import Abilities
from gfpvideo.networks.arcface import ArcFace, load_arcface
from gfpvideo.networks.parsenet import FaceParser
from gfpvideo.networks.upscaler import Upscaler
from gfpvideo.restoration.load import load_parts
from gfpvideo.stages.threads import side_by_side
from helpers import assert_same, facts
from quick import QUICK, random_model

ON_CPU = EngineChoice(device="cpu", precision="fp32")


@pytest.mark.slow
def test_two_devices_give_what_one_gives() -> None:
    crops = np.random.default_rng(1).uniform(-1, 1, (5, 3, 256, 256)).astype(np.float32)
    one = load_parts(RestoreOptions(model="compact")).generator
    two = load_parts(RestoreOptions.parse({"model": "compact", "devices": "cpu,cpu"})).generator
    assert two.engine.name == f"{one.engine.name} + {one.engine.name}"
    assert_same(one(crops), two(crops), "alike")
    assert_same(one(crops[:1]), two(crops[:1]), "alike")


@pytest.mark.slow
def test_a_film_of_two_devices_is_that_of_one(film: Path, tmp_path: Path) -> None:
    values = QUICK | {"preset": "ultrafast", "end": "1"}
    for name, more in (("one", {}), ("two", {"devices": "cpu,cpu"})):
        gfpvideo.restore(film, tmp_path / f"{name}.mkv", RestoreOptions.parse(values | more))
    assert facts(tmp_path / "one.mkv", planes=True).planes == facts(tmp_path / "two.mkv", planes=True).planes


def _retinaface(path: Path, device: str) -> Any:
    network = RetinaFace(network_name="resnet50", half=False, device=torch.device("cpu"))
    torch.save(network.state_dict(), path)
    return RetinaFaceDetector(path, 0.5, device)._network


def _parsenet(path: Path, device: str) -> Any:
    torch.save(ParseNet(512, 512, parsing_ch=19).state_dict(), path)
    return FaceParser(path, device)._network


def _arcface(path: Path, device: str) -> Any:
    torch.save(ArcFace().state_dict(), path)
    return load_arcface(path, device)


def _upscaler(path: Path, device: str) -> Any:
    compact: Any = pytest.importorskip("spandrel.architectures.Compact")
    torch.save({"params": compact.Compact(num_feat=8, num_conv=1, upscale=2).state_dict()}, path)
    return Upscaler(path, 2, device)._model.model


@pytest.mark.parametrize("load", [_retinaface, _parsenet, _arcface, _upscaler])
def test_the_device_holds_for_every_network(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CUDA is said to be there, a network that was put elsewhere does not go to it."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert {parameter.device.type for parameter in load(tmp_path / "x.pth", "cpu").parameters()} == {"cpu"}
    with pytest.raises(EngineError, match="--device cuda:1: torch sees 1 CUDA devices"):
        load(tmp_path / "x.pth", "cuda:1")
    with pytest.raises(EngineError, match="--device gpu is OpenVINO's"):
        load(tmp_path / "x.pth", "gpu")


@pytest.mark.parametrize(("given", "expected"), [({"device": "cpu"}, "cpu"), ({"devices": "cuda:1,cuda:0"}, "cuda:1")])
def test_options_put_every_network_on_their_device(
    given: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several devices the first one runs what is not shared."""
    seen: list[str] = []
    monkeypatch.setattr("gfpvideo.restoration.load.installed", lambda name, folder: tmp_path / name)
    monkeypatch.setattr("gfpvideo.restoration.load.make_generator", lambda *_: None)
    for name in ("gfpvideo.networks.parsenet.FaceParser", "gfpvideo.networks.upscaler.Upscaler",
                 "gfpvideo.faces.detectors.retinaface.RetinaFaceDetector"):  # fmt: skip
        monkeypatch.setattr(name, lambda *arguments: seen.append(arguments[-1]))
    more = {"mask": "parsing", "detector": "retinaface", "upscale": 2, "background_model": tmp_path / "x.pth"}
    options = RestoreOptions.parse(QUICK | more | given | {"gather": False})
    load_parts(options)
    assert seen == [expected] * 3


def test_unknown_devices_are_named() -> None:
    with pytest.raises(OptionError, match="option devices = 'cpu,tpu': 'tpu' is not a device"):
        RestoreOptions.parse({"devices": "cpu,tpu"})


def test_devices_of_several_kinds_are_refused() -> None:
    with pytest.raises(OptionError, match="cpu and cuda compute differently"):
        RestoreOptions.parse({"devices": "cpu,cuda:0"})


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
        self.abilities = Abilities(8)
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
        self.abilities = Abilities(8)
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
    plain, engine = TorchEngine(network, ON_CPU), TorchEngine(network, replace(ON_CPU, compiler="inductor", together=4))
    crops = np.random.default_rng(3).normal(size=(7, 3, 8, 8)).astype(np.float32)
    assert_same(engine(crops), plain(crops), "in another order")
    assert seen == [(4, 3, 8, 8)] * 2
    assert engine.name == "torch cpu fp32 inductor"


@pytest.mark.parametrize(("crops", "expected"), [(8, [4, 4]), (7, [4, 4]), (1, [4])])
def test_each_of_two_devices_is_compiled_for_its_share(
    crops: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled for the whole batch, each would fill its half up to it, and two devices be no faster than one."""
    seen: list[int] = []

    def compile_(network: torch.nn.Module, **_: Any) -> Any:
        def run(batch: torch.Tensor) -> torch.Tensor:
            seen.append(len(batch))
            return network(batch)

        return run

    monkeypatch.setattr("torch.compile", compile_)
    network: Any = Scaled()
    choice = replace(ON_CPU, compiler="inductor", together=8)
    engine = SeveralEngines([TorchEngine(network, each) for each in choice.shared(["cpu", "cpu"])])
    pixels = np.random.default_rng(4).normal(size=(crops, 3, 8, 8)).astype(np.float32)
    assert np.allclose(engine(pixels), TorchEngine(network, ON_CPU)(pixels), atol=1e-6)
    assert seen == expected


def test_shares_are_whole_crops() -> None:
    assert [each.together for each in EngineChoice(together=8).shared(["cpu"] * 3)] == [3, 3, 3]
    assert [each.device for each in EngineChoice(device="cpu").shared(["cuda:0", "cuda:1"])] == ["cuda:0", "cuda:1"]
    assert EngineChoice(device="cuda:1", together=8).shared([]) == [EngineChoice(device="cuda:1", together=8)]


@pytest.mark.parametrize(
    ("device", "native", "able", "expected"),
    [
        ("cuda", True, ("fp32", "bf16", "fp16"), "bf16"),
        ("cuda:1", True, ("fp32", "bf16"), "bf16"),
        ("cuda", True, ("fp32", "fp16"), "fp32"),
        ("cuda", False, ("fp32", "bf16", "fp16"), "fp32"),
        ("cpu", True, ("fp32", "bf16", "fp16"), "fp32"),
    ],
)
def test_half_precision_is_never_chosen_by_itself(
    device: str, native: bool, able: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results on a GPU have not been compared with float32's yet, and it may overflow."""
    monkeypatch.setattr("torch.cuda.device", lambda _: nullcontext())
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert choose_precision("auto", torch.device(device), able) == expected


def test_a_precision_that_the_network_lacks_is_refused() -> None:
    with pytest.raises(EngineError, match="--precision fp16: this network does not compute it; give fp32 or bf16"):
        choose_precision("fp16", torch.device("cuda"), ("fp32", "bf16"))
    assert choose_precision("fp16", torch.device("cuda"), ("fp32", "fp16")) == "fp16"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_inductor_gives_what_torch_gives(rng: np.random.Generator, tmp_path: Path) -> None:
    model = random_model(tmp_path / "tiny.safetensors", 32)
    values = {"model": str(model), "engine": "torch", "precision": "fp32", "batch": 2}
    plain = load_parts(RestoreOptions.parse(values)).generator
    crops = rng.uniform(-1, 1, (3, 3, plain.size, plain.size)).astype(np.float32)
    faster = load_parts(RestoreOptions.parse(values | {"compiler": "inductor"})).generator
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
        load_parts(RestoreOptions.parse(QUICK | values))


def test_tensorrt_is_an_extra() -> None:
    if find_spec("torch_tensorrt") is not None:
        pytest.skip("torch_tensorrt is installed")
    with pytest.raises(EngineError, match=r'pip install "gfpvideo\[tensorrt\]"'):
        compiled(Scaled(), "tensorrt", torch.device("cuda"))


def test_short_memory_halves_the_batch_and_goes_on() -> None:
    network: Any = Tight(2)
    engine = TorchEngine(network, ON_CPU)
    crops = np.random.default_rng(2).normal(size=(7, 3, 8, 8)).astype(np.float32)
    assert np.array_equal(engine(crops), -crops)
    assert network.seen == [1] * 7  # 7, then 3, then 1
    assert np.array_equal(engine(crops[:2]), -crops[:2])
    with pytest.raises(EngineError, match="not enough memory for one face"):
        TorchEngine(Tight(0), ON_CPU)(crops)  # type: ignore[arg-type]
