"""A box of films and photographs: who is in it, and one restoration of whom one chooses."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.errors import EngineError, InputError, StoppedError
from gfpvideo.media.still import write_sheet
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.album import FOLDER, Album, Seen, people
from helpers import write_film
from quick import QUICK, QUICK_ARGUMENTS

pytest.importorskip("dlib")
OPTIONS = RestoreOptions.parse(QUICK | {"adapt": False})
SHOWN = np.ascontiguousarray(skimage.data.astronaut()[0:240, 100:340])
RUNNER = CliRunner()


def album_of(folder: Path, options: RestoreOptions = OPTIONS) -> Album:
    return Album(folder, options, Event())


def looked_through(folder: Path) -> Album:
    album = album_of(folder)
    list(album.look())
    return album


def shifted(by: int) -> np.ndarray:
    return np.ascontiguousarray(np.roll(SHOWN, by, axis=1))


@pytest.fixture
def box(tmp_path: Path, aligned_faces: Path) -> Path:
    """One person in a film and a photograph, another one in a photograph, a wall, and a broken reel."""
    folder = tmp_path / "box"
    folder.mkdir()
    write_film(folder / "beach.mkv", [shifted(frame) for frame in range(6)])
    write_film(folder / "wall.mkv", [np.full((96, 96, 3), 90, np.uint8)] * 4)
    write_sheet(folder / "anna.png", np.ascontiguousarray(shifted(9)[..., ::-1]))
    shutil.copy(aligned_faces / "950.jpg", folder / "berta.jpg")
    (folder / "broken.mp4").write_bytes(b"no film" * 100)
    return folder


def test_people_are_found_over_all_files(box: Path) -> None:
    album = looked_through(box)
    first, second = album.people()
    assert {path.name for path in first.where} == {"beach.mkv", "anna.png"}
    assert (first.number, first.frames) == (1, 7)
    assert [path.name for path in second.where] == ["berta.jpg"]
    (warning,) = album.warnings
    assert warning.startswith("skipped: ")
    assert "broken.mp4" in warning


@pytest.mark.logs_errors
def test_what_a_library_stumbles_over_ends_no_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_: Path) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("gfpvideo.restoration.album.read_picture", stumble)
    write_sheet(tmp_path / "anna.png", SHOWN)
    album = looked_through(tmp_path)
    (warning,) = album.warnings
    assert warning.startswith(f"skipped: {tmp_path / 'anna.png'}: RuntimeError: odd")


@pytest.mark.slow
def test_what_was_looked_through_is_not_looked_through_again(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (box / "broken.mp4").unlink()
    before = looked_through(box).people()
    read: list[str] = []
    known = Album._tracks

    def tracks(self: Album, path: Path, *others: Any) -> Any:
        read.append(path.name)
        return known(self, path, *others)

    monkeypatch.setattr(Album, "_tracks", tracks)
    assert looked_through(box).people() == before
    assert read == []
    write_sheet(box / "anna.png", SHOWN[..., ::-1].copy())
    looked_through(box)
    assert read == ["anna.png"]
    list(album_of(box, OPTIONS.model_copy(update={"min_score": 0.4})).look())
    assert sorted(read[1:]) == ["anna.png", "beach.mkv", "berta.jpg", "wall.mkv"]


@pytest.mark.slow
def test_only_the_chosen_are_restored_and_the_rest_is_named(box: Path, tmp_path: Path) -> None:
    """An option for films alone is left out for a photograph, as in any folder."""
    album, report, target = (
        album_of(box, OPTIONS.model_copy(update={"steady": 6})),
        Report("", ""),
        tmp_path / "restored",
    )
    list(album.look())
    list(album.restore(album.people()[:1], target, report))
    assert sorted(path.name for path in target.iterdir()) == ["anna.png", "beach.mkv"]
    assert sum(piece.faces for piece in report.pieces) == 7
    left_out = [warning for warning in report.warnings if "left out" in warning]
    assert sorted(Path(warning.split(":")[0]).name for warning in left_out) == ["berta.jpg", "wall.mkv"]


@pytest.mark.slow
def test_the_command_shows_everybody_and_restores_by_number(box: Path, tmp_path: Path) -> None:
    (box / "broken.mp4").unlink()
    flags = ["--no-adapt", "--quiet", *QUICK_ARGUMENTS]
    shown = RUNNER.invoke(app, ["album", str(box), *flags])
    assert shown.exit_code == 0, shown.output
    assert "person 1: 7 frames in 2 of the files (anna.png, beach.mkv)" in shown.output
    picture = cv2.imread(str(tmp_path / "box.people.png"))
    assert picture is not None
    assert picture.shape == (2 * 178, 900, 3)
    listed = json.loads(RUNNER.invoke(app, ["album", str(box), "--json", *flags]).stdout)
    assert [each["person"] for each in listed] == [1, 2]
    done = RUNNER.invoke(app, ["album", str(box), "--restore", "2", "-o", str(tmp_path / "out"), *flags])
    assert done.exit_code == 1, done.output  # three files show nobody who was chosen
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["berta.jpg"]
    wall = tmp_path / "wall"
    wall.mkdir()
    shutil.copy(box / "wall.mkv", wall)
    for folder, wrong, words in (
        (box, ["--restore", "7", "-o", "x"], "no person 7"),
        (box, ["--restore", "1"], "give both"),
        (box, ["--restore", ",", "-o", "x"], "give the numbers of people, or all"),
        (wall, ["--restore", "all", "-o", "x"], "there is nobody to restore"),
    ):
        refused = RUNNER.invoke(app, ["album", str(folder), *wrong, *flags])
        assert (refused.exit_code, words in refused.output) == (2, True), refused.output


def test_a_folder_of_nothing_and_a_missing_recogniser_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="holds no films, and no pictures"):
        looked_through(tmp_path)
    write_sheet(tmp_path / "anna.png", SHOWN)
    monkeypatch.setattr("gfpvideo.networks.likeness.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"gfpvideo\[likeness\]"):
        looked_through(tmp_path)


def test_who_stops_keeps_what_was_seen(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_sheet(tmp_path / name, np.ascontiguousarray(SHOWN[..., ::-1]))
    album = album_of(tmp_path)

    def look() -> None:
        for _ in album.look():
            if (tmp_path / FOLDER / "a.png.json").exists():
                album.stop.set()

    with pytest.raises(StoppedError, match="looking for people"):
        look()
    assert len(looked_through(tmp_path).people()) == 1


def test_people_are_told_apart_by_their_vectors_alone() -> None:
    def seen(track: int, place: float, frames: int) -> Seen:
        return Seen(track=track, frames=frames, vector=[place, 0.0], picture=b"")

    found = people({Path("a"): [seen(1, 0.0, 5), seen(2, 2.0, 9)], Path("b"): [seen(1, 0.2, 3), seen(4, 5.0, 1)]})
    grouped = [{path.name: [each.track for each in tracks] for path, tracks in one.where.items()} for one in found]
    assert grouped == [{"a": [2]}, {"a": [1], "b": [1]}, {"b": [4]}]
    assert people({}) == []
    assert [one.number for one in people({Path("a"): [seen(1, 0.0, 1)]})] == [1]


@pytest.mark.slow
def test_twenty_files_with_kills_in_between(tmp_path: Path) -> None:
    """Nothing is lost, and nothing that was looked through, or restored, is done twice."""
    box, target = tmp_path / "box", tmp_path / "restored"
    box.mkdir()
    for number in range(16):
        write_sheet(box / f"photo {number:02}.png", np.ascontiguousarray(shifted(number)[..., ::-1]))
    for number in range(4):
        write_film(box / f"film {number}.mkv", [shifted(number + frame) for frame in range(8)])
    flags = ["--no-adapt", "-q", *QUICK_ARGUMENTS]
    command = [sys.executable, "-m", "gfpvideo", "album", str(box), "--restore", "1", "-o", str(target), *flags]
    chance, kept, kills = random.Random(0), {}, 0
    while True:
        process = subprocess.Popen(command)
        try:
            assert process.wait(chance.uniform(2.0, 6.0) + 1.5 * kills) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        there = [*(box / FOLDER).glob("*.json"), *target.glob("*.png"), *target.glob("*.mkv")]
        # What a kill left half written begins with a dot; the next run clears it away.
        now = {path: path.stat().st_mtime_ns for path in there if not path.name.startswith(".")}
        assert all(now[path] == date for path, date in kept.items())
        kept = now
        time.sleep(0.1)
    assert kills
    assert len(list((box / FOLDER).glob("*.json"))) == 20
    assert {path.name for path in target.iterdir()} == {path.name for path in box.iterdir() if path.is_file()}
    assert all(path.stat().st_mtime_ns == date for path, date in kept.items())
