"""Pictures enlarged around the faces: plainly, or by a network in tiles."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError, WeightsError
from gfpvideo.media.enlarge import enlarged
from helpers import facts, psnr, smooth_picture, write_film


@pytest.fixture
def clip(rng: np.random.Generator, tmp_path: Path) -> Path:
    pictures = [(255 * smooth_picture(rng, 300, 320)).astype(np.uint8) for _ in range(3)]
    return write_film(tmp_path / "clip.mkv", pictures, pix_fmt="yuv420p")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Doubles a picture by repeating each pixel: what SRVGGNetCompact does when its convolutions are zero."""
    architectures: Any = pytest.importorskip("spandrel.architectures.Compact")
    made = architectures.Compact(num_feat=8, num_conv=1, upscale=2)
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    path = tmp_path / "double.pth"
    torch.save({"params": made.state_dict()}, path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        return container.streams.video[0].width, container.streams.video[0].height


def luma(path: Path) -> Any:
    width, height = size_of(path)
    return np.frombuffer(facts(path, planes=True).planes[0][0], np.uint8).reshape(height, width)


def test_lanczos_enlarges_everything_alike(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.mkv"
    gfpvideo.restore(clip, target, RestoreOptions(upscale=2, codec="ffv1"))
    assert size_of(target) == (640, 600)
    assert facts(target).pts == facts(clip).pts
    shrunk = luma(target).reshape(300, 2, 320, 2).mean(axis=(1, 3))
    assert psnr(shrunk, luma(clip)) > 40


@pytest.mark.parametrize("scale", [2, 3])
def test_a_network_enlarges_in_tiles_without_seams(scale: int, clip: Path, network: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.mkv"
    options = RestoreOptions(upscale=scale, background_model=network, codec="ffv1")
    gfpvideo.restore(clip, target, options)
    assert size_of(target) == (320 * scale, 300 * scale)
    assert facts(target).pts == facts(clip).pts
    expected = luma(clip).repeat(scale, axis=0).repeat(scale, axis=1)
    assert psnr(luma(target), expected) > (42 if scale == 2 else 34)
    assert np.abs(luma(target).astype(int) - expected)[:, 256 * scale - 4 : 256 * scale + 4].mean() < 4


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv422p10le", "gbrp"])
@pytest.mark.parametrize("matrix", [1, 5])
def test_colours_come_back(pix_fmt: str, matrix: int, rng: np.random.Generator) -> None:
    """By whatever matrix and range: a network that changes nothing changes nothing."""
    pixels = (255 * smooth_picture(rng, 64, 96)).astype(np.uint8)
    picture: Any = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pix_fmt)
    picture.colorspace = matrix
    again: Any = enlarged(picture, lambda rgb: rgb)
    assert again.format.name == picture.format.name
    one, other = (np.asarray(item.reformat(format="rgb24").to_ndarray()) for item in (picture, again))
    assert psnr(one, other) > 38


def test_what_does_not_enlarge_is_refused(clip: Path, network: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="say how much with upscale"):
        RestoreOptions.parse({"background_model": network})
    nothing = tmp_path / "nothing.pth"
    torch.save({"a": torch.zeros(3)}, nothing)
    with pytest.raises(WeightsError, match=r"nothing\.pth: neither gfpvideo nor spandrel knows"):
        gfpvideo.restore(clip, tmp_path / "large.mkv", RestoreOptions(upscale=2, background_model=nothing))
