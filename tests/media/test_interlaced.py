"""Films made of fields: recognised, refused without a word about it, made whole on request."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError, UnsupportedMediaError
from gfpvideo.media.container import Limits
from gfpvideo.media.fields import fields_of
from gfpvideo.media.filters import filtered
from gfpvideo.media.source import VideoSource
from helpers import facts, write_film
from quick import QUICK, QUICK_ARGUMENTS

Picture = NDArray[np.uint8]
LINES, COLUMNS = 480, 320


def moments(count: int) -> list[Picture]:
    """A portrait that moves sideways."""
    wide = np.tile(skimage.data.astronaut()[:LINES, :COLUMNS], (1, 3, 1))
    return [np.ascontiguousarray(wide[:, 5 * index : 5 * index + COLUMNS]) for index in range(count)]


def woven(first: Picture, second: Picture) -> Picture:
    frame = first.copy()
    frame[1::2] = second[1::2]
    return frame


def interlaced(path: Path, *, bottom: bool = False, **settings: Any) -> Path:
    pairs = zip(*[iter(moments(48))] * 2, strict=True)
    return write_film(path, [woven(b, a) if bottom else woven(a, b) for a, b in pairs], **settings)


def combing(picture: NDArray[Any]) -> float:
    """How much more neighbouring lines differ than lines of the same field."""
    lines = picture.astype(np.float64)
    return float(np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean() / np.abs(lines[2:] - lines[:-2]).mean())


@pytest.mark.parametrize("bottom", [False, True], ids=["top", "bottom"])
def test_fields_are_seen_without_flags(bottom: bool, tmp_path: Path) -> None:
    assert fields_of(interlaced(tmp_path / "film.mkv", bottom=bottom), Limits()) == ("bottom" if bottom else "top")


def test_fields_are_seen_behind_a_title_that_stands_still(tmp_path: Path) -> None:
    """As every other tape begins, with a title or with black."""
    pairs = zip(*[iter(moments(48))] * 2, strict=True)
    tape = write_film(tmp_path / "film.mkv", [moments(1)[0]] * 100 + [woven(a, b) for a, b in pairs])
    assert fields_of(tape, Limits()) == "top"
    plain = write_film(tmp_path / "plain.mkv", [moments(1)[0]] * 100 + moments(24))
    assert fields_of(plain, Limits()) == "progressive"


def test_flags_tell_where_nothing_moves(tmp_path: Path) -> None:
    still = [moments(1)[0]] * 20
    flagged = write_film(tmp_path / "flagged.mp4", still, codec="libx264", options={"x264-params": "tff=1"})
    assert fields_of(flagged, Limits()) == "top"
    assert fields_of(write_film(tmp_path / "plain.mp4", still, codec="libx264"), Limits()) == "progressive"


def test_moving_pictures_contradict_wrong_flags(tmp_path: Path) -> None:
    """PAL discs flag whole pictures as fields; nothing is wrong with them."""
    film = write_film(tmp_path / "film.mp4", moments(24), codec="libx264", options={"x264-params": "tff=1"})
    assert fields_of(film, Limits()) == "progressive"


@pytest.mark.slow
def test_an_interlaced_film_is_refused_kept_or_made_whole(tmp_path: Path) -> None:
    film, target = interlaced(tmp_path / "film.mkv"), tmp_path / "out.mkv"
    with pytest.raises(UnsupportedMediaError, match=r"interlaced; give --deinterlace .* --no-deinterlace"):
        gfpvideo.restore(film, target)
    assert not target.exists()
    kept = gfpvideo.restore(film, target, RestoreOptions(codec="ffv1", deinterlace=False, strength=0, **QUICK))
    assert kept.frames == 24
    assert facts(target, planes=True).planes == facts(film, planes=True).planes
    whole = gfpvideo.restore(film, target, RestoreOptions(codec="ffv1", deinterlace=True, overwrite=True, **QUICK))
    assert whole.frames == 24
    assert facts(target).pts == facts(film).pts
    with av.open(str(film)) as before, av.open(str(target)) as after:
        old, new = (
            [frame.to_ndarray(format="gray") for frame in container.decode(video=0)] for container in (before, after)
        )
    assert combing(new[12]) < 0.6 < combing(old[12])
    assert whole.tracks == 1


@pytest.mark.slow
def test_telecine_is_undone(tmp_path: Path) -> None:
    """2:3 pulldown: of four film frames five were made; four come back, and none is combed."""
    film: list[Picture] = []
    for a, b, c, d in zip(*[iter(moments(48))] * 4, strict=True):
        film += [a, b, woven(b, c), woven(c, d), d]
    source = write_film(tmp_path / "film.mkv", film, time_base=Fraction(1, 30))
    target = tmp_path / "out.mkv"
    report = gfpvideo.restore(source, target, RestoreOptions(codec="ffv1", telecine=True, strength=0, **QUICK))
    assert 46 <= report.frames <= 48
    with av.open(str(target)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert max(combing(frame) for frame in frames[4:-4]) < 0.6
    spacing = np.diff([float(time) for time in facts(target).pts])
    assert spacing[4:-4].mean() == pytest.approx(1 / 24, rel=0.02)


@pytest.mark.slow
def test_a_pipe_s_header_tells_the_rate_of_what_comes_out(tmp_path: Path) -> None:
    """Or somebody is warned: of other filters nothing tells it before their pictures come."""
    film = write_film(tmp_path / "film.mkv", moments(48), time_base=Fraction(1, 30))
    for flags, header, warned in ((["--telecine"], b" F24:1 ", False), (["--filter", "fps=10"], b" F30:1 ", True)):
        command = [sys.executable, "-m", "gfpvideo", "pipe", str(film), *QUICK_ARGUMENTS, *flags]
        piped = subprocess.run(command, capture_output=True, check=not warned)
        assert header in piped.stdout[:100]
        assert (b"the frame rate is 0.333 times what the header says" in piped.stderr) == warned


def test_wrong_filters_are_refused_in_one_line(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", moments(3))
    for text in ("nosuchfilter", "bwdif=mode=sideways", "scale=w=oops"):
        with VideoSource(film, filters=[text]) as source, pytest.raises(OptionError, match=text.split("=")[0]):
            list(source.frames())


def test_filters_keep_times(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", moments(8), ticks=[0, 3, 4, 9, 10, 17, 18, 30])
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        pictures = list(container.decode(stream))
        before = [picture.pts for picture in pictures]
        after = [picture.pts for picture in filtered(iter(pictures), ["hue=s=0", "hflip"], stream, stream.time_base)]
    assert after == before
