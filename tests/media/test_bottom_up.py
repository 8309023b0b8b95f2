"""Pictures that are stored from the last row up, as raw AVI has them, are the same pictures."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skimage.data

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.pixel_format import components
from gfpvideo.media.source import VideoSource
from helpers import facts

ASTRONAUT = skimage.data.astronaut()[:240, 120:320]


def raw(path: Path, *, bottom_up: bool, frames: int = 3, pix_fmt: str = "bgr24") -> Path:
    """Uncompressed AVI of a face, in the order that is asked for."""
    options = {"flipped_raw_rgb": "1"} if bottom_up else {}
    with av.open(str(path), "w", format="avi", options=options) as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.height, stream.width = ASTRONAUT.shape[:2]
        stream.pix_fmt = pix_fmt
        for index in range(frames):
            picture = np.roll(ASTRONAUT, index, axis=1)
            # The option only says what order the rows are in: they are written as they come.
            picture = np.ascontiguousarray(picture[::-1] if bottom_up else picture)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=pix_fmt)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def twins(tmp_path: Path) -> tuple[Path, Path]:
    """The same film bottom-up and top-down."""
    film, twin = raw(tmp_path / "up.avi", bottom_up=True), raw(tmp_path / "down.avi", bottom_up=False)
    with av.open(str(film)) as container, av.open(str(twin)) as other:
        assert next(container.decode(video=0)).planes[0].line_size < 0
        assert next(other.decode(video=0)).planes[0].line_size > 0
    return film, twin


@pytest.mark.parametrize("filters", [[], ["hflip"]])
def test_frames_are_the_same_as_top_down(filters: list[str], twins: tuple[Path, Path]) -> None:
    with VideoSource(twins[0], filters=filters) as film, VideoSource(twins[1], filters=filters) as twin:
        for one, other in zip(film.frames(), twin.frames(), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one.components, other.components, strict=True))
            assert np.array_equal(one.thumbnail(64), other.thumbnail(64))
            if not filters and one.index == 0:
                assert np.array_equal(np.dstack(one.components), ASTRONAUT)


def test_writing_through_the_views_changes_the_same_rows(twins: tuple[Path, Path]) -> None:
    with av.open(str(twins[0])) as container:
        frame = next(container.decode(video=0))
        frame.make_writable()
        components(frame)[0][10:12, 20:30] = 7
        assert (frame.to_ndarray(format="rgb24")[10:12, 20:30, 0] == 7).all()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["ffv1", "libx264rgb", "libx264"])
def test_restorations_are_the_same_as_top_down(codec: str, twins: tuple[Path, Path], tmp_path: Path) -> None:
    found = []
    for film in twins:
        target = tmp_path / f"{film.stem}.mkv"
        report = gfpvideo.restore(film, target, RestoreOptions(model="compact", codec=codec, detect_size=256))
        assert report.faces == 3
        found.append(facts(target, planes=True).planes)
    assert found[0] == found[1]


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264rgb", "bgr24"), ("ffv1", "bgra")])
def test_frames_that_nobody_touches_are_the_same_as_top_down(codec: str, pix_fmt: str, tmp_path: Path) -> None:
    """Nothing copies or converts them on the way to these encoders, which are handed the rows as they lie."""
    found = []
    for name, bottom_up in (("up", True), ("down", False)):
        film = raw(tmp_path / f"{name}.avi", bottom_up=bottom_up, pix_fmt=pix_fmt)
        target = tmp_path / f"{name}.mkv"
        gfpvideo.restore(film, target, RestoreOptions(model="compact", codec=codec, min_score=0.99, detect_size=64))
        found.append(facts(target, planes=True))
    assert found[0].planes == found[1].planes
    if codec == "ffv1":
        assert np.array_equal(found[0].first.to_ndarray(format="rgb24"), ASTRONAUT)
