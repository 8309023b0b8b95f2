"""A part of a film: `--start`, `--end`."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError
from gfpvideo.options.timecode import seconds, timecode
from helpers import facts
from quick import QUICK

UNTOUCHED: dict[str, Any] = QUICK | {"codec": "ffv1", "strength": 0.0}


def packets(path: Path, kind: str) -> list[tuple[Fraction, Fraction, bytes]]:
    """Time from the first frame, duration in seconds and payload of each packet of a kind of stream."""
    with av.open(str(path)) as container:
        video: Any = container.streams.video[0]
        first = (video.start_time or 0) * video.time_base
        return [
            (packet.pts * packet.time_base - first, (packet.duration or 0) * packet.time_base, bytes(packet))
            for packet in container.demux()
            if packet.size and packet.stream.type == kind and packet.pts is not None and packet.time_base
        ]


@pytest.mark.parametrize("name", ["film", "tape"])
def test_a_part_holds_the_frames_of_its_time(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source: Path = request.getfixturevalue(name)
    start, end = seconds("0:00:01.5"), Fraction(3)
    target = tmp_path / "part.mkv"
    report = gfpvideo.restore(source, target, RestoreOptions.parse(UNTOUCHED | {"start": "1.5", "end": "3"}))
    before, after = facts(source, planes=True), facts(target, planes=True)
    wanted = [index for index, time in enumerate(before.intervals) if start <= time < end]
    assert report.frames == len(wanted) > 20
    assert not report.warnings
    assert after.planes == [before.planes[index] for index in wanted]
    tick = Fraction(1, 1000)  # of Matroska
    expected = [before.intervals[index] - before.intervals[wanted[0]] for index in wanted]
    assert max(abs(a - b) for a, b in zip(after.intervals, expected, strict=True)) <= tick
    offset = before.intervals[wanted[0]]
    sound = [(time, payload) for time, _, payload in packets(source, "audio") if offset <= time < end]
    kept = packets(target, "audio")
    assert [payload for _, _, payload in kept] == [payload for _, payload in sound]
    assert max(abs(a[0] - (b[0] - offset)) for a, b in zip(kept, sound, strict=True)) <= 2 * tick


@pytest.mark.slow
def test_subtitles_and_chapters_are_cut_to_the_part(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "part.mkv"
    gfpvideo.restore(tape, target, RestoreOptions.parse(UNTOUCHED | {"start": "1", "end": "3"}))
    (time, duration, text) = packets(tape, "subtitle")[0]
    assert time < 1 < time + duration
    (cut_time, cut_duration, cut_text) = packets(target, "subtitle")[0]
    assert cut_text == text
    assert cut_time == 0
    assert abs(cut_duration - (time + duration - 1)) <= Fraction(1, 1000)
    assert all(0 <= begins and begins + lasts <= 2 for begins, lasts, _ in packets(target, "subtitle"))
    with av.open(str(target)) as container:
        chapters = container.chapters()
        assert chapters[0]["start"] == 0
        last: Any = chapters[-1]
        assert last["end"] * last["time_base"] <= 2


def test_a_part_is_the_same_when_all_before_it_is_decoded(film: Path, tmp_path: Path) -> None:
    """Reading from the last key frame on gives what counting from the beginning does."""
    from gfpvideo.media.source import VideoSource
    from gfpvideo.media.span import Span

    span = Span(Fraction(5, 2), Fraction(7, 2))
    found = []
    for count_all in (False, True):
        with VideoSource(film, span=span, count_all=count_all) as source:
            found.append([(frame.index, frame.pts, frame.components[0].tobytes()) for frame in source.frames()])
    assert [frame[1:] for frame in found[0]] == [frame[1:] for frame in found[1]]
    assert found[0][0][0] == 0
    assert found[1][0][0] > 30


def test_parts_that_are_none_are_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no frame in the part"):
        gfpvideo.restore(film, tmp_path / "part.mkv", RestoreOptions.parse({"start": "1:00:00"}))
    assert not list(tmp_path.iterdir())
    for values, words in (
        ({"start": "later"}, "must be seconds or h:mm:ss"),
        ({"start": "5", "end": "4"}, "end must be later than start"),
        ({"start": "5", "only": "2"}, "edited tracks file"),
    ):
        with pytest.raises(OptionError, match=words):
            RestoreOptions.parse(values)
    photo = tmp_path / "photo.png"
    photo.touch()
    with pytest.raises(OptionError, match="option start is for films"):
        gfpvideo.restore(photo, None, RestoreOptions.parse({"start": "1"}))


def test_times_are_read_and_written_exactly() -> None:
    assert seconds("90") == seconds("1:30") == seconds("0:01:30.000") == 90
    assert seconds("1:02:03.004") == Fraction(3723004, 1000)
    assert timecode(seconds("1:02:03.004")) == "1:02:03.004"
    for wrong in ("", "-1", "1:2:3:4", "1e3", "nan"):
        with pytest.raises(ValueError, match="h:mm:ss"):
            seconds(wrong)
