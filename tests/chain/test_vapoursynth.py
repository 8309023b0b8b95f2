"""The VapourSynth filter on the real core; needs Python 3.12 with vapoursynth and vapoursynth-bestsource."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfpvideo
from aged_films import aged
from conftest import ROOT
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError
from gfpvideo.faces.tracks_file import Tracks
from gfpvideo.frames import Patch, Rect, RestoredFrame, Samples
from gfpvideo.options.pipelines import pipeline_names
from helpers import frame_of, psnr, smooth_picture, write_film
from quick import QUICK

vs: Any = pytest.importorskip("vapoursynth")
from gfpvideo.vapoursynth import _apply, _changes, _frame, restore_faces  # noqa: E402

CORE = vs.core
if not hasattr(CORE, "bs"):
    pytest.skip("vapoursynth-bestsource is not installed", allow_module_level=True)

Planes = list[NDArray[Any]]


def planes(frame: Any) -> Planes:
    return [np.asarray(frame[plane]).copy() for plane in range(frame.format.num_planes)]


def same(one: Planes, other: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def clip(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return CORE.bs.VideoSource(str(film), cachepath=str(tmp_path_factory.mktemp("index") / "film"))[:48]


@pytest.fixture(scope="module")
def restored(clip: Any) -> Any:
    return restore_faces(clip, model="compact")


@pytest.fixture(scope="module")
def linear(restored: Any) -> list[Planes]:
    return [planes(frame) for frame in restored.frames()]


def test_pixels_are_those_of_the_command_line(film: Path, restored: Any, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    whole = CORE.bs.VideoSource(str(film), cachepath=str(tmp_path / "whole"))
    report = gfpvideo.restore(film, target, RestoreOptions(model="compact", codec="ffv1"))
    expected = CORE.bs.VideoSource(str(target), cachepath=str(tmp_path / "index"))
    found = restore_faces(whole, model="compact")
    assert found.num_frames == expected.num_frames == report.frames
    faces = 0
    for one, other in zip(found.frames(), expected.frames(), strict=True):
        assert same(planes(one), planes(other))
        faces += one.props["GfpvideoFaces"]
    assert faces == report.faces > 0


def test_format_length_and_properties_stay(clip: Any, restored: Any) -> None:
    assert (restored.format.id, restored.num_frames, restored.fps) == (clip.format.id, clip.num_frames, clip.fps)
    before, after = dict(clip.get_frame(20).props), dict(restored.get_frame(20).props)
    assert after.pop("GfpvideoFaces") == 1
    assert before == after


def test_the_order_of_requests_means_nothing(restored: Any, linear: list[Planes]) -> None:
    for index in np.random.default_rng(4).permutation(48)[:8]:
        assert same(planes(restored.get_frame(int(index))), linear[index])
    for index in (47, 46, 45, 0, 1, 47):
        assert same(planes(restored.get_frame(index)), linear[index])


def test_many_requests_at_once_are_all_answered(clip: Any, linear: list[Planes]) -> None:
    """As an editor does when somebody drags the slider."""
    fresh = restore_faces(clip, model="compact")
    wanted = np.random.default_rng(5).integers(0, 48, 24).tolist()
    futures = [fresh.get_frame_async(index) for index in wanted]
    for index, future in zip(wanted, futures, strict=True):
        assert same(planes(future.result()), linear[index])


@pytest.mark.parametrize(
    "name",
    [
        *("YUV444P16", "YUV422P10", "YUV411P8", "YUV420P14", "YUV444PS", "YUV420PS", "YUV444PH"),
        *("GRAY8", "GRAY16", "GRAYS", "RGB24", "RGB48", "RGBS", "RGBH"),
    ],
)
def test_formats(name: str, clip: Any) -> None:
    """Each comes back as it was, changed on the face and nowhere else; all agree on what a face looks like."""
    wanted = getattr(vs, name)
    family = CORE.get_video_format(wanted).color_family
    matrix = {} if family == vs.RGB else {"matrix": 6}
    source = CORE.resize.Bicubic(clip[:12], format=wanted, matrix_in=6, **matrix)
    found = restore_faces(source, model="compact")
    assert found.format.id == wanted
    before, after = source.get_frame(6), found.get_frame(6)
    assert after.props["GfpvideoFaces"] == 1
    changed = [np.argwhere(one != other) for one, other in zip(planes(before), planes(after), strict=True)]
    assert len(changed[0]) > 2000
    height, width = np.asarray(before[0]).shape
    inside = changed[0].max(axis=0) - changed[0].min(axis=0)
    assert (inside < (0.9 * height, 0.9 * width)).all()
    reference = restore_faces(CORE.resize.Bicubic(clip[:12], format=vs.RGB24, matrix_in=6), model="compact")
    to_gray = {"format": vs.GRAY8, "matrix": 6}
    one = CORE.resize.Bicubic(found, **to_gray).get_frame(6)
    other = CORE.resize.Bicubic(reference, **to_gray).get_frame(6)
    assert psnr(planes(one)[0], planes(other)[0]) > 34


def test_faces_that_overlap_change_a_floating_picture_once() -> None:
    """A patch holds those before it as well: samples that are added to would get the first one's change twice."""
    whole = [np.full((10, 10), 20_000, np.uint16)] * 3
    once = [np.full((6, 6), 30_000, np.uint16)] * 3
    twice = [np.full((6, 6), 25_000, np.uint16) for _ in range(3)]
    for plane in twice:
        plane[:3, :3] += 10_000
    frame = frame_of(whole, Samples("rgb", 16, full_range=True))
    patches = (Patch(1, Rect(0, 0, 6, 6), tuple(once)), Patch(2, Rect(3, 3, 9, 9), tuple(twice)))
    integers, floats = (np.asarray(whole[0]).astype(kind) for kind in (np.uint16, np.float32))
    floats /= 65_535
    for change in _changes(RestoredFrame(frame, patches)):
        if change.plane == 0:
            for target in (integers, floats):
                _apply(target[change.window], change)
    assert sorted(set(integers.ravel().tolist())) == [20_000, 25_000, 30_000, 35_000]
    assert np.abs(floats * 65_535 - integers).max() < 1


