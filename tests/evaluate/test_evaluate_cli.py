"""`gfpvideo evaluate`, as somebody types it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.evaluate import compare
from gfpvideo.generator.generator import load_generator
from helpers import write_film
from quick import random_model

pytestmark = pytest.mark.usefixtures("one_thread")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two pictures, once clean and once with a tenth of the range added."""
    restored, clean = tmp_path / "restored", tmp_path / "clean"
    for folder, added in ((restored, 26), (clean, 0)):
        folder.mkdir()
        for number in range(2):
            picture = skimage.data.astronaut()[:256, 96 + number : 352 + number, ::-1] // 2 + added
            assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return restored, clean


def test_two_folders_give_a_table_json_and_a_page(folders: tuple[Path, Path], tmp_path: Path) -> None:
    code, table, _ = run("compare", *folders, "--json", tmp_path / "e.json", "--html", tmp_path / "e.html")
    assert code == 0
    figures = json.loads((tmp_path / "e.json").read_text())
    assert figures["pictures"] == 2
    expected = -20 * np.log10(26 / 255)
    assert figures["figures"]["restored"]["psnr"] == pytest.approx(expected, abs=1e-3)
    assert f"{expected:.2f}" in table
    assert "left out: lpips" in table
    page = (tmp_path / "e.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert 'src="http' not in page


def test_figures_that_are_there_are_kept(folders: tuple[Path, Path], tmp_path: Path) -> None:
    there = tmp_path / "e.json"
    there.write_text("of value")
    for command in (
        ("compare", *folders, "--json"),
        ("compare", *folders, "--html"),
        ("benchmark", folders[1], "--json"),
        ("stability", folders[0], "--plot"),
        ("landmarks", folders[0], "--labels", tmp_path / "labels.npz", "--json"),
    ):
        code, _, error = run(*command, there)
        assert (code, error.count("\n"), "exists already; give --overwrite" in error) == (2, 1, True)
        assert there.read_text() == "of value"
    code, _, _ = run("compare", *folders, "--json", there, "--overwrite")
    assert (code, json.loads(there.read_text())["pictures"]) == (0, 2)


def test_faces_are_cut_out_at_the_same_place_of_both(folders: tuple[Path, Path], tmp_path: Path) -> None:
    code, _, _ = run("compare", *folders, "--faces", "--json", tmp_path / "e.json")
    assert code == 0
    figures = json.loads((tmp_path / "e.json").read_text())
    assert figures["pictures"] == 2
    assert figures["figures"]["restored"]["psnr"] == pytest.approx(-20 * np.log10(26 / 255), abs=0.05)
    assert "arcface" in figures["left_out"]["identity"]


@pytest.mark.slow
def test_two_films_are_compared_frame_by_frame(film: Path, tmp_path: Path) -> None:
    code, table, _ = run("compare", film, film, "--json", tmp_path / "e.json")
    assert code == 0
    figures = json.loads((tmp_path / "e.json").read_text())
    assert figures["pictures"] == 90
    assert figures["figures"]["restored"]["psnr"] is None  # equal pictures: infinitely good
    assert figures["figures"]["restored"]["ssim"] == pytest.approx(1.0)
    assert "-" in table


def test_what_does_not_match_is_refused_in_one_line(folders: tuple[Path, Path], film: Path, tmp_path: Path) -> None:
    restored, clean = folders
    short = tmp_path / "short.mkv"
    write_film(short, [np.zeros((64, 64, 3), np.uint8)] * 3)
    cases = [
        (restored, film, "two folders or two films"),
        (restored, tmp_path / "nowhere", "no such file"),
        (film, short, "differs in size"),
    ]
    (clean / "0.png").rename(clean / "other.png")
    cases.append((restored, clean, "in one alone"))
    for a, b, words in cases:
        code, _, error = run("compare", a, b)
        assert (code, words in error) == (2, True), error
    assert "give both" in run("benchmark", restored, "--first", 3)[2]


@pytest.mark.slow
def test_a_benchmark_is_repeatable_and_compares_models(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, clean = folders
    results = []
    for name in ("a.json", "b.json"):
        arguments = ["benchmark", clean, "--model", "compact", "--first", 0, "--last", 1, "--json", tmp_path / name]
        assert run(*arguments)[0] == 0
        results.append(json.loads((tmp_path / name).read_text()))
    assert results[0] == results[1]
    assert list(results[0]["figures"]) == ["degraded", "compact"]
    assert results[0]["figures"]["compact"]["perceptual"] < results[0]["figures"]["degraded"]["perceptual"]
    generator = load_generator("compact", precision="fp32")
    quick = [definition for definition in compare.definitions() if definition.name != "frechet"]
    monkeypatch.setattr(compare, "definitions", lambda *_: quick)
    other = compare.benchmark(clean, {"compact": generator}, seed=1, examples=1)
    assert other.columns["degraded"]["psnr"] != results[0]["figures"]["degraded"]["psnr"]
    assert [picture.shape for picture in other.examples[0].pictures] == [(256, 256, 3)] * 3


@pytest.mark.slow
def test_models_whose_files_have_one_name_have_columns_of_their_own(folders: tuple[Path, Path], tmp_path: Path) -> None:
    paths = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        paths.append(random_model(tmp_path / folder / "checkpoint.safetensors", 128))
    models = [argument for path in paths for argument in ("--model", path)]
    assert run("benchmark", folders[1], *models, "--json", tmp_path / "e.json")[0] == 0
    found = json.loads((tmp_path / "e.json").read_text())["figures"]
    assert list(found) == ["degraded", *map(str, paths)]
