"""FFmpeg filters before and after the restoration."""

from pathlib import Path

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError
from gfpvideo.media.source import VideoSource
from helpers import facts, smooth_picture, write_film


@pytest.fixture
def clip(rng: np.random.Generator, tmp_path: Path) -> Path:
    pictures = [(255 * smooth_picture(rng, 64, 96)).astype(np.uint8) for _ in range(20)]
    return write_film(tmp_path / "clip.mkv", pictures, pix_fmt="yuv444p")


@pytest.mark.parametrize("where", ["filters", "filters_after"])
def test_filters_see_every_picture(where: str, clip: Path, tmp_path: Path) -> None:
    """Two mirrors are none, one turns the picture over. Segments of 8 frames: each begins a graph of its own."""
    once, twice = tmp_path / "once.mkv", tmp_path / "twice.mkv"
    for target, chain in ((once, ("vflip",)), (twice, ("vflip", "vflip"))):
        gfpvideo.restore(clip, target, RestoreOptions.parse({where: chain, "codec": "ffv1", "segment": 8}))
    expected, seen = facts(clip, planes=True), facts(once, planes=True)
    assert facts(twice, planes=True).planes == expected.planes
    rows = [[np.frombuffer(plane, np.uint8).reshape(64, 96) for plane in planes] for planes in expected.planes]
    assert seen.planes == [[plane[::-1].tobytes() for plane in planes] for planes in rows]
    assert seen.pts == expected.pts


@pytest.mark.parametrize(
    ("chain", "times_as_long"),
    [(("bwdif=mode=send_frame:deint=all",), 1.0), (("fps=50",), 0.5), (("fieldmatch", "decimate"), 1.25)],
)
def test_the_last_frame_is_shown_as_long_as_those_before_it(
    chain: tuple[str, ...], times_as_long: float, tmp_path: Path
) -> None:
    """Filters count in ticks of their own."""
    film = write_film(tmp_path / "film.mp4", [np.full((64, 96, 3), 10 * index, np.uint8) for index in range(20)])
    with VideoSource(film) as plain:
        assert list(plain.frames())
    with VideoSource(film, filters=chain) as source:
        pts = [frame.pts for frame in source.frames()]
    assert source.last_duration == pts[-1] - pts[-2] == times_as_long * plain.last_duration


def test_filters_after_may_change_the_size(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "large.mkv"
    options = RestoreOptions(filters_after=("scale=192:128", "format=yuv420p10le"), codec="ffv1", segment=8)
    gfpvideo.restore(clip, target, options)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.format.name) == (192, 128, "yuv420p10le")
    assert facts(target).pts == facts(clip).pts


def test_filters_that_lose_frames_or_do_not_exist_are_refused(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.mkv"
    for values, words in (
        ({"filters_after": ("fps=50",)}, "must keep every frame"),
        ({"filters_after": ("framestep=2",)}, "must keep every frame"),
        ({"filters": ("nosuch=1",)}, "filter 'nosuch=1'"),
        ({"filters": ("scale=w=:nonsense",)}, "filter 'scale=w=:nonsense'"),
    ):
        with pytest.raises(OptionError, match=words):
            gfpvideo.restore(clip, target, RestoreOptions.parse(values))
        assert not target.exists()
