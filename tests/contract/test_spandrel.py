"""Face restorers of other architectures, by spandrel: tiny random networks of the real kinds."""

from pathlib import Path

import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import WeightsError

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


def test_networks_that_restore_no_faces_are_refused(tmp_path: Path) -> None:
    from spandrel.architectures.Compact import Compact

    upscaler, nothing = tmp_path / "upscaler.pth", tmp_path / "nothing.pth"
    torch.save({"params": Compact(num_feat=8, num_conv=2, upscale=2).state_dict()}, upscaler)
    torch.save({"a": torch.zeros(3)}, nothing)
    with pytest.raises(WeightsError, match=r"upscaler\.pth: a .* is not a restorer of faces"):
        gfpvideo.load_generator(str(upscaler))
    with pytest.raises(WeightsError, match=r"nothing\.pth: neither a GFP-GAN nor a model that spandrel knows"):
        gfpvideo.load_generator(str(nothing))
