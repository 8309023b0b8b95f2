"""Reading that begins in the midst of a film gives what reading from its beginning gives, or says that it does not."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gfpvideo.frames import Frame
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import Span
from gfpvideo.media.trace import OtherPictureError, Place, compared, place_of, trace
from helpers import smooth_picture, write_film

Traces = dict[int, tuple[int, int]]


def read(path: Path) -> tuple[Traces, list[Place], list[str]]:
    """All frames of a film, the places to jump to, and what was found wrong."""
    with VideoSource(path) as film:
        frames = [(frame.index, frame.pts, trace(frame), place_of(frame)) for frame in film.frames()]
        found = list(film.warnings)
    return {index: (pts, one) for index, pts, one, _ in frames}, [place for *_, place in frames if place], found


def jumped(path: Path, place: Place, known: Traces) -> Iterator[Frame]:
    with VideoSource(path) as film:
        yield from compared(film.frames(place), known)


def exact(path: Path) -> list[bool]:
    """Whether each jump gives all later frames with all that was found wrong; where not, reading says so."""
    known, places, warnings = read(path)
    found = []
    for place in places:
        try:
            with VideoSource(path) as film:
                indexes = [frame.index for frame in compared(film.frames(place), known)]
                assert indexes == list(range(place.index, len(known)))
                assert film.warnings == warnings
            found.append(True)
        except OtherPictureError:
            found.append(False)
    return found


CLIPS = {
    "androidx/internal_emulator_transformer_output_270_rotated.mp4": 5,
    "dmlc/flipping_a_pancake.mkv": 3,
    "androidx/roadtrip-vp92-10bit.webm": 3,
    "androidx/sample_edit_list.mp4": 2,
    "pytorch/nasa_13013.mp4": 2,
    "androidx/sample_without_stss.mp4": 30,
}
"""Clips and how many places to jump to each has, its beginning among them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_jumps_in_real_clips_are_exact(name: str, media: Path) -> None:
    assert exact(media / name) == [True] * CLIPS[name]


@pytest.fixture(scope="module")
def pictures() -> list[Any]:
    """Sixty pictures of something that moves."""
    picture = smooth_picture(np.random.default_rng(3), 96, 256)
    whole = np.asarray(picture * 255, np.uint8)
    return [np.ascontiguousarray(whole[:, shift : shift + 128]) for shift in range(60)]


MADE: dict[str, tuple[str, dict[str, Any], list[bool] | None]] = {
    "closed.mp4": ("libx264", {"x264-params": "keyint=12:bframes=3"}, [True] * 5),
    "closed.mkv": ("libx264", {"x264-params": "keyint=12:bframes=3"}, [True] * 5),
    "open.mp4": ("libx264", {"x264-params": "keyint=12:bframes=3:open-gop=1:b-adapt=0"}, None),
    "open.mkv": ("libx264", {"x264-params": "keyint=12:bframes=3:open-gop=1:b-adapt=0"}, None),
    "open265.mkv": ("libx265", {"x265-params": "keyint=12:min-keyint=12:bframes=3:open-gop=1:log-level=none"}, None),
    "closed.ts": ("mpeg2video", {"g": "12", "bf": "2"}, None),
    "refresh.mp4": ("libx264", {"x264-params": "keyint=12:intra-refresh=1"}, None),
}
"""Files, their encoders and options, and whether each jump is exact; ``None``: as FFmpeg likes, but never unnoticed."""


@pytest.mark.parametrize("name", MADE)
def test_what_is_not_exact_is_noticed(name: str, pictures: list[Any], tmp_path: Path) -> None:
    """Open groups of pictures, intra refresh, containers without an index."""
    codec, options, expected = MADE[name]
    found = exact(write_film(tmp_path / name, pictures, codec=codec, options=options))
    assert len(found) >= 1
    if expected is not None:
        assert found == expected


def test_another_picture_is_noticed(film: Path) -> None:
    known, places, _ = read(film)
    place = places[-1]
    assert place.index > 0
    changed = {**known, place.index + 3: (known[place.index + 3][0], known[place.index + 3][1] ^ 1)}
    frames = jumped(film, place, changed)
    assert [next(frames).index for _ in range(3)] == list(range(place.index, place.index + 3))
    with pytest.raises(OtherPictureError, match=f"frame {place.index + 3} is not what it was"):
        next(frames)


def test_a_place_that_is_none_is_noticed(film: Path) -> None:
    known, places, _ = read(film)
    place = places[-1]
    for wrong in (place.pts + 1, place.pts * 1000):
        with pytest.raises(OtherPictureError):
            list(jumped(film, Place(place.index, wrong, place.packets, place.end, place.turn, place.colour), known))


def test_films_that_must_be_read_from_their_beginning(film: Path, pictures: list[Any], tmp_path: Path) -> None:
    """Filters remember, parts are counted from what only reading finds, damage and repairs are counted."""
    with VideoSource(film) as whole:
        assert whole.jumps
    for another in (VideoSource(film, filters=["hflip"]), VideoSource(film, Span(Fraction(1)))):
        with another as source:
            assert not source.jumps
            assert all(frame.place is None for frame in source.frames())
    options = {"x264-params": "keyint=12:bframes=3"}
    _, places, warnings = read(write_film(tmp_path / "times.avi", pictures, codec="libx264", options=options))
    assert "repaired" in warnings[0]
    assert len(places) < 5
