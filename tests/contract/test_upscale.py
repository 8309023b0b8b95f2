"""Pictures enlarged around the faces: plainly, or by a network in tiles."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError, WeightsError
from gfpvideo.frames import Rect
from gfpvideo.media.enlarge import enlarged
from gfpvideo.media.pixel_format import components, samples
from gfpvideo.pixels.color import component_slices
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.run import Job
from helpers import facts, packets, plane_bytes, psnr, smooth_picture, write_film
from quick import QUICK, QUICK_ARGUMENTS


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


PART: dict[str, Any] = {
    "upscale": 2, "codec": "ffv1", "segment": 8, "end": "0.9", "detect_size": 256,
    **QUICK,
}  # fmt: skip


def restored_part(film: Path, target: Path, **values: Any) -> dict[int, tuple[tuple[int, Rect], ...]]:
    """Restore the beginning of a film; which rectangles of each frame were touched."""
    touched: dict[int, tuple[tuple[int, Rect], ...]] = {}

    def note(done: FrameDone) -> None:
        touched[done.restored.frame.index] = done.restored.touched

    gfpvideo.restore(film, target, RestoreOptions.parse(PART | values), on_frame=note)
    return touched


@pytest.fixture(scope="module")
def at_once(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    restored_part(film, target)
    return target


@pytest.mark.slow
def test_outside_faces_the_film_is_as_without_restoring(film: Path, tmp_path: Path) -> None:
    touched = restored_part(film, tmp_path / "faces.mkv")
    restored_part(film, tmp_path / "none.mkv", strength=0)
    with av.open(str(tmp_path / "none.mkv")) as old, av.open(str(tmp_path / "faces.mkv")) as new:
        pairs = list(zip(old.decode(video=0), new.decode(video=0), strict=True))
    assert len(pairs) == len(touched) > 12
    for index, (before, after) in enumerate(pairs):
        ((_, rect),) = touched[index]
        assert 100 < rect.width < before.width // 2
        for number, (x, y) in enumerate(zip(components(before), components(after), strict=True)):
            window = component_slices(rect, samples(before), number)
            outside = np.ones(x.shape, bool)
            outside[window] = False
            assert np.array_equal(x[outside], y[outside])
            assert number > 0 or np.abs(x[window].astype(int) - y[window]).mean() > 1


@pytest.mark.slow
def test_going_on_makes_the_same_film(film: Path, at_once: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"

    def give_up(done: FrameDone) -> None:
        if done.restored.frame.index == 11:
            raise KeyError

    with pytest.raises(KeyError):
        gfpvideo.restore(film, target, RestoreOptions.parse(PART), on_frame=give_up)
    report = gfpvideo.restore(film, target, RestoreOptions.parse(PART | {"resume": True, "batch": 3}))
    assert report.resumed == 8
    assert packets(target) == packets(at_once)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_workers_make_the_same_film(film: Path, at_once: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    restored_part(film, target, workers=2)
    assert packets(target) == packets(at_once)


@pytest.mark.slow
def test_a_pipe_gives_the_films_samples(film: Path, at_once: Path) -> None:
    options = ["--upscale", "2", "--end", "0.9", *QUICK_ARGUMENTS]
    done = subprocess.run(
        [sys.executable, "-m", "gfpvideo", "pipe", str(film), *options], capture_output=True, check=True
    )
    with av.open(io.BytesIO(done.stdout), "r", format="yuv4mpegpipe") as container:
        found = [plane_bytes(picture) for picture in container.decode(video=0)]
    assert found == facts(at_once, planes=True).planes


@pytest.mark.parametrize("network_too", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_comparison_shows_both_enlarged(
    network_too: bool, network: Path, film: Path, at_once: Path, tmp_path: Path
) -> None:
    model = {"background_model": network} if network_too else {}
    shown, after = tmp_path / "side.mkv", tmp_path / "after.mkv"
    short = {"end": "0.3", **model}
    restored_part(film, shown, compare="side", **short)
    restored_part(film, after, **short)
    restored_part(film, tmp_path / "before.mkv", strength=0, **short)
    (width, height), beside = size_of(after), luma(shown)
    assert size_of(shown) == (2 * width, height)
    assert np.array_equal(beside[:, :width], luma(tmp_path / "before.mkv"))
    assert np.array_equal(beside[:, width:], luma(after))


@pytest.mark.slow
def test_a_preview_shows_the_face_at_its_place(film: Path) -> None:
    plain = Job(film, None, RestoreOptions.parse(PART | {"upscale": 1})).preview()
    enlarged_too = Job(film, None, RestoreOptions.parse(PART)).preview()
    for one, other in zip(plain, enlarged_too, strict=True):
        assert (one.index, one.track) == (other.index, other.track)
        assert psnr(one.before, other.before) > 33


@pytest.mark.parametrize("with_network", [False, True])
def test_a_photograph_is_enlarged_with_its_face(with_network: bool, network: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "photo.jpg", tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x13B], exif[0x112] = "somebody", 6
    exif[0x8769] = {0xA002: 321, 0xA003: 301}
    picture = cv2.GaussianBlur(skimage.data.astronaut()[:301, 80:401], (0, 0), 1.5)
    Image.fromarray(np.rot90(picture)).save(source, quality=95, exif=exif)
    values = {"upscale": 2, **({"background_model": network} if with_network else {})}
    seen: list[FrameDone] = []
    report = gfpvideo.restore(source, target, RestoreOptions.parse(values), on_frame=seen.append)
    assert (report.faces, report.warnings) == (1, [])
    with Image.open(target) as large:
        assert large.size == (602, 642)
        kept = large.getexif()
        assert (kept[0x13B], kept[0x112]) == ("somebody", 6)
        assert (kept.get_ifd(0x8769)[0xA002], kept.get_ifd(0x8769)[0xA003]) == (602, 642)
        shown = np.rot90(np.asarray(large), -1).astype(float)
    assert psnr(shown.reshape(301, 2, 321, 2, 3).mean(axis=(1, 3)), picture) > 28
    ((_, rect),) = seen[0].restored.touched
    assert 200 < rect.width < 400


def test_photographs_of_a_folder_are_enlarged_with_its_films(clip: Path, tmp_path: Path) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    clip.rename(folder / clip.name)
    Image.fromarray(np.full((30, 50), 99, np.uint8)).save(folder / "grey.png")
    gfpvideo.restore(folder, target, RestoreOptions(upscale=3))
    with Image.open(target / "grey.png") as large:
        assert large.size == (150, 90)
        assert (np.asarray(large) == 99).all()
    assert size_of(target / clip.name) == (960, 900)


def test_a_photograph_too_large_for_its_format_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 9000), np.uint8)).save(tmp_path / "wide.png")
    with pytest.raises(OptionError, match=r"18000x8 pixels are more than \.webp holds"):
        gfpvideo.restore(tmp_path / "wide.png", tmp_path / "wide.webp", RestoreOptions(upscale=2))
    assert not (tmp_path / "wide.webp").exists()


def test_what_does_not_enlarge_is_refused(clip: Path, network: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="say how much with upscale"):
        RestoreOptions.parse({"background_model": network})
    nothing = tmp_path / "nothing.pth"
    torch.save({"a": torch.zeros(3)}, nothing)
    with pytest.raises(WeightsError, match=r"nothing\.pth: neither gfpvideo nor spandrel knows"):
        gfpvideo.restore(clip, tmp_path / "large.mkv", RestoreOptions(upscale=2, background_model=nothing))
