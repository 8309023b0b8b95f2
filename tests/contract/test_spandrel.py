"""Face restorers of other architectures, by spandrel: tiny random networks of the real kinds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, WeightsError
from gfpvideo.networks import weights
from gfpvideo.networks.abilities import SPANDREL, Abilities
from helpers import assert_same

pytest.importorskip("spandrel")


@pytest.fixture(scope="module")
def restoreformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(1)
    network = RestoreFormer(
        n_embed=16, embed_dim=32, ch=32, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1, z_channels=32
    )
    path = tmp_path_factory.mktemp("models") / "restoreformer.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


def test_openvino_is_no_engine_of_other_restorers(restoreformer: Path) -> None:
    """Who asks for it gets a clear word, not torch instead."""
    with pytest.raises(EngineError, match=r"^--engine openvino is for GFP-GANs; restoreformer\.pth is none"):
        gfpvideo.load_generator(str(restoreformer), "openvino")


def test_the_abilities_are_the_descriptors(restoreformer: Path) -> None:
    abilities = gfpvideo.load_generator(str(restoreformer), device="cpu").abilities
    assert abilities == Abilities(512, precisions=("fp32", "bf16"), span=(0.0, 1.0), libraries=SPANDREL)
    with pytest.raises(EngineError, match="--precision fp16 needs a GPU"):
        gfpvideo.load_generator(str(restoreformer), device="cpu", precision="fp16")


def test_a_published_restorer_is_loaded_by_its_name(
    restoreformer: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = replace(weights.entry("restoreformer"), sha256=weights.sha256(restoreformer))
    monkeypatch.setattr(weights, "manifest", lambda: {known.name: known})
    known.path(tmp_path).write_bytes(restoreformer.read_bytes())
    for name in ("restoreformer", str(restoreformer)):
        generator = gfpvideo.load_generator(name, device="cpu", weights_dir=tmp_path)
        assert generator.engine.name == "spandrel RestoreFormer cpu fp32"


@pytest.mark.slow
def test_a_restoreformer_restores_a_film(restoreformer: Path, film: Path, tmp_path: Path) -> None:
    generator = gfpvideo.load_generator(str(restoreformer))
    assert generator.size == 512
    assert generator.engine.name.startswith("spandrel RestoreFormer")
    assert generator.abilities.libraries == ("spandrel", "spandrel_extra_arches")
    crops = np.random.default_rng(0).uniform(-1, 1, (2, 3, 512, 512)).astype(np.float32)
    together = generator(crops)
    assert together.shape == crops.shape
    assert np.array_equal(together[1:], generator(crops[1:]))
    options = RestoreOptions.parse({"model": str(restoreformer), "end": "0.2", "preset": "ultrafast"})
    report = gfpvideo.restore(film, tmp_path / "out.mkv", options)
    assert (report.frames, report.faces, report.model) == (4, 4, "restoreformer.pth")


@pytest.mark.slow
def test_codeformer_gets_the_range_it_was_trained_on(tmp_path: Path) -> None:
    """spandrel hands it pictures in [0, 1]; it was trained on [-1, 1]."""
    pytest.importorskip("spandrel_extra_arches")
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

    torch.manual_seed(2)
    network = CodeFormer(n_layers=1, codebook_size=16).eval()
    path = tmp_path / "codeformer.pth"
    torch.save({"params_ema": network.state_dict()}, path)
    generator = gfpvideo.load_generator(str(path), device="cpu", precision="fp32")
    assert generator.engine.name == "spandrel CodeFormer cpu fp32"
    assert generator.abilities == Abilities(512, precisions=("fp32", "bf16"), span=(-1.0, 1.0), libraries=SPANDREL)
    crop = np.random.default_rng(1).uniform(-1, 1, (1, 3, 512, 512)).astype(np.float32)
    handed = torch.from_numpy(crop) + 1 - 1  # rounded as the change of range rounds it
    with torch.inference_mode():
        expected = network(handed)[0].numpy()
    assert expected.min() < 0, "the other range would lose what is below 0"
    assert_same(generator(crop), np.clip(expected, -1, 1), "in another order")


def test_networks_that_restore_no_faces_are_refused(tmp_path: Path) -> None:
    from spandrel.architectures.Compact import Compact

    upscaler, nothing = tmp_path / "upscaler.pth", tmp_path / "nothing.pth"
    torch.save({"params": Compact(num_feat=8, num_conv=2, upscale=2).state_dict()}, upscaler)
    torch.save({"a": torch.zeros(3)}, nothing)
    with pytest.raises(WeightsError, match=r"upscaler\.pth: a .* is not a restorer of faces"):
        gfpvideo.load_generator(str(upscaler))
    with pytest.raises(WeightsError, match=r"nothing\.pth: neither gfpvideo nor spandrel knows"):
        gfpvideo.load_generator(str(nothing))