@pytest.mark.parametrize(
    ("location", "place"),
    [(None, (0, 0.5)), (0, (0, 0.5)), (1, (0.5, 0.5)), (2, (0, 0)), (3, (0.5, 0)), (4, (0, 1)), (5, (0.5, 1))],
)
def test_chroma_lies_where_the_clip_says(location: int | None, place: tuple[float, float], clip: Any) -> None:
    plain = clip.std.RemoveFrameProps("_ChromaLocation")
    told = plain if location is None else plain.std.SetFrameProps(_ChromaLocation=location)
    assert _frame(0, told.get_frame(0)).samples.siting == place


def test_tracks_of_a_file_are_taken(film: Path, clip: Any, linear: list[Planes], tmp_path: Path) -> None:
    tracks = tmp_path / "tracks.json"
    command = [sys.executable, "-m", "gfpvideo", "inspect", str(film), "--tracks", str(tracks)]
    subprocess.run(command, check=True, capture_output=True)
    found = restore_faces(clip, model="compact", tracks=tracks)
    # The file was made of the whole film, so the last frames of the part may be followed a little differently.
    assert all(psnr(planes(found.get_frame(index))[0], linear[index][0]) > 40 for index in (0, 10, 20))
    assert found.get_frame(10).props["GfpvideoFaces"] == 1


@pytest.mark.parametrize("tracked", [False, True])
def test_whole_pictures_are_those_of_the_command_line(tracked: bool, rng: np.random.Generator, tmp_path: Path) -> None:
    """In any order, those beside a cut as well, and where the faces are a file's (here none)."""
    options: dict[str, Any] = {"around": "picture", **QUICK}
    if tracked:
        options["tracks"] = tmp_path / "tracks.json"
        Tracks(placement="landmarks", width=96, height=64, tracks=[]).write(options["tracks"])
    shots = [np.rint(smooth_picture(rng, 64, 96) * scale) for scale in (90, 250)]
    noisy = [shots[index >= 11] + 10 * rng.standard_normal((64, 96, 3)) for index in range(24)]
    source = write_film(tmp_path / "film.mkv", [np.clip(each, 0, 255).astype(np.uint8) for each in noisy])
    target = tmp_path / "expected.mkv"
    report = gfpvideo.restore(source, target, RestoreOptions.parse(options | {"codec": "ffv1"}))
    assert report.pictures == 24
    clips = [CORE.bs.VideoSource(str(path), cachepath=str(tmp_path / path.stem)) for path in (source, target)]
    found = restore_faces(clips[0], **options)
    for index in (17, 11, 10, 23, 0, *range(24)):
        assert same(planes(found.get_frame(index)), planes(clips[1].get_frame(index)))


