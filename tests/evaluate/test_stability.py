"""`gfpvideo evaluate stability`: what is steady measures near nothing, each kind of unrest shows in its figure."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from typer.testing import CliRunner

from gfpvideo.cli import app
from helpers import write_film

Picture = NDArray[np.uint8]
COUNT = 14


def steady_pictures() -> list[Picture]:
    """A face that moves by two whole pixels a frame."""
    whole = skimage.data.astronaut()
    return [np.ascontiguousarray(whole[0:240, 100 - 2 * index : 340 - 2 * index]) for index in range(COUNT)]


def figures(folder: Path, pictures: list[Picture]) -> dict[str, float]:
    for name, film in (("film.mkv", pictures), ("clean.mkv", steady_pictures())):
        write_film(folder / name, film, codec="libx264rgb", pix_fmt="rgb24", options={"qp": "0"})
    clean, report = str(folder / "clean.mkv"), str(folder / "report.json")
    arguments = ["stability", str(folder / "film.mkv"), "--source", clean, "--reference", clean, "--json", report]
    result = CliRunner().invoke(app, ["evaluate", *arguments, "--plot", str(folder / "plot.png")])
    assert result.exit_code == 0, result.stderr
    assert (folder / "plot.png").stat().st_size > 1000
    content = json.loads((folder / "report.json").read_text())
    (track,) = content["tracks"]
    assert (track["first"], track["last"], track["frames"]) == (0, COUNT - 1, COUNT)
    return content["all"]


def lighter(index: int, picture: Picture) -> Picture:
    return np.clip(picture.astype(int) + (6 if index % 2 else -6), 0, 255).astype(np.uint8)


def grainy(index: int, picture: Picture) -> Picture:
    grain = np.random.default_rng(index).normal(0, 8, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def trembling(index: int, picture: Picture) -> Picture:
    return np.roll(picture, 3 if index % 2 else -3, axis=0)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    return figures(tmp_path_factory.mktemp("still"), steady_pictures())


def test_a_steady_film_measures_little(still: dict[str, float]) -> None:
    assert still["warping"] < 1.0
    assert still["flicker"] < 0.1
    assert still["psnr"] is None  # equal to the reference
    assert still["ssim"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("unrest", "name", "factor"), [(lighter, "flicker", 20), (grainy, "warping", 5), (trembling, "jitter", 3)]
)
def test_unrest_shows(
    unrest: Callable[[int, Picture], Picture], name: str, factor: float, still: dict[str, float], tmp_path: Path
) -> None:
    found = figures(tmp_path, [unrest(index, picture) for index, picture in enumerate(steady_pictures())])
    assert found[name] > factor * still[name]
    assert found["psnr"] < 40


def test_films_that_do_not_match_are_refused(tmp_path: Path) -> None:
    pictures = steady_pictures()
    write_film(tmp_path / "long.mkv", pictures)
    write_film(tmp_path / "short.mkv", pictures[:6])
    write_film(tmp_path / "small.mkv", [picture[:200] for picture in pictures])
    write_film(tmp_path / "empty.mkv", [np.zeros((64, 64, 3), np.uint8)] * 4)
    for film, other, words in (
        ("short", "long", "ends after"),
        ("small", "long", "is 240x200"),
        ("empty", "empty", "no face"),
    ):
        arguments = [str(tmp_path / f"{film}.mkv"), "--source", str(tmp_path / f"{other}.mkv")]
        result = CliRunner().invoke(app, ["evaluate", "stability", *arguments])
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert words in result.stderr
