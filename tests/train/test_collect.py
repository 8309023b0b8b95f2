"""`gfpvideo align`: aligned faces out of photographs and films."""

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data
from typer.testing import CliRunner

import helpers
from gfpvideo.cli import app
from gfpvideo.frames import Crop
from gfpvideo.networks.landmarks import installed_landmarks
from gfpvideo.train.collect import Selection, sharpest, sharpness
from gfpvideo.train.data import COMPONENT_FILE, boxes_in, load_faces


def crop_of(picture: np.ndarray, track: int) -> Crop:
    return helpers.crop_of(picture.astype(np.float32), track)


@pytest.mark.slow
def test_a_folder_of_photographs_and_films_becomes_training_data(film: Path, tmp_path: Path) -> None:
    """Looked for in the result, the eyes and the mouth lie where the boxes say; training reads both."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    photo = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    assert cv2.imwrite(str(source / "photo.png"), photo)
    (source / film.name).write_bytes(film.read_bytes())
    (source / "notes.txt").write_text("nothing to see")
    arguments = ["align", str(source), "-o", str(target), "--size", "128", "--per-track", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "notes.txt: not a film" in result.stderr
    assert "3 faces, 0 too small, 1 files skipped" in result.stdout
    boxes = json.loads((target / COMPONENT_FILE).read_text())["boxes"]
    assert sorted(boxes) == ["home_movie-001.png", "home_movie-002.png", "photo-001.png"]
    network = installed_landmarks()
    for name, box in boxes.items():
        picture = cv2.imread(str(target / name))
        assert picture is not None
        assert picture.shape == (128, 128, 3)
        assert np.abs(np.array(box) - boxes_in(np.asarray(picture[..., ::-1], np.uint8), network)).max() < 4
    faces = load_faces(target, 64)
    assert np.allclose(faces.boxes[0], (np.array(boxes["home_movie-001.png"]) + 0.5) / 2 - 0.5)


@pytest.mark.slow
def test_files_that_differ_in_their_suffix_alone_keep_their_faces(tmp_path: Path) -> None:
    """As telephones write them; and a film without a picture that can be decoded is left out."""
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    photo = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    for name in ("IMG_1.png", "IMG_1.jpg", "IMG_2.png"):
        assert cv2.imwrite(str(source / name), photo)
    with av.open(str(source / "none.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        packet = av.Packet(b"\x00\x00\x01\xb6" + bytes(200))
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
        container.mux(packet)
    result = CliRunner().invoke(app, ["align", str(source), "-o", str(target), "--size", "128"])
    assert result.exit_code == 1, result.output
    assert f"skipped: {source / 'none.mkv'}: " in result.stderr
    boxes = json.loads((target / COMPONENT_FILE).read_text())["boxes"]
    names = ["IMG_1.jpg-001.png", "IMG_1.png-001.png", "IMG_2-001.png"]
    assert sorted(boxes) == sorted(path.name for path in target.glob("*.png")) == names


@pytest.mark.slow
def test_faces_that_are_too_small_are_counted_and_refused(film: Path, tmp_path: Path) -> None:
    arguments = ["align", str(film), "-o", str(tmp_path / "out"), "--size", "512", "--max-enlargement", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "faces were too small" in result.stderr


def test_a_folder_in_use_is_refused(film: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = CliRunner().invoke(app, ["align", str(film), "-o", str(tmp_path)])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "not empty" in result.stderr


def test_the_sharpest_crops_of_each_track_are_taken(rng: np.random.Generator) -> None:
    detail = rng.uniform(-1, 1, (64, 64, 3))
    contrasts = [0.1, 0.5, 0.2, 0.9, 0.3, 0.7]
    crops = [(Fraction(second), crop_of(detail * contrast, 1)) for second, contrast in enumerate(contrasts)]
    crops += [(Fraction(0), crop_of(detail * 0.05, 2))]
    chosen = sharpest(iter(crops), Selection(per_track=2, spacing=Fraction(1)))
    expected = [sharpness(crops[index][1]) for index in (3, 5, 6)]
    assert sorted(map(sharpness, chosen)) == sorted(expected)
    apart = sharpest(iter(crops[:6]), Selection(per_track=6, spacing=Fraction(3)))
    assert [sharpness(crop) for crop in apart] == [sharpness(crops[1][1]), sharpness(crops[3][1])]