def test_mistakes_are_errors_of_vapoursynth(clip: Any, tmp_path: Path) -> None:
    for values, words in (
        ({"model": "nonsense"}, "restore_faces: no model 'nonsense'"),
        ({"model": "gfpgan-1.4"}, "restore_faces: .*gfpgan-1.4"),
        ({"strength": 3.0}, "restore_faces: option strength = 3.0"),
        ({"tracks": tmp_path / "none.json"}, "restore_faces: .*the tracks cannot be read"),
        ({"codec": "ffv1"}, "restore_faces: no option 'codec'; known are detector"),
    ):
        with pytest.raises(vs.Error, match=words):
            restore_faces(clip, **values)
    fields = CORE.std.SetFieldBased(clip, 2)
    with pytest.raises(vs.Error, match="restore_faces: the clip is interlaced"):
        restore_faces(fields, model="compact")
    mixed = CORE.std.Splice([clip[:4], CORE.resize.Bicubic(clip[:4], format=vs.YUV444P8)], mismatch=True)
    with pytest.raises(vs.Error, match="restore_faces: the clip changes its format"):
        restore_faces(mixed, model="compact")
    deep = CORE.std.BlankClip(format=vs.GRAY32, length=4)
    with pytest.raises(vs.Error, match="restore_faces: Gray32 is not supported"):
        restore_faces(deep, model="compact")


def test_an_error_is_the_fitting_builtin_too(clip: Any) -> None:
    """So a script may catch it as it catches those of other functions."""
    for wrong in ({"strength": 3.0}, {"codec": "ffv1"}):
        with pytest.raises(ValueError, match=r"^gfpvideo\.restore_faces: ") as raised:
            restore_faces(clip, **wrong)
        assert isinstance(raised.value, OptionError)
        assert isinstance(raised.value, vs.Error)


OPTIONS: dict[str, dict[str, Any]] = {
    "archive": {"grain": "match"},
    "bw_film": {"grain": "match", "color": "source"},
    "dvd_interlaced": {},
    "home_movie_8mm": {"grain": "match", "steady": 4},
    "vhs": {"steady": 6},
    "webcam": {"steady": 6},
}
"""What pipelines/NAME.vpy asks of a restoration."""


def vspipe(script: Path, source: Path, target: Path, *more: str) -> Path:
    program = Path(sys.executable).with_name("vspipe")
    command = [str(program), "-c", "y4m", "-a", f"source={source}", *more, str(script), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


def unrestored(script: Path, folder: Path) -> Path:
    """The same script, with its filters alone."""
    alone = folder / "alone.vpy"
    alone.write_text(script.read_text().replace(" restore_faces(", " (lambda clip, **_: clip)("))
    assert alone.read_text() != script.read_text()
    return alone


@pytest.mark.parametrize("name", OPTIONS)
def test_vspipe_runs_our_scripts(name: str, tmp_path: Path) -> None:
    """Their pictures equal the command line's with the same options, made of what their filters hand over."""
    source = aged(name, tmp_path / "film.mkv")
    script = ROOT / "pipelines" / f"{name}.vpy"
    target = tmp_path / "expected.mkv"
    filtered = vspipe(unrestored(script, tmp_path), source, tmp_path / "filtered.y4m")
    report = gfpvideo.restore(filtered, target, RestoreOptions.parse({**OPTIONS[name], "codec": "ffv1"}))
    assert report.faces >= 20
    piped = vspipe(script, source, tmp_path / "piped.y4m")
    found, expected = (CORE.bs.VideoSource(str(path), cachepath=str(tmp_path / path.stem)) for path in (piped, target))
    assert found.num_frames == expected.num_frames == 24
    for one, other in zip(found.frames(), expected.frames(), strict=True):
        assert same(planes(one), planes(other))


def test_every_pipeline_has_a_script() -> None:
    assert sorted(OPTIONS) == sorted(path.stem for path in (ROOT / "pipelines").glob("*.vpy"))
    assert pipeline_names() == sorted(OPTIONS)


def test_fields_are_made_whole_as_on_the_command_line(tmp_path: Path) -> None:
    """But for the first frame, which FFmpeg makes whole out of itself alone."""
    source = aged("dvd_interlaced", tmp_path / "film.mkv")
    target, piped = tmp_path / "expected.mkv", tmp_path / "piped.y4m"
    gfpvideo.restore(source, target, RestoreOptions(deinterlace=True, codec="ffv1", strength=0))
    vspipe(unrestored(ROOT / "pipelines/dvd_interlaced.vpy", tmp_path), source, piped, "-a", "first=top")
    found, expected = (CORE.bs.VideoSource(str(path), cachepath=str(tmp_path / path.stem)) for path in (piped, target))
    for index in range(1, 24):
        assert same(planes(found.get_frame(index)), planes(expected.get_frame(index)))


def test_a_script_that_is_wrong_says_so(tmp_path: Path) -> None:
    script = tmp_path / "wrong.vpy"
    script.write_text(
        "import vapoursynth as vs\nfrom gfpvideo.vapoursynth import restore_faces\n"
        "restore_faces(vs.core.std.BlankClip(length=3), model='nonsense').set_output()\n"
    )
    vspipe = Path(sys.executable).with_name("vspipe")
    done = subprocess.run([str(vspipe), str(script), "--"], check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "restore_faces: no model 'nonsense'" in done.stderr + done.stdout
