"""Films whose whole pictures are gathered: what changes is named, and every way of making them makes the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli.restore import summary
from gfpvideo.faces.tracks_file import Tracks
from gfpvideo.report import Report
from gfpvideo.restoration.events import FrameDone
from helpers import facts, psnr, smooth_picture, write_film
from quick import QUICK

WIDTH, HEIGHT, FRAMES, CUT = 96, 64, 20, 11
GRAIN = 10
VALUES: dict[str, Any] = {"codec": "ffv1", "segment": 8, "around": "picture", **QUICK}


def options(**more: Any) -> RestoreOptions:
    return RestoreOptions.parse(VALUES | more)


@pytest.fixture(scope="module")
def clean() -> list[NDArray[np.uint8]]:
    """Two shots that hardly move, with nobody in them."""
    rng = np.random.default_rng(3)
    shots = [np.rint(smooth_picture(rng, HEIGHT, WIDTH) * scale).astype(np.uint8) for scale in (90, 250)]
    return [shots[index >= CUT] for index in range(FRAMES)]


@pytest.fixture(scope="module")
def grainy(clean: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(4)
    noisy = [
        np.clip(np.rint(each + GRAIN * rng.standard_normal(each.shape)), 0, 255).astype(np.uint8) for each in clean
    ]
    return write_film(tmp_path_factory.mktemp("grainy") / "grainy.mkv", noisy)


@pytest.fixture(scope="module")
def at_once(grainy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    return target, gfpvideo.restore(grainy, target, options())


def planes(path: Path) -> list[list[bytes]]:
    return facts(path, planes=True).planes


def luma(path: Path) -> list[NDArray[np.uint8]]:
    return [np.frombuffer(each[0], np.uint8) for each in planes(path)]


def test_what_changed_outside_the_faces_is_named(
    grainy: Path, clean: list[NDArray[np.uint8]], at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    """Every frame of it, those without faces and those beside a cut as well; unless it is asked for, none."""
    target, report = at_once
    assert (report.frames, report.pictures, report.faces) == (FRAMES, FRAMES, 0)
    assert f"pictures  {FRAMES} changed outside the faces as well" in summary(report)
    truth = luma(write_film(tmp_path / "clean.mkv", clean))
    won = [psnr(new, true) - psnr(old, true) for old, new, true in zip(luma(grainy), luma(target), truth, strict=True)]
    assert min(won) > 2
    assert facts(target).pts == facts(grainy).pts
    plain = gfpvideo.restore(grainy, tmp_path / "plain.mkv", options(around="crop"))
    assert plain.pictures == 0
    assert "pictures" not in summary(plain)
    assert planes(tmp_path / "plain.mkv") == planes(grainy)


def test_a_frame_alone_in_its_shot_is_the_decoders(grainy: Path, tmp_path: Path) -> None:
    """And it is not counted: there is nothing beside it."""
    target = tmp_path / "one.mkv"
    report = gfpvideo.restore(grainy, target, options(end="0.04"))
    assert (report.frames, report.pictures) == (1, 0)
    assert planes(target) == planes(grainy)[:1]


class GaveUpError(Exception):
    """Somebody pulled the plug."""


def test_a_resumed_film_is_the_uninterrupted_one(grainy: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    def stop(progress: FrameDone) -> None:
        if progress.restored.frame.index == 13:
            raise GaveUpError

    target = tmp_path / "film.mkv"
    with pytest.raises(GaveUpError):
        gfpvideo.restore(grainy, target, options(), on_frame=stop)
    report = gfpvideo.restore(grainy, target, options(resume=True))
    assert (report.resumed, report.pictures) == (8, FRAMES)
    assert planes(target) == planes(at_once[0])


@pytest.mark.slow
def test_two_workers_make_the_film_of_one(grainy: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    report = gfpvideo.restore(grainy, target, options(workers=2))
    assert planes(target) == planes(at_once[0])
    assert (report.frames, report.pictures) == (FRAMES, FRAMES)


def test_with_tracks_of_a_file_cuts_are_seen_all_the_same(
    grainy: Path, at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    nobody = tmp_path / "tracks.json"
    Tracks(placement="landmarks", width=WIDTH, height=HEIGHT, tracks=[]).write(nobody)
    gfpvideo.restore(grainy, tmp_path / "film.mkv", options(tracks=nobody))
    assert planes(tmp_path / "film.mkv") == planes(at_once[0])


def test_the_gathered_picture_is_enlarged(grainy: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    gfpvideo.restore(grainy, tmp_path / "large.mkv", options(upscale=2))
    later = options(around="crop", upscale=2)
    gfpvideo.restore(at_once[0], tmp_path / "later.mkv", later)
    assert planes(tmp_path / "large.mkv") == planes(tmp_path / "later.mkv")


def test_a_comparison_shows_the_decoders_picture_beside_it(
    grainy: Path, at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    gfpvideo.restore(grainy, tmp_path / "both.mkv", options(compare="side"))
    for both, old, new in zip(luma(tmp_path / "both.mkv"), luma(grainy), luma(at_once[0]), strict=True):
        halves = both.reshape(HEIGHT, 2 * WIDTH)
        assert np.array_equal(halves[:, :WIDTH].ravel(), old)
        assert np.array_equal(halves[:, WIDTH:].ravel(), new)
