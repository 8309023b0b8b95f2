"""`gfpvideo train`: a preview and a run from the command line."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.networks.gfpgan.loading import read_state_dict

pytestmark = pytest.mark.usefixtures("one_thread")
PRESET = """
[data]
folder = '{folder}'
workers = 0
[network]
size = 32
style_dim = 8
channel_multiplier = 1
narrow = 0.03125
mlp_depth = 2
[losses]
perceptual = 0.0
identity = 0.0
[discriminator]
narrow = 0.03125
[schedule]
steps = 2
batch = 2
sheet_steps = 2
"""


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    assert cv2.imwrite(str(folder / "1.png"), skimage.data.astronaut()[:256, 96:352, ::-1])
    path = tmp_path / "train.toml"
    path.write_text(PRESET.format(folder=folder))
    return path


def test_a_preview_shows_aged_faces_above_clean_ones(preset: Path, tmp_path: Path) -> None:
    target = tmp_path / "preview.png"
    result = CliRunner().invoke(app, ["train", "preview", str(preset), "-o", str(target), "--count", "3"])
    assert result.exit_code == 0
    picture = cv2.imread(str(target))
    assert picture is not None
    assert picture.shape == (64, 96, 3)
    assert not np.array_equal(picture[:32], picture[32:])


def test_a_run_leaves_a_checkpoint_a_log_and_a_sheet(preset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "run", str(preset), "-o", str(folder)])
    assert result.exit_code == 0
    assert result.stdout.strip() == str(folder / "checkpoint.pth")
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pth", "log", "sheet-0000002.png"]
    assert list((folder / "log").glob("events.*"))


def test_an_exported_model_is_small_and_the_same(preset: Path, tmp_path: Path) -> None:
    folder, exported = tmp_path / "run", tmp_path / "model.safetensors"
    assert CliRunner().invoke(app, ["train", "run", str(preset), "-o", str(folder)]).exit_code == 0
    checkpoint = folder / "checkpoint.pth"
    result = CliRunner().invoke(app, ["train", "export", str(checkpoint), "-o", str(exported), "--half"])
    assert result.exit_code == 0
    kept, new = read_state_dict(checkpoint), read_state_dict(exported)
    assert kept.keys() == new.keys()
    assert all(torch.equal(kept[key].half().float(), new[key]) for key in kept)
    assert exported.stat().st_size < checkpoint.stat().st_size / 4
    wrong = CliRunner().invoke(app, ["train", "export", str(checkpoint), "-o", str(tmp_path / "model.pth")])
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)


def test_errors_are_one_line(preset: Path, tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["train", "run", str(tmp_path / "no.toml"), "-o", str(tmp_path / "run")])
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
    nowhere = CliRunner().invoke(app, ["train", "preview", str(preset), "-o", str(tmp_path / "no" / "p.png")])
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.stderr
