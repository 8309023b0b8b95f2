"""Recordings that were joined as files: the clock begins anew in the middle, and the sound may change its kind."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import Span
from helpers import facts, remuxed, write_with_sound
from quick import QUICK


def recording(path: Path, layout: str = "stereo", frames: int = 25, sound: str = "ac3") -> bytes:
    """A second of noise to see, and of silence to hear."""
    return write_with_sound(path, "mpeg2video", sound, layout, frames).read_bytes()


def ends(path: Path, kind: str) -> Fraction:
    """When the last packet of a kind begins, after the first."""
    with av.open(str(path)) as container:
        (stream,) = (each for each in container.streams if each.type == kind)
        times = [packet.pts * packet.time_base for packet in container.demux(stream) if packet.pts is not None]
    return max(times) - min(times)


@pytest.mark.parametrize(("before", "after"), [("ts", "mkv"), ("mpg", "mp4")])
def test_sound_goes_on_where_recordings_were_joined(before: str, after: str, tmp_path: Path) -> None:
    one, film, target = (
        recording(tmp_path / f"one.{before}", sound="mp2"),
        tmp_path / f"film.{before}",
        tmp_path / f"out.{after}",
    )
    film.write_bytes(3 * one)
    report = gfpvideo.restore(film, target, RestoreOptions(preset="ultrafast", **QUICK))
    assert (report.frames, report.exit_code) == (75, 1)
    assert any("clock begins anew 2 times" in warning for warning in report.warnings)
    pts = facts(target).pts
    assert max(after - before for before, after in pairwise(pts)) <= Fraction(41, 1000)
    assert abs(ends(target, "audio") - ends(target, "video")) < Fraction(1, 8)


@pytest.mark.parametrize(
    ("suffix", "begins"), [("mp4", 0), ("mkv", 0), pytest.param("ts", 36_000, marks=pytest.mark.slow)]
)
def test_a_tapes_clock_makes_no_hours_without_a_picture(suffix: str, begins: int, tmp_path: Path) -> None:
    """What began at 10:00:00 on the tape begins at once, but in another transport stream."""

    def later(packet: Any) -> None:
        packet.pts += round(36_000 / packet.time_base)
        packet.dts += round(36_000 / packet.time_base)

    recording(tmp_path / "one.ts", sound="mp2")
    film, target = remuxed(tmp_path / "one.ts", tmp_path / "tape.ts", later), tmp_path / f"out.{suffix}"
    report = gfpvideo.restore(film, target, RestoreOptions(preset="ultrafast", **QUICK))
    assert report.warnings == []
    with av.open(str(film)) as before, av.open(str(target)) as after:
        assert before.start_time is not None
        assert after.start_time is not None
        assert before.start_time // 10**6 in {36_000, 36_001}
        assert begins * 10**6 <= after.start_time < (begins + 3) * 10**6
        apart = [_first(each, "audio") - _first(each, "video") for each in (before, after)]
    assert abs(apart[0] - apart[1]) <= Fraction(1, 1000)


def _first(container: Any, kind: str) -> Fraction:
    return next(stream.start_time * stream.time_base for stream in container.streams if stream.type == kind)


def test_a_part_of_joined_recordings_keeps_sound_and_picture_together(tmp_path: Path) -> None:
    """Which pictures and which sound belong to it is told by the same times: those that the film bears."""
    film = tmp_path / "film.ts"
    film.write_bytes(
        recording(tmp_path / "one.ts", frames=25, sound="mp2") + recording(tmp_path / "two.ts", frames=75, sound="mp2")
    )
    with VideoSource(film, Span(Fraction(3, 2), Fraction(5, 2))) as source:
        assert len(list(source.frames())) == 25
        (audio,) = source.other_streams
        packets: Any = source.others({audio.index})
        times = [packet.dts * packet.time_base for packet in packets]
        began = source.time_base * (source.stream.start_time or 0)
    assert all(-Fraction(1, 10) < time - began < Fraction(11, 10) for time in times)
    assert max(times) - min(times) > Fraction(9, 10)


def test_sound_whose_clock_runs_short_does_not_drift(tmp_path: Path) -> None:
    """A hundredth more samples than its times say, as of a card that nothing keeps in step."""
    film, target = tmp_path / "film.mkv", tmp_path / "out.mkv"
    film.write_bytes(recording(tmp_path / "one.mkv", frames=200))

    def hurry(packet: Any) -> None:
        if packet.stream.type == "audio":
            packet.pts = packet.dts = round(packet.pts * 0.99)

    short = remuxed(film, tmp_path / "short.mkv", hurry)
    report = gfpvideo.restore(short, target, RestoreOptions(audio_codec="flac", preset="ultrafast", **QUICK))
    assert report.warnings == []
    assert abs(ends(target, "audio") - ends(short, "audio")) < Fraction(1, 20)


def test_sound_that_changes_its_layout_is_encoded_as_it_began(tmp_path: Path) -> None:
    film, target = tmp_path / "film.ts", tmp_path / "out.mkv"
    film.write_bytes(recording(tmp_path / "a.ts") + recording(tmp_path / "b.ts", "5.1"))
    gfpvideo.restore(film, target, RestoreOptions(preset="ultrafast", audio_codec="aac", **QUICK))
    with av.open(str(target)) as container:
        heard = list(container.decode(audio=0))
    assert {frame.layout.name for frame in heard} == {"stereo"}
    assert sum(frame.samples for frame in heard) / 48_000 == pytest.approx(2, abs=0.1)
