"""Whole restorations of small films: nothing lost, nothing touched outside the faces."""

import gc
import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import CorruptMediaError, InputError, OptionError, OutputError, UnsupportedMediaError
from gfpvideo.generator.engines.choose import cuda_present
from gfpvideo.media.pixel_format import components, samples
from gfpvideo.pixels.color import component_slices
from gfpvideo.restoration.events import FrameDone
from helpers import facts, smooth_picture, write_film
from quick import QUICK

LOSSLESS = RestoreOptions(codec="ffv1")


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    first = np.rint(smooth_picture(random, height, width) * 255).astype(np.uint8)
    return [np.roll(first, 2 * index, axis=1) for index in range(count)]


def test_a_film_comes_back_whole(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(tape, target, RestoreOptions(**QUICK))
    before, after = facts(tape), facts(target)
    assert report.exit_code == 0
    assert (report.frames, report.tracks, report.faces) == (100, 1, 100)
    assert report.model == "quick.safetensors"
    assert report.copied == ["audio 1 (opus, eng)", "subtitle 2 (srt, eng)"]
    assert after.intervals == before.intervals
    assert after.payloads == before.payloads
    assert after.starts == before.starts
    with av.open(str(tape)) as old, av.open(str(target)) as new:
        assert [c["metadata"] for c in new.chapters()] == [c["metadata"] for c in old.chapters()]
        assert [c["start"] for c in new.chapters()] == [c["start"] for c in old.chapters()]
        assert new.metadata["title"] == old.metadata["title"]
        assert [s.language for s in new.streams] == [s.language for s in old.streams]
    assert list(tmp_path.iterdir()) == [target]


def with_timecode(path: Path, timecode: str = "01:02:03:04") -> Path:
    """A film as editing programs write it: the track of timecode is FFmpeg's, made of the picture's tag."""
    shown = write_film(path.with_suffix(".plain.mov"), pictures(12), codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(shown)) as plain, av.open(str(path), "w") as container:
        stream: Any = container.add_stream_from_template(plain.streams.video[0])
        stream.rate = 25
        stream.metadata["timecode"] = timecode
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    return path


def timecodes(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as film:
        tags = [(each.type, *tag) for each in film.streams for tag in each.metadata.items()]
    return [(kind, value) for kind, key, value in tags if key.lower() == "timecode"]


def test_timecode_is_kept(tmp_path: Path) -> None:
    """Editing programs find a clip again by its name and its timecode. Matroska holds it as a tag alone."""
    both = [("video", "01:02:03:04"), ("data", "01:02:03:04")]
    source = with_timecode(tmp_path / "film.mov")
    assert timecodes(source) == both
    report = gfpvideo.restore(source, tmp_path / "restored.mov", RestoreOptions(**QUICK))
    assert report.warnings == []
    assert timecodes(tmp_path / "restored.mov") == both
    report = gfpvideo.restore(source, tmp_path / "restored.mkv", RestoreOptions(**QUICK))
    assert report.warnings == []
    assert timecodes(tmp_path / "restored.mkv") == both[:1]
    gfpvideo.restore(tmp_path / "restored.mkv", tmp_path / "again.mp4", RestoreOptions(**QUICK))
    assert timecodes(tmp_path / "again.mp4") == both


def test_a_part_that_begins_later_has_no_timecode(tmp_path: Path) -> None:
    source = with_timecode(tmp_path / "film.mov")
    report = gfpvideo.restore(source, tmp_path / "part.mov", RestoreOptions(start=Fraction(1, 5), **QUICK))
    assert report.warnings == ["the timecode is left out: it is that of the film's beginning"]
    assert timecodes(tmp_path / "part.mov") == []


@pytest.mark.parametrize("base", [Fraction(1, 25), Fraction(1001, 24000)])
def test_a_constant_frame_rate_is_said(base: Fraction, tmp_path: Path) -> None:
    """By the container, to whom the encoder's reordered packets would not show it: else Matroska's is a thousand."""
    source = write_film(tmp_path / "film.mkv", pictures(30), codec="libx264", time_base=base, framerate=1 / base)
    gfpvideo.restore(source, tmp_path / "restored.mkv", RestoreOptions(**QUICK))
    with av.open(str(tmp_path / "restored.mkv")) as film:
        assert film.streams.video[0].average_rate == pytest.approx(1 / base, rel=1e-4)


def test_a_changing_frame_rate_is_not_made_up(tmp_path: Path) -> None:
    ticks = [0, 1, 2, 5, 6, 9, 14, 15, 16, 17]
    source = write_film(tmp_path / "film.mp4", pictures(10), codec="libx264", ticks=ticks)
    gfpvideo.restore(source, tmp_path / "restored.mp4", RestoreOptions(**QUICK))
    assert facts(tmp_path / "restored.mp4").intervals == facts(source).intervals


def test_faces_change_and_nothing_else_does(film: Path, tmp_path: Path) -> None:
    """With a lossless encoder, every sample outside the reported rectangles is the decoder's."""
    touched: dict[int, Any] = {}

    def note(progress: FrameDone) -> None:
        touched[progress.restored.frame.index] = progress.restored.touched

    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(film, target, RestoreOptions(codec="ffv1", **QUICK), on_frame=note)
    assert report.faces == 90
    with av.open(str(film)) as old, av.open(str(target)) as new:
        for index, (a, b) in enumerate(zip(old.decode(video=0), new.decode(video=0), strict=True)):
            ((_, rect),) = touched[index]
            assert rect.width < 300
            for number, (x, y) in enumerate(zip(components(a), components(b), strict=True)):
                window = component_slices(rect, samples(a), number)
                outside = np.ones(x.shape, bool)
                outside[window] = False
                assert np.array_equal(x[outside], y[outside])
                assert number > 0 or np.abs(x[window].astype(int) - y[window]).mean() > 1


@pytest.mark.parametrize(
    "pix_fmt",
    ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le", "bgr0"],
)
def test_without_faces_every_sample_is_kept(pix_fmt: str, tmp_path: Path) -> None:
    source = write_film(tmp_path / "film.mkv", pictures(12), pix_fmt=pix_fmt)
    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(source, target, LOSSLESS)
    assert report.faces == 0
    before, after = facts(source, planes=True), facts(target, planes=True)
    assert after.first.format.name == pix_fmt
    assert len(before.planes) == 12
    assert after.planes == before.planes
    assert after.pts == before.pts


def test_full_range_keeps_every_sample(tmp_path: Path) -> None:
    source = write_film(
        tmp_path / "film.mkv", pictures(5), codec="libx264", pix_fmt="yuvj420p", options={"crf": "10"}, color_range=2
    )
    target = tmp_path / "restored.mkv"
    gfpvideo.restore(source, target, LOSSLESS)
    before, after = facts(source, planes=True), facts(target, planes=True)
    assert after.planes == before.planes
    assert after.first.color_range == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_variable_frame_rate_stays_variable(suffix: str, tmp_path: Path) -> None:
    ticks = [0, 40, 80, 95, 200, 240, 600, 601, 680, 1500, 1540]
    source = write_film(
        tmp_path / f"film{suffix}", pictures(len(ticks)), codec="libx264", ticks=ticks, time_base=Fraction(1, 1000)
    )
    target = tmp_path / f"restored{suffix}"
    gfpvideo.restore(source, target)
    assert facts(source).intervals == [Fraction(tick, 1000) for tick in ticks]
    assert facts(target).pts == facts(source).pts


def test_ten_bits_and_colour_tags_are_kept(tmp_path: Path) -> None:
    source = write_film(
        tmp_path / "film.mp4", pictures(6), codec="libx264", pix_fmt="yuv420p10le",
        colorspace=9, color_primaries=9, color_trc=18, color_range=1,
    )  # fmt: skip
    target = tmp_path / "restored.mp4"
    gfpvideo.restore(source, target)
    for path in (source, target):
        first = facts(path).first
        assert first.format.name == "yuv420p10le"
        assert (first.colorspace, first.color_primaries, first.color_trc, first.color_range) == (9, 9, 18, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_shape_and_turn_of_the_picture_are_kept(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"film{suffix}"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        stream.set_display_rotation(90, hflip=True)
        for picture in pictures(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    target = tmp_path / f"restored{suffix}"
    gfpvideo.restore(source, target)
    before, after = facts(source), facts(target)
    assert after.aspect == before.aspect == Fraction(16, 11)
    assert bytes(after.first.side_data["DISPLAYMATRIX"]) == bytes(before.first.side_data["DISPLAYMATRIX"])
    for other in (".ts", ".m2ts", ".flv", ".nut", ".webm"):
        report = gfpvideo.restore(source, tmp_path / f"restored{other}")
        kept = "DISPLAYMATRIX" in facts(Path(report.target)).first.side_data
        assert kept == (not any("how the picture is turned" in warning for warning in report.warnings))


def test_faces_in_a_turned_film_are_found_upright(film: Path, tmp_path: Path) -> None:
    """The pixels lie on their side, the display matrix says so; restoring must see the face as a viewer does."""
    source = tmp_path / "turned.mkv"
    with av.open(str(film)) as old, av.open(str(source), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=18)
        stream.width, stream.height, stream.pix_fmt = 360, 480, "yuv420p"
        stream.set_display_rotation(270)
        for _, frame in zip(range(8), old.decode(video=0), strict=False):
            turned = av.VideoFrame.from_ndarray(np.rot90(frame.to_ndarray(format="rgb24")).copy(), format="rgb24")
            container.mux(stream.encode(turned))
        container.mux(stream.encode(None))
    seen: list[FrameDone] = []
    report = gfpvideo.restore(source, tmp_path / "restored.mkv", on_frame=seen.append)
    assert report.faces == 8
    to_display = seen[0].restored.frame.to_display
    assert np.allclose(np.abs(to_display[:, :2]), [[0, 1], [1, 0]])


def test_a_missing_preset_of_the_container_is_replaced_by_matroska(tmp_path: Path) -> None:
    source = write_film(tmp_path / "film.avi", pictures(5))
    report = gfpvideo.restore(source)
    assert Path(report.target).name == "film.restored.mkv"
    assert len(facts(Path(report.target)).pts) == 5


@pytest.mark.slow
def test_streams_that_do_not_fit_are_named(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "restored.mp4"
    report = gfpvideo.restore(tape, target, RestoreOptions(preset="ultrafast", **QUICK))
    assert report.exit_code == 1
    assert any("subtitle 2 (srt, eng) cannot be held by .mp4" in warning for warning in report.warnings)
    assert [kind for kind, _, _ in facts(target).payloads] == ["audio"]


def test_a_truncated_film_is_restored_as_far_as_it_goes(tmp_path: Path) -> None:
    """The index is at the front, so the file opens; the last pictures are not there."""
    whole = write_film(
        tmp_path / "whole.mp4", pictures(200), codec="libx264", options={"movflags": "faststart", "crf": "1"}
    )
    with (
        av.open(str(whole)) as container,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as front,
    ):
        stream = container.streams.video[0]
        copy = front.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = copy
                front.mux(packet)
    data = (tmp_path / "front.mp4").read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(data[: len(data) * 6 // 10])
    target = tmp_path / "restored.mp4"
    report = gfpvideo.restore(source, target)
    assert report.exit_code == 1
    assert any("cut off" in warning for warning in report.warnings)
    assert 50 < report.frames < 190
    assert len(facts(target).pts) == report.frames


def test_a_truncated_matroska_film_is_told_by_its_header(tape: Path, tmp_path: Path) -> None:
    """Matroska counts no frames; a subtitle that lasts to the end must not hide that the pictures stop early."""
    data = tape.read_bytes()
    source = _write_bytes(tmp_path / "cut.mkv", data[: len(data) * 6 // 10])
    report = gfpvideo.restore(source, tmp_path / "restored.mkv", RestoreOptions(preset="ultrafast", **QUICK))
    assert report.exit_code == 1
    assert any("cut off" in warning and "seconds" in warning for warning in report.warnings)
    assert 40 < report.frames < 80


def _write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_bad_sources_are_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound.m4a"
    with av.open(str(film)) as container, av.open(str(sound), "w", format="mp4") as only:
        stream = container.streams.audio[0]
        copy = only.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.stream = copy
                only.mux(packet)
    empty_folder = tmp_path / "empty"
    empty_folder.mkdir()
    cases: list[tuple[Path, type[Exception], str]] = [
        (tmp_path / "missing.mp4", InputError, "no such file"),
        (empty_folder, InputError, "no pictures"),
        (_write_bytes(tmp_path / "text.mp4", b"Dear diary, today I filmed nothing.\n" * 50), InputError, "not a film"),
        (_write_bytes(tmp_path / "zero.mp4", b""), InputError, "empty"),
        (sound, UnsupportedMediaError, "no video, only audio"),
        (_write_bytes(tmp_path / "noise.mkv", os.urandom(5000)), InputError, "not a film"),
    ]
    before = set(tmp_path.iterdir())
    for source, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            gfpvideo.restore(source, tmp_path / ("target" if source.is_dir() else "target.mp4"))
        assert "\n" not in str(caught.value)
        assert source.name in str(caught.value)
    assert set(tmp_path.iterdir()) == before


def test_a_film_that_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    """The container is intact, the codec's data are not."""
    source = tmp_path / "film.mkv"
    whole = write_film(tmp_path / "whole.mkv", pictures(10), codec="libx264")
    with av.open(str(whole)) as old, av.open(str(source), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.size:
                broken = av.Packet(b"\x00" * packet.size)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.stream = copy
                new.mux(broken)
    target = tmp_path / "restored.mkv"
    with pytest.raises(CorruptMediaError, match="not one frame"):
        gfpvideo.restore(source, target)
    assert not target.exists()


@pytest.mark.parametrize("tag", [b"encv", b"zzzz"])
def test_an_encrypted_or_unknown_codec_is_refused(tag: bytes, film: Path, tmp_path: Path) -> None:
    """The sample entry of an MP4 names the codec; encrypted films say `encv`."""
    source = _write_bytes(tmp_path / "film.mp4", film.read_bytes().replace(b"avc1", tag))
    with pytest.raises((UnsupportedMediaError, CorruptMediaError), match=r"film\.mp4") as caught:
        gfpvideo.restore(source, tmp_path / "restored.mp4")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.slow
def test_frames_do_not_wait_for_the_garbage_collector(film: Path, tmp_path: Path) -> None:
    """PyAV's frame and its side data refer to each other: ask every frame for it, and memory grows until a collection.

    With the collector off, decoded frames must still go when the pipeline lets go of them: at the film's last frame
    nothing but that frame and a few before it is left.
    """
    left = 0

    def note(progress: FrameDone) -> None:
        nonlocal left
        if progress.restored.frame.index == 89:
            left = sum(isinstance(item, av.VideoFrame) for item in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        gfpvideo.restore(film, tmp_path / "restored.mkv", RestoreOptions(preset="ultrafast", **QUICK), on_frame=note)
    finally:
        gc.enable()
    assert 0 < left < 45


def test_targets_are_protected(film: Path, tmp_path: Path) -> None:
    existing = _write_bytes(tmp_path / "existing.mp4", b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        gfpvideo.restore(film, existing)
    assert existing.read_bytes() == b"precious"
    with pytest.raises(OptionError, match="same file"):
        gfpvideo.restore(film, film, RestoreOptions(overwrite=True))
    with pytest.raises(OutputError, match="no such folder"):
        gfpvideo.restore(film, tmp_path / "nowhere" / "a.mp4")
    with pytest.raises(OptionError, match="unknown container"):
        gfpvideo.restore(film, tmp_path / "a.xyz")
    with pytest.raises(OptionError, match="AVI is read, but not written"):
        gfpvideo.restore(film, tmp_path / "a.avi")


def test_names_may_be_as_long_as_leaves_room_for_what_stands_beside_them(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", pictures(3))
    longest = "\u3042" * 77 + "ab.mkv"  # 237 bytes; the partial file's name has 255
    gfpvideo.restore(film, tmp_path / longest, RestoreOptions(preset="ultrafast", **QUICK))
    assert [path.name for path in tmp_path.glob("*.mkv")] == [longest]
    with pytest.raises(OutputError, match="name is too long by 1 bytes"):
        gfpvideo.restore(film, tmp_path / f"c{longest}", RestoreOptions(**QUICK))


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "kept", "words"),
    [
        ("yuva420p", "ffv1", "yuva420p", ""),
        ("yuva420p", "libx264", "yuv420p", "libx264 holds no transparency: left out; --codec ffv1 keeps it"),
        ("argb", "ffv1", "bgra", "samples are converted to bgra"),
    ],
)
def test_transparency_is_kept_or_named(pix_fmt: str, codec: str, kept: str, words: str, tmp_path: Path) -> None:
    source = write_film(
        tmp_path / "film.mov" if pix_fmt == "argb" else tmp_path / "film.mkv",
        pictures(4), codec="qtrle" if pix_fmt == "argb" else "ffv1", pix_fmt=pix_fmt,
    )  # fmt: skip
    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(source, target, RestoreOptions(codec=codec, **QUICK))
    assert facts(target).first.format.name == kept
    assert any(words in warning for warning in report.warnings) or not words
    if codec == "ffv1":
        pairs = zip(_rgba(source), _rgba(target), strict=True)
        assert all(np.array_equal(before, after) for before, after in pairs)


def _rgba(film: Path) -> list[np.ndarray]:
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]


def test_transparency_beside_the_picture_is_named(tmp_path: Path) -> None:
    """WebM keeps it in a second stream of VP9 in each block, which FFmpeg's own decoder passes over."""
    source = write_film(tmp_path / "film.webm", pictures(4), codec="libvpx-vp9", pix_fmt="yuva420p")
    target = tmp_path / "restored.mkv"
    report = gfpvideo.restore(source, target, RestoreOptions(**QUICK))
    assert any("transparency" in warning and "left out" in warning for warning in report.warnings)
    with av.open(str(target)) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}


@pytest.mark.parametrize("kind", ["cuda", "abacus"])
def test_devices_that_do_not_decode_here_are_refused(kind: str, film: Path, tmp_path: Path) -> None:
    """Rather than decoding without them: who asks for a device wants to know that it is not used."""
    if kind == "cuda" and cuda_present():
        pytest.skip("there is one here")
    with pytest.raises(OptionError, match=f"option hwaccel = '{kind}': "):
        gfpvideo.restore(film, tmp_path / "restored.mkv", RestoreOptions(hwaccel=kind))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"codec": "libx999"}, "no such encoder"),
        ({"codec": "aac"}, "not a video encoder"),
        ({"codec": "ffv1", "crf": 20}, "no option crf"),
        ({"encoder_options": {"sharpness": "9"}}, "no option sharpness"),
        ({"preset": "warp"}, "libx264 has ultrafast"),
        ({"encoder_options": {"tune": "warp"}}, "does not work"),
    ],
)
def test_wrong_encoder_options_leave_no_file(values: dict[str, Any], words: str, film: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=words):
        gfpvideo.restore(film, tmp_path / "target.mkv", RestoreOptions(**QUICK | values))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_stage_leaves_no_file(film: Path, tmp_path: Path) -> None:
    def fail(progress: FrameDone) -> None:
        if progress.restored.frame.index == 5:
            raise RuntimeError("the caller gave up")

    with pytest.raises(RuntimeError, match="gave up"):
        gfpvideo.restore(film, tmp_path / "target.mkv", RestoreOptions(**QUICK), on_frame=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_or_read_only_disk_leaves_no_file(film: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("this sandbox cannot mount")
    try:
        with pytest.raises(OutputError, match="disk is full"):
            gfpvideo.restore(film, disk / "restored.mkv", RestoreOptions(codec="ffv1", disk_check=False, **QUICK))
        assert list(disk.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutputError, match="cannot be written"):
            gfpvideo.restore(film, disk / "restored.mkv", RestoreOptions(**QUICK))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
