"""`gfpvideo inspect`, and restoring the faces that somebody chose."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import InputError
from gfpvideo.faces.align import template
from gfpvideo.faces.choose import choose
from gfpvideo.faces.tracks_file import Tracks
from gfpvideo.frames import Face, Samples, TrackedFrame
from gfpvideo.options.timecode import timecode
from gfpvideo.pixels.geometry import similarity_transform
from gfpvideo.pixels.patches import window
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.run import Job
from helpers import assert_same, facts, frame_of
from quick import QUICK


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def tracks(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    code, table, _ = run("inspect", film, "--tracks", folder / "tracks.json", "--sheet", folder / "faces.png")
    assert code == 0
    assert table.split()[:3] == ["1", "shot", "1"]
    sheet = cv2.imread(str(folder / "faces.png"))
    assert sheet is not None
    assert sheet.shape == (160, 300 + 6 * 160, 3)
    before, after = sheet[:, 300:460].astype(int), sheet[:, 460:620].astype(int)
    assert 1 < np.abs(before - after).mean() < 40
    return folder / "tracks.json"


@pytest.mark.slow
def test_recorded_tracks_restore_as_detected_ones(film: Path, tracks: Path, tmp_path: Path) -> None:
    """The same film comes out, sample by sample, whether faces are detected or read from the file."""
    lossless = ("--codec", "ffv1", "--quiet", "--model", QUICK["model"], "--no-guard")
    assert run("restore", film, "-o", tmp_path / "found.mkv", *lossless)[0] == 0
    assert run("restore", film, "-o", tmp_path / "read.mkv", "--tracks", tracks, *lossless)[0] == 0
    found, read = (facts(tmp_path / name, planes=True) for name in ("found.mkv", "read.mkv"))
    assert len(found.planes) == 90
    assert found.planes == read.planes
    assert found.planes != facts(film, planes=True).planes


@pytest.mark.slow
def test_the_sheet_shows_faces_as_the_film_will(film: Path, tmp_path: Path) -> None:
    """Not the generator's guess for each crop by itself, which is sharper than what is gathered, believed, steadied."""
    options = RestoreOptions(end=Fraction(1), **QUICK)
    job = Job(film, options=options)
    shown = {moment.index: moment.after for moment in job.moments_of(job.inspect(), 3, 96)}
    assert len(shown) == 3
    target, made = template(96, job.parts.landmarks_512), {}

    def note(done: FrameDone) -> None:
        (face,) = done.restored.faces
        made[done.restored.frame.index] = window(done.restored, similarity_transform(face.landmarks, target), (96, 96))

    gfpvideo.restore(film, tmp_path / "film.mkv", options, on_frame=note)
    for index, picture in shown.items():
        assert_same(picture, made[index], "alike")


@pytest.mark.slow
def test_tracks_are_those_of_a_restoration_with_the_same_options(film: Path, tmp_path: Path) -> None:
    """Filters, the part and how faces are followed decide who bears which number, and where."""
    pipeline = tmp_path / "mine.toml"
    pipeline.write_text(
        'description = "a"\n[before]\nfilters = ["hflip"]\n[follow]\nlag = 1\nmax_gap = 0\n[write]\ncodec = "ffv1"\n'
    )
    same = ("--pipeline", pipeline, "--start", "0.4", "--end", "0.9", "--detect-every", "1", "--model", QUICK["model"])
    assert run("inspect", film, "--tracks", tmp_path / "tracks.json", *same)[0] == 0
    quietly = (*same, "--no-guard", "--quiet")
    assert run("restore", film, "-o", tmp_path / "found.mkv", *quietly)[0] == 0
    assert run("restore", film, "-o", tmp_path / "read.mkv", "--tracks", tmp_path / "tracks.json", *quietly)[0] == 0
    found, read = (facts(tmp_path / name, planes=True).planes for name in ("found.mkv", "read.mkv"))
    assert len(found) == 9
    assert found == read
    strength = ("--strength", "0")
    assert run("restore", film, "-o", tmp_path / "plain.mkv", *quietly, *strength)[0] == 0
    assert found != facts(tmp_path / "plain.mkv", planes=True).planes


