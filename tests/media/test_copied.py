"""What is copied can be read again where it went, or is left out and named."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.container import OutputContainer
from av.stream import Disposition

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.container import open_container
from helpers import remuxed, write_with_sound
from quick import QUICK

OPTIONS = RestoreOptions(preset="ultrafast", **QUICK)


def shifted(source: Path, target: Path, seconds: Fraction) -> Path:
    """The same earlier; what lies before zero is cut off by MP4's edit list, as by a phone."""

    def move(packet: Any) -> None:
        ticks = round(seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks

    return remuxed(source, target, move)


@pytest.mark.parametrize("codec", ["copy", "aac"])
def test_sound_that_says_its_channels_alone_goes_into_mp4(codec: str, tmp_path: Path) -> None:
    """It failed after all the work: the muxer refuses it when it writes what it puts at the end."""
    source = write_with_sound(tmp_path / "film.avi", "mjpeg", "pcm_s16le")
    with av.open(str(source)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    report = gfpvideo.restore(source, tmp_path / "film.mp4", OPTIONS.model_copy(update={"audio_codec": codec}))
    assert report.warnings == []
    with av.open(report.target) as container:
        sound = container.streams.audio[0]
        assert (sound.layout.name, sound.codec_context.name) == ("stereo", "aac" if codec == "aac" else "pcm_s16le")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_a_phone_has_trimmed_away_is_not_heard(suffix: str, tmp_path: Path) -> None:
    whole = write_with_sound(tmp_path / "whole.mp4", "libx264", "aac", frames=50)
    trimmed = shifted(whole, tmp_path / "trimmed.mp4", Fraction(4, 5))
    report = gfpvideo.restore(trimmed, tmp_path / f"restored{suffix}", OPTIONS)
    heard = []
    for path in (trimmed, report.target):
        with av.open(str(path)) as container:
            heard.append(sum(frame.samples for frame in container.decode(audio=0)))
    assert heard[1] == pytest.approx(heard[0], abs=6 * 1024)  # some to begin with, which MP4 alone keeps silent
    assert heard[0] < 1.3 * 48_000
    with av.open(report.target) as container:
        picture = container.streams.video[0]
        assert (picture.start_time or 0) * (picture.time_base or 0) < Fraction(1, 5)


def test_what_transport_streams_would_hold_as_data_is_named(tmp_path: Path) -> None:
    source = write_with_sound(tmp_path / "film.mkv", "libx264", "flac")
    report = gfpvideo.restore(source, tmp_path / "film.ts", OPTIONS)
    assert any("audio 1 (flac) cannot be held by .ts: left out (.mkv holds it)" in each for each in report.warnings)
    with av.open(report.target) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    recoded = gfpvideo.restore(source, tmp_path / "ac3.ts", OPTIONS.model_copy(update={"audio_codec": "ac3"}))
    assert recoded.warnings == []


def test_a_tracks_name_is_its_title(tmp_path: Path) -> None:
    source = write_with_sound(tmp_path / "film.mp4", "libx264", "aac")
    named = remuxed(
        source, tmp_path / "named.mp4", prepare=lambda _, streams: streams[1].metadata.update(title="Comments")
    )
    for suffix, key in ((".mp4", "name"), (".mkv", "title")):
        report = gfpvideo.restore(named, tmp_path / f"restored{suffix}", OPTIONS)
        with av.open(report.target) as container:
            assert container.streams.audio[0].metadata[key] == "Comments"


@pytest.mark.slow
def test_data_that_no_reader_would_know_is_left_out_of_mov(media: Path, tmp_path: Path) -> None:
    """FFmpeg's muxer takes any there, and writes of a phone's only that it is data."""
    source = media / "androidx" / "sample_with_color_info.mp4"
    report = gfpvideo.restore(source, tmp_path / "restored.mov", OPTIONS)
    with av.open(report.target) as container:
        assert "data" not in {stream.type for stream in container.streams}
    named = [warning for warning in report.warnings if warning.startswith("data ")]
    assert len(named) == 3
    assert all(warning.endswith("cannot be held by .mov: left out") for warning in named)


@pytest.mark.parametrize("before", [".mp4", ".mkv"])
def test_a_cover_stays_one(before: str, tmp_path: Path) -> None:
    """Matroska holds it as an attachment; as a stream it would be a second film."""
    cover = cv2.imencode(".jpg", np.full((32, 32, 3), 90, np.uint8))[1].tobytes()
    source = with_cover(write_with_sound(tmp_path / "film.mp4", "libx264", "aac"), tmp_path / f"covered{before}", cover)
    for suffix in (".mp4", ".mkv"):
        report = gfpvideo.restore(source, tmp_path / f"restored{suffix}", OPTIONS)
        assert report.warnings == []
        with av.open(report.target) as container:
            assert [stream.type for stream in container.streams] == ["video", "audio", "video"]
            assert container.streams[2].disposition & Disposition.attached_pic
            assert next(bytes(packet) for packet in container.demux(2)) == cover
    report = gfpvideo.restore(source, tmp_path / "restored.mov", OPTIONS)
    assert "video 2 (mjpeg) cannot be held by .mov: left out (.mkv holds it)" in report.warnings


def with_cover(source: Path, target: Path, cover: bytes) -> Path:
    def add(container: OutputContainer, _: object) -> None:
        if target.suffix == ".mkv":
            container.add_attachment("cover.jpg", "image/jpeg", cover)
            return
        shown: Any = container.add_stream("mjpeg", rate=25)
        shown.width = shown.height = 32
        shown.pix_fmt, shown.disposition = "yuvj420p", Disposition.attached_pic
        packet: Any = av.Packet(cover)
        packet.stream, packet.pts, packet.dts, packet.time_base = shown, 0, 0, Fraction(1, 25)
        container.mux(packet)

    return remuxed(source, target, prepare=add)


def test_a_dvds_sound_that_begins_late_is_there(tmp_path: Path) -> None:
    """Nothing names its streams but they themselves."""
    with av.open(str(tmp_path / "film.vob"), "w") as container:
        video: Any = container.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sounds: Any = [container.add_stream("ac3", rate=48_000), container.add_stream("ac3", rate=48_000)]
        for each in sounds:
            each.layout = "stereo"
        for second in range(12):
            for number in range(25 * second, 25 * second + 25):
                picture = av.VideoFrame.from_ndarray(np.full((64, 96, 3), number % 200, np.uint8), format="rgb24")
                picture.pts = number
                container.mux(video.encode(picture))
            for each in sounds if second > 9 else sounds[:1]:
                for begin in range(0, 31):
                    heard = av.AudioFrame.from_ndarray(np.zeros((2, 1536), np.float32), format="fltp", layout="stereo")
                    heard.sample_rate, heard.pts = 48_000, 48_000 * second + 1536 * begin
                    container.mux(each.encode(heard))
        for each in (video, *sounds):
            container.mux(each.encode(None))
    with av.open(str(tmp_path / "film.vob")) as before:
        assert [stream.codec_context.sample_rate for stream in before.streams.audio] in ([48_000], [48_000, 0])
    with open_container(tmp_path / "film.vob") as found:
        assert [stream.codec_context.sample_rate for stream in found.streams.audio] == [48_000, 48_000]


@pytest.mark.slow
def test_sound_that_matroska_does_not_hold_is_kept_encoded_anew(tmp_path: Path) -> None:
    """A camcorder's, and the warning says how."""
    source = write_with_sound(tmp_path / "film.m2ts", "libx264", "pcm_bluray")
    report = gfpvideo.restore(source, tmp_path / "film.mkv", OPTIONS)
    (warning,) = [warning for warning in report.warnings if warning.startswith("audio 1 (pcm_bluray")]
    assert warning.endswith("cannot be held by .mkv: left out (--audio-codec flac keeps it, encoded anew)")
    report = gfpvideo.restore(source, tmp_path / "flac.mkv", OPTIONS.model_copy(update={"audio_codec": "flac"}))
    with av.open(report.target) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 47_000
