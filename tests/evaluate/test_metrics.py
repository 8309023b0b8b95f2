"""Each metric against a value that is known without it."""

import math
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from gfpvideo.evaluate import metrics
from gfpvideo.evaluate.metrics import Scorer, available, definitions, scorer
from gfpvideo.networks.arcface import ArcFace

pytestmark = pytest.mark.usefixtures("one_thread")


def pictures(seed: int, count: int = 4, size: int = 64) -> torch.Tensor:
    """Smooth noise: (B, 3, S, S) in [0, 1]."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)


def only(*names: str) -> Scorer:
    return scorer([definition for definition in definitions() if definition.name in names])


def test_psnr_and_ssim_are_those_of_another_library() -> None:
    clean, restored = pictures(1), (pictures(1) + 0.1 * pictures(2)).clamp(0, 1)
    scores = only("psnr", "ssim")
    scores.add(restored[:1], clean[:1])
    scores.add(restored[1:], clean[1:])
    pairs = [(a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy()) for a, b in zip(clean, restored, strict=True)]
    psnr = np.mean([peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in pairs])
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    maps = [structural_similarity(a, b, data_range=1.0, full=True, **gaussian)[1] for a, b in pairs]
    assert scores.values()["psnr"] == pytest.approx(psnr, abs=1e-3)
    assert scores.values()["ssim"] == pytest.approx(np.mean(maps), abs=1e-3)


def test_distances_are_nothing_between_equals_and_grow_with_the_damage() -> None:
    clean, other = pictures(1), pictures(2)
    values = []
    for damage in (0.0, 0.1, 0.5):
        scores = only("perceptual", "frechet")
        scores.add(clean.lerp(other, damage), clean)
        values.append(scores.values())
    assert values[0]["perceptual"] == 0.0
    assert abs(values[0]["frechet"]) < 1e-2
    for name in ("perceptual", "frechet"):
        assert values[0][name] < values[1][name] < values[2][name]


def test_frechet_is_the_formula_of_its_paper() -> None:
    """Heusel et al. (2017), equation 6.

    Of n samples, the root of the covariances' product has the trace that their centred cross-products have for a
    nuclear norm: n by n numbers instead of a root of 1,280 by 1,280, of which all but n - 1 eigenvalues are noise.
    """
    clean, restored = pictures(1, 12), pictures(2, 12)
    scores = only("frechet")
    scores.add(restored, clean)
    network = metrics.LiteEmbedding()
    a, b = (network(batch * 2 - 1).double().numpy() for batch in (clean, restored))
    centred = [(found - found.mean(0)) / np.sqrt(len(found) - 1) for found in (a, b)]
    root = np.linalg.norm(centred[0] @ centred[1].T, "nuc")
    expected = np.square(a.mean(0) - b.mean(0)).sum() + sum(np.square(part).sum() for part in centred) - 2 * root
    assert scores.values()["frechet"] == pytest.approx(expected, rel=1e-2)


def test_what_is_missing_is_named_and_the_rest_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    usable, left_out = available(definitions(), faces=True)
    assert [definition.name for definition in usable] == ["psnr", "ssim", "perceptual", "frechet"]
    assert "alexnet-owt-7be5be79.pth" in left_out["lpips"]
    assert "weights-inception-2015-12-05-6726825d.pth" in left_out["fid"]
    assert "pyiqa" in left_out["niqe"]
    assert "gfpvideo weights get arcface-resnet18" in left_out["identity"]
    assert "--faces" in available(definitions(), faces=False)[1]["identity"]


def test_the_identity_angle_is_that_of_arcface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "arcface.pth"
    torch.save(ArcFace().state_dict(), path)
    monkeypatch.setattr(metrics, "installed", lambda *_: path)
    clean, other = pictures(1), pictures(2)
    same, different = only("identity"), only("identity")
    same.add(clean, clean)
    different.add(other, clean)
    assert same.values()["identity"] < 0.1
    network = metrics.load_arcface(path)
    a, b = (network(metrics.grey_faces(batch * 2 - 1)) for batch in (other, clean))
    cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    assert different.values()["identity"] == pytest.approx(float(torch.rad2deg(cosine.acos()).mean()), rel=1e-4)


def test_niqe_is_asked_of_pyiqa_with_its_own_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pyiqa is large and its parameters are a download, so a stand-in shows that it is called as it wants to be."""
    asked: list[tuple[str, str]] = []

    def create_metric(name: str, *, pretrained_model_path: str, device: str) -> object:
        asked.append((name, pretrained_model_path))
        return lambda batch: batch.mean(dim=(1, 2, 3))

    stand_in = types.ModuleType("pyiqa")
    stand_in.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    stand_in.create_metric = create_metric  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyiqa", stand_in)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "pyiqa").mkdir()
    (tmp_path / "pyiqa" / "niqe_modelparameters.mat").touch()
    scores = only("niqe")
    restored = pictures(1)
    scores.add(restored, pictures(2))
    assert asked == [("niqe", str(tmp_path / "pyiqa" / "niqe_modelparameters.mat"))]
    assert scores.values()["niqe"] == pytest.approx(float(restored.mean()), rel=1e-5)


def test_nothing_counted_is_not_a_number_and_shapes_must_agree() -> None:
    assert all(math.isnan(value) for value in only("psnr", "frechet").values().values())
    with pytest.raises(ValueError, match="differ in shape"):
        only("psnr").add(pictures(1), pictures(1, size=32))