@pytest.mark.slow
@pytest.mark.parametrize("way", ["edited", "--skip", "--only"])
def test_tracks_that_are_not_wanted_stay_as_they_are(way: str, film: Path, tracks: Path, tmp_path: Path) -> None:
    arguments: list[object] = {"edited": [], "--skip": ["--skip", "1"], "--only": ["--only", "2"]}[way]
    edited = None
    if way == "edited":
        content = json.loads(tracks.read_text())
        content["tracks"][0]["restore"] = False
        edited = tmp_path / "edited.json"
        edited.write_text(json.dumps(content))
        arguments = ["--tracks", edited]
    target = tmp_path / "restored.mkv"
    code, summary, errors = run("restore", film, "-o", target, "--codec", "ffv1", *arguments)
    assert code == ("warning: track 2 never occurs: there is track 1" in errors) == (way == "--only")
    told = f"{edited} holds no face that is to be restored" if edited else "(track 1) was chosen"
    assert "why none  " in summary
    assert told in summary
    assert facts(target, planes=True).planes == facts(film, planes=True).planes


@pytest.mark.slow
def test_wrong_files_are_refused_in_one_line(film: Path, tape: Path, tracks: Path, tmp_path: Path) -> None:
    content = json.loads(tracks.read_text())
    cases = {
        "missing.json": (None, "cannot be read"),
        "text.json": ("hello", "not a file of tracks"),
        "future.json": (json.dumps(content | {"version": 3}), "version"),
        "short.json": (json.dumps(content | {"tracks": [content["tracks"][0] | {"frames": {"0": [1, 2]}}]}), "frames"),
        "other.json": (json.dumps(content | {"placement": "retinaface"}), "--detector retinaface --no-refine"),
        "size.json": (json.dumps(content | {"width": 10}), "10x"),
    }
    for name, (text, words) in cases.items():
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        code, _, error = run("restore", film, "-o", tmp_path / "no.mkv", "--tracks", path, "--quiet")
        assert (code, error.count("\n"), words in error) == (2, 1, True), error
    assert not (tmp_path / "no.mkv").exists()
    assert "option only" in run("restore", film, "--only", "one")[2]


def test_the_largest_faces_are_kept_in_their_order() -> None:
    frame = frame_of([np.zeros((8, 8), np.uint8)] * 3, Samples("rgb", 8))
    shape = np.array([[0, 0], [10, 0], [5, 5], [1, 10], [9, 10]], float)
    faces = tuple(Face(number, shape * size, filled=False) for number, size in ((1, 2.0), (2, 1.0), (3, 3.0), (4, 2.5)))
    whole = TrackedFrame(frame, faces)

    def kept(only: tuple[int, ...] = (), skip: tuple[int, ...] = (), most: int | None = None) -> list[int]:
        (chosen,) = choose(iter([whole]), only, skip, most)
        return [face.track for face in chosen.faces]

    assert kept() == [1, 2, 3, 4]
    assert kept(most=2) == [3, 4]
    assert kept(skip=(3,), most=2) == [1, 4]
    assert kept(only=(2, 9)) == [2]


def test_timecodes() -> None:
    assert timecode(Fraction(0)) == "0:00:00.000"
    assert timecode(Fraction(3_723_456, 1000)) == "1:02:03.456"
    assert timecode(Fraction(-1, 3)) == "-0:00:00.333"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["version", "tracks", "frames", "placement", "id", "0"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.binary(max_size=80), JSON.map(lambda value: json.dumps(value).encode())))
def test_a_tracks_file_of_anything_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "tracks.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a file of tracks") as refused:
        Tracks.read(path)
    assert str(refused.value).isprintable()


FACE = [10, 10, 30, 10, 20, 20, 12, 30, 28, 30]


@pytest.mark.parametrize(
    ("tracks", "words"),
    [
        ([(3, FACE), (3, FACE)], "track 3 is there twice: give each an id of its own"),
        ([(3, [7.0] * 10)], "the five landmarks of a face must not coincide"),
    ],
)
def test_tracks_that_make_no_sense_are_refused_in_one_line(
    film: Path, tmp_path: Path, tracks: list[tuple[int, list[float]]], words: str
) -> None:
    records = [{"id": number, "shot": 1, "frames": {"0": points}} for number, points in tracks]
    content = {"version": 2, "placement": "landmarks", "width": 640, "height": 480, "tracks": records}
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=words) as refused:
        gfpvideo.restore(film, tmp_path / "out.mkv", RestoreOptions(tracks=path, **QUICK))
    assert str(refused.value).isprintable()
    assert not (tmp_path / "out.mkv").exists()
