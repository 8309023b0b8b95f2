"""Looking before spending an hour: comparison films, previews, and choosing a person by a picture."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, InputError, OptionError, StoppedError
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.look.preview import preview_sheet
from gfpvideo.media.compare import wipe_place
from gfpvideo.media.still import write_sheet
from gfpvideo.networks.likeness import Recogniser, likeness, picture_of
from gfpvideo.options.restore import Comparison
from gfpvideo.restoration import who
from gfpvideo.restoration.events import Following
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.run import Job
from helpers import facts, write_film
from quick import QUICK

PART = QUICK | {"codec": "ffv1", "end": "0.5"}


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def restored(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The first frames of a film, before and after."""
    target = tmp_path_factory.mktemp("plain") / "plain.mkv"
    gfpvideo.restore(film, target, RestoreOptions.parse(PART))
    after = decoded(target)
    return decoded(film)[: len(after)], after


@pytest.mark.parametrize("how", ["side", "split", "wipe"])
def test_a_comparison_shows_source_and_restoration(
    how: Comparison, restored: tuple[list[np.ndarray], list[np.ndarray]], film: Path, tmp_path: Path
) -> None:
    target = tmp_path / "compared.mkv"
    report = gfpvideo.restore(film, target, RestoreOptions.parse(PART | {"compare": how}))
    frames = decoded(target)
    assert report.faces == len(frames) == len(restored[0])
    times = zip(facts(target).intervals, facts(film).intervals[: len(frames)], strict=True)
    assert all(abs(a - b) <= Fraction(1, 1000) for a, b in times)
    for index, (shown, before, after) in enumerate(zip(frames, *restored, strict=True)):
        width = before.shape[1]
        border = width
        if how != "side":
            share = Fraction(1, 2) if how == "split" else wipe_place(facts(film).intervals[index])
            border = int(share * width) // 2 * 2
        left, right = max(0, border - 4), border + 8
        assert np.array_equal(shown[:, :left], before[:, :left])
        rest = shown[:, width:] if how == "side" else shown[:, right:]
        assert np.array_equal(rest, after if how == "side" else after[:, right:])


