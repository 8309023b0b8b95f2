"""Face restorers of other architectures, by spandrel: tiny random networks of the real kinds."""

from pathlib import Path

import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import WeightsError
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


@pytest.mark.slow
def test_a_restoreformer_restores_a_film(restoreformer: Path, film: Path, tmp_path: Path) -> None:
    generator = gfpvideo.load_generator(str(restoreformer))
    assert generator.size == 512
    assert generator.engine.name.startswith("spandrel RestoreFormer")
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
    crop = np.random.default_rng(1).uniform(-1, 1, (1, 3, 512, 512)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(crop))[0].numpy()
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
