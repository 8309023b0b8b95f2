"""Looking before spending an hour: comparison films, previews, and choosing a person by a picture."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data
import torch

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import InputError, OptionError, StoppedError, WeightsError
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.look.preview import preview_sheet
from gfpvideo.media.compare import wipe_place
from gfpvideo.media.still import write_sheet
from gfpvideo.networks import weights
from gfpvideo.networks.arcface import ArcFace
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
def arcface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights of ArcFace that are random, under the name of the published ones."""
    torch.manual_seed(0)
    path = tmp_path / "arcface.pth"
    torch.save(ArcFace().state_dict(), path)
    known = weights.installed
    monkeypatch.setattr(
        "gfpvideo.restoration.who.installed",
        lambda name, folder=None: path if name == "arcface-resnet18" else known(name, folder),
    )


@pytest.mark.usefixtures("arcface")
def test_who_looks_like_the_reference_is_chosen(film: Path, tmp_path: Path) -> None:
    """With any weights, a face is most like itself; a limit that nothing reaches chooses nobody."""
    reference = tmp_path / "person.png"
    write_sheet(reference, np.ascontiguousarray(decoded(film)[0][..., ::-1]))
    report = gfpvideo.restore(film, tmp_path / "x.mkv", RestoreOptions.parse(PART | {"reference": reference}))
    assert report.faces == report.frames
    values = PART | {"reference": reference, "likeness": 1.0}
    with pytest.raises(InputError, match=r"nobody in the film looks like it by 1 \(the nearest has 0\.9"):
        gfpvideo.restore(film, tmp_path / "y.mkv", RestoreOptions.parse(values))
    wall = tmp_path / "wall.png"
    write_sheet(wall, np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(InputError, match="no face was found; give a picture that shows"):
        gfpvideo.restore(film, tmp_path / "y.mkv", RestoreOptions.parse(PART | {"reference": wall}))
    assert not (tmp_path / "y.mkv").exists()


@pytest.mark.usefixtures("arcface")
def test_the_pass_for_a_reference_is_told_and_stops(film: Path, tmp_path: Path) -> None:
    reference = tmp_path / "person.png"
    write_sheet(reference, np.ascontiguousarray(decoded(film)[0][..., ::-1]))
    job = Job(film, tmp_path / "x.mkv", RestoreOptions.parse(PART | {"reference": reference}))
    told = []

    def run() -> None:
        for event in job.run():
            if isinstance(event, Following):
                told.append(event.done)
            if len(told) == 3:
                job.stop()

    with pytest.raises(StoppedError, match="looking for the person"):
        run()
    assert told == [1, 2, 3]
    assert not (tmp_path / "x.mkv").exists()


def test_different_faces_have_different_vectors(film: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, finder = ArcFace().eval(), Finder(make_detector("centerface", 0.3))
    picture = decoded(film)[0][..., ::-1].copy()
    paths = [tmp_path / name for name in ("one.png", "mirrored.png")]
    for path, shown in zip(paths, (picture, picture[:, ::-1].copy()), strict=True):
        write_sheet(path, shown)
    one, other = (who.embed(network, who.portrait(path, finder, RestoreOptions())[None]) for path in paths)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert float(one @ other) < 0.9999


def test_a_reference_needs_its_weights(film: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="gfpvideo weights get arcface-resnet18"):
        gfpvideo.restore(film, tmp_path / "x.mkv", RestoreOptions.parse({"reference": film}))
    with pytest.raises(OptionError, match="give one"):
        RestoreOptions.parse({"reference": "person.jpg", "only": "1"})
