"""Films whose colour tags change on the way: the samples are the source's, the tags those of the first picture."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo.frames import Frame
from gfpvideo.media.colour import ColourTags, tags_of
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import Span
from gfpvideo.media.trace import Place
from quick import QUICK

BT601, BT709 = (1, 6, 6, 6), (1, 1, 1, 1)
"""Range, matrix, primaries and transfer."""


def _part(path: Path, tags: tuple[int, ...], first: int) -> bytes:
    """Sixteen frames of H.264 without a container."""
    with av.open(str(path), "w", format="h264") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = tags
        for index in range(16):
            picture = np.full((48, 64, 3), 40 + 5 * (first + index), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = first + index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    raw, film = tmp_path / "film.h264", tmp_path / "film.mkv"
    raw.write_bytes(_part(tmp_path / "a.h264", BT601, 0) + _part(tmp_path / "b.h264", BT709, 16))
    with av.open(str(raw)) as source, av.open(str(film), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        packet: Any
        for count, packet in enumerate(source.demux(video=0)):
            if packet.size:
                packet.pts = packet.dts = count * 40
                packet.time_base, packet.stream = stream.time_base, stream
                container.mux(packet)
    return film


def _pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def tags_of_all(frames: Iterable[Frame]) -> set[ColourTags]:
    pictures: list[Any] = [frame.picture for frame in frames]
    return {tags_of(picture) for picture in pictures}


def test_a_part_bears_the_tags_of_its_own_first_picture(film: Path) -> None:
    """Whether its frames are numbered from its beginning, or, as for --tracks, from the film's."""
    for count_all, first in ((False, 0), (True, 20)):
        with VideoSource(film, Span(Fraction(4, 5)), count_all=count_all) as source:
            frames = list(source.frames())
        assert (frames[0].index, len(frames)) == (first, 12)
        assert tags_of_all(frames) == {BT709}
        assert source.warnings == []


def test_a_part_that_ends_where_they_change_has_one_set(film: Path) -> None:
    with VideoSource(film, Span(end=Fraction(16, 25))) as source:
        assert len(list(source.frames())) == 16
    assert source.warnings == []


def test_a_change_is_named_by_its_frame_wherever_reading_began(film: Path) -> None:
    with VideoSource(film) as source:
        places = [frame.place for frame in source.frames() if isinstance(frame.place, Place)]
    assert {place.index for place in places} >= {12, 20}
    for place in places:
        with VideoSource(film) as source:
            assert tags_of_all(source.frames(place)) == {BT601}
        (warning,) = source.warnings
        assert "at frame 16 " in warning


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_film_bears_the_tags_of_its_first_picture(workers: int, film: Path, tmp_path: Path) -> None:
    assert {tags_of(picture) for picture in _pictures(film)} == {BT601, BT709}
    target = tmp_path / "restored.mkv"
    options = gfpvideo.RestoreOptions(**QUICK, crf=0, segment=8, workers=workers)
    report = gfpvideo.restore(film, target, options)
    (warning,) = [warning for warning in report.warnings if "colours' tags" in warning]
    assert "at frame 16 (matrix 6 to 1, primaries 6 to 1, transfer 6 to 1" in warning
    made = _pictures(target)
    assert [tags_of(picture) for picture in made] == [BT601] * 32
    for one, other in zip(made, _pictures(film), strict=True):
        np.testing.assert_array_equal(one.to_ndarray(), other.to_ndarray())
