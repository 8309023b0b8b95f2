"""Films whose picture changes its size on the way are refused, filters or not, with the frame and both sizes."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError, UnsupportedMediaError
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import Span

DEINTERLACE = ["bwdif=mode=send_frame:deint=all"]


def part(path: Path, size: tuple[int, int], start: int) -> bytes:
    """Ten frames of H.264 without a container: bright right half, black left half."""
    with av.open(str(path), "w", format="h264") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(10):
            picture = np.full((size[1], size[0], 3), 200, np.uint8)
            picture[:, : size[0] // 2] = 0
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = start + index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.fixture(params=[((1280, 960), (320, 240)), ((256, 192), (128, 96))], ids=["error", "silent"])
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two sizes one after the other. Filters fail on the first pair, and read past the picture of the second."""
    large, small = request.param
    film = tmp_path / "film.h264"
    film.write_bytes(part(tmp_path / "a.h264", large, 0) + part(tmp_path / "b.h264", small, 20))
    return film


@pytest.mark.parametrize("filters", [[], DEINTERLACE, ["hflip"]], ids=["none", "bwdif", "hflip"])
def test_a_change_of_size_is_named_after_the_frames_before_it(filters: list[str], film: Path) -> None:
    seen = []
    with VideoSource(film, filters=filters) as source:
        size = f"{source.stream.width}x{source.stream.height}"
        with pytest.raises(UnsupportedMediaError, match=rf"changes from {size} yuv420p to .* at frame 10; split"):
            seen.extend(frame.components[0][:, -8:].mean() for frame in source.frames())
    assert len(seen) == 10
    assert min(seen if filters != ["hflip"] else [200.0]) > 150


def test_a_part_that_ends_before_the_change_is_read(film: Path) -> None:
    for filters in ([], DEINTERLACE):
        with VideoSource(film, span=Span(end=Fraction(1, 5)), filters=filters) as source:
            assert len(list(source.frames())) == 5


def test_the_refusal_of_a_restoration_is_about_the_film_not_about_writing(film: Path, tmp_path: Path) -> None:
    options = RestoreOptions(filters=tuple(DEINTERLACE), codec="ffv1", model="compact", detect_size=64)
    with pytest.raises(UnsupportedMediaError, match="at frame 10; split the film there"):
        gfpvideo.restore(film, tmp_path / "out.mkv", options)
    assert not (tmp_path / "out.mkv").exists()


def test_what_a_filter_raises_in_the_midst_of_a_film_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's own errors are also OSErrors: whoever writes files would take them for a full or read-only disk."""
    from gfpvideo.media import filters

    class Graph:
        def push(self, _: object) -> None:
            raise av.error.PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(filters, "_graph", lambda *_: Graph())
    stream: Any = None
    with pytest.raises(OptionError, match=r"filters hflip: fail on this film \(Operation not permitted\)"):
        list(filters.filtered(iter([av.VideoFrame(64, 64)]), ["hflip"], stream, Fraction(1, 25)))


def test_filters_that_leave_nothing_are_named(tmp_path: Path) -> None:
    film = tmp_path / "film.h264"
    film.write_bytes(part(film, (64, 48), 0))
    with (
        VideoSource(film, filters=["select=0"]) as source,
        pytest.raises(OptionError, match=r"filters .* leave no frame"),
    ):
        list(islice(source.frames(), 1))


def test_what_pictures_raise_is_no_error_of_writing(tmp_path: Path) -> None:
    """FFmpeg's errors are OSErrors: those of a decoder or filter must not tell of a folder that cannot be written."""

    def broken() -> Iterator[Any]:
        raise av.error.PermissionError(1, "Operation not permitted")
        yield

    film = tmp_path / "film.h264"
    film.write_bytes(part(film, (64, 48), 0))
    with VideoSource(film) as source, pytest.raises(av.error.PermissionError):
        list(SegmentEncoder(source, RestoreOptions(codec="ffv1")).encode(tmp_path / "segment.mkv", broken()))