def test_a_turned_film_is_divided_as_it_is_seen(tmp_path: Path) -> None:
    """Stored lying on its side, the two pictures stand one above the other in storage: side by side for the viewer."""
    frame = np.full((64, 96, 3), 90, np.uint8)
    upright = write_film(tmp_path / "upright.mp4", [frame] * 3, codec="libx264")
    turned = tmp_path / "turned.mp4"
    with av.open(str(upright)) as old, av.open(str(turned), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.set_display_matrix((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    for how, size in (("side", (96, 128)), ("split", (96, 64))):
        target = tmp_path / f"{how}.mp4"
        gfpvideo.restore(turned, target, RestoreOptions.parse({"compare": how}))
        first = facts(target).first
        assert (first.width, first.height) == size


def test_a_wipe_wanders_to_and_fro() -> None:
    assert [wipe_place(Fraction(second)) for second in (0, 3, 6)] == [0, 1, 0]
    assert wipe_place(Fraction(3, 2)) == wipe_place(Fraction(9, 2)) == Fraction(1, 2)


@pytest.mark.slow
def test_a_preview_has_a_column_for_each_shot_with_a_face(tmp_path: Path) -> None:
    face = np.asarray(cv2.GaussianBlur(skimage.data.astronaut()[0:240, 80:320], (0, 0), 2), np.uint8)
    other = np.ascontiguousarray(255 - face[::-1])
    film = write_film(tmp_path / "film.mkv", [*[face] * 20, *[other] * 20, *[face[:, ::-1].copy()] * 20])
    sheet = tmp_path / "sheet.png"
    moments = Job(film).preview()
    assert [moment.track for moment in moments] == [1, 2]
    write_sheet(sheet, preview_sheet(moments))
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[1] == 2 * 320
    before, after = picture[28:348].astype(int), picture[348:].astype(int)
    assert before.shape == after.shape
    for column in np.split(np.abs(after - before), 2, axis=1):
        assert column[100:220, 100:220].mean() > 1.5
    wall = write_film(tmp_path / "wall.mkv", [np.full((64, 64, 3), 90, np.uint8)] * 5)
    with pytest.raises(InputError, match="no face was found"):
        Job(wall).preview()


@pytest.fixture
def anna(film: Path, tmp_path: Path) -> Path:
    """A picture of who is in the film."""
    pytest.importorskip("dlib")
    picture = tmp_path / "anna.png"
    write_sheet(picture, np.ascontiguousarray(decoded(film)[0][..., ::-1]))
    return picture


@pytest.mark.slow
def test_who_is_the_person_is_chosen(film: Path, anna: Path, tmp_path: Path) -> None:
    """A limit that nothing reaches chooses nobody; a wall is no person."""
    report = gfpvideo.restore(film, tmp_path / "x.mkv", RestoreOptions.parse(PART | {"person": [anna]}))
    assert report.faces == report.frames
    values = PART | {"person": [anna], "likeness": 1.0}
    with pytest.raises(InputError, match=r"anna.png: nobody in the film is that alike by 1 \(the nearest has 0\."):
        gfpvideo.restore(film, tmp_path / "y.mkv", RestoreOptions.parse(values))
    wall = tmp_path / "wall.png"
    write_sheet(wall, np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(InputError, match="no face was found; give a picture that shows"):
        gfpvideo.restore(film, tmp_path / "y.mkv", RestoreOptions.parse(PART | {"person": [anna, wall]}))
    assert not (tmp_path / "y.mkv").exists()


@pytest.mark.slow
def test_of_two_people_the_one_in_the_picture_is_restored(
    film: Path, anna: Path, aligned_faces: Path, tmp_path: Path
) -> None:
    stranger = np.asarray(cv2.resize(np.asarray(cv2.imread(str(aligned_faces / "950.jpg"))), (360, 360)), np.uint8)
    stranger = stranger[..., ::-1]
    both = [np.ascontiguousarray(np.hstack([frame[:360], stranger])) for frame in decoded(film)[:8]]
    source, other = write_film(tmp_path / "both.mkv", both), tmp_path / "other.png"
    write_sheet(other, np.ascontiguousarray(stranger[..., ::-1]))
    for persons, count in (([anna], 1), ([other], 1), ([other, anna], 2)):
        values = QUICK | {"codec": "ffv1", "person": persons, "overwrite": True, "adapt": False}
        report = gfpvideo.restore(source, tmp_path / "x.mkv", RestoreOptions.parse(values))
        assert report.faces == count * report.frames
    gfpvideo.restore(source, tmp_path / "x.mkv", RestoreOptions.parse(values | {"person": [anna]}))
    for before, after in zip(both, decoded(tmp_path / "x.mkv"), strict=True):
        changed = np.abs(after.astype(int) - before).mean(axis=(0, 2))
        assert changed[:480].max() > 2 * changed[500:].max()


@pytest.mark.slow
def test_strangers_are_less_alike_than_one_person_in_bad_pictures(anna: Path, aligned_faces: Path) -> None:
    finder, recogniser = Finder(make_detector("centerface", 0.3)), Recogniser()
    clean = recogniser([picture_of(who.portrait(anna, finder, RestoreOptions()))])
    small = cv2.resize(who.portrait(anna, finder, RestoreOptions()), (64, 64), interpolation=cv2.INTER_AREA)
    noisy = small + np.random.default_rng(0).normal(0, 0.08, small.shape).astype(np.float32)
    again = recogniser([picture_of(np.asarray(cv2.resize(noisy, (256, 256)), np.float32))])
    paths = [aligned_faces / f"{number}.jpg" for number in range(901, 913)]
    strangers = [recogniser([picture_of(who.portrait(path, finder, RestoreOptions()))]) for path in paths]
    assert likeness(clean, clean) == 1
    assert likeness(clean, again) > 0.5 > max(likeness(clean, stranger) for stranger in strangers)


def test_the_pass_for_a_person_is_told_and_stops(film: Path, anna: Path, tmp_path: Path) -> None:
    job = Job(film, tmp_path / "x.mkv", RestoreOptions.parse(PART | {"person": [anna]}))
    told = []

    def run() -> None:
        for event in job.run():
            if isinstance(event, Following):
                told.append(event.done)
            if len(told) == 3:
                job.stop()

    with pytest.raises(StoppedError, match="looking for people"):
        run()
    assert told == [1, 2, 3]
    assert not (tmp_path / "x.mkv").exists()


def test_a_person_needs_the_recogniser(film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gfpvideo.networks.likeness.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r'dlib-bin, face-recognition-models .* pip install "gfpvideo\[likeness\]"'):
        gfpvideo.restore(film, tmp_path / "x.mkv", RestoreOptions.parse({"person": [film]}))
    with pytest.raises(OptionError, match="give one"):
        RestoreOptions.parse({"person": ["person.jpg"], "only": "1"})
