"""YUV4MPEG2 through standard input and output: how programs hand raw pictures to each other."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import av.error
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame

from gfpvideo.errors import ClosedError, InputError, OptionError
from gfpvideo.media.atomic import write_error
from gfpvideo.media.encoder import JPEG_RANGE, closest_format, frame_rate
from gfpvideo.media.segment import prepared
from gfpvideo.media.source import VideoSource

STANDARD_INPUT, STANDARD_OUTPUT = Path("standard input"), Path("standard output")
_DEPTHS = ("9le", "10le", "12le", "14le", "16le")
FORMATS = [
    *("gray", "gray9le", "gray10le", "gray12le", "gray16le", "yuv411p"),
    *(f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", *_DEPTHS)),
]
"""Pixel formats that FFmpeg writes as YUV4MPEG2."""


def open_y4m(name: str = "pipe:0") -> InputContainer:
    """Standard input as a container; ``name`` may be anything else that FFmpeg reads.

    Raises:
        InputError: if something else comes in, or nothing.
    """
    try:
        return av.open(name, format="yuv4mpegpipe")
    except av.error.FFmpegError:
        raise InputError(
            f"{STANDARD_INPUT}: no YUV4MPEG2 comes in; send some, as with: ffmpeg -i film -f yuv4mpegpipe -strict -1 -"
        ) from None


class Y4mWriter:
    """Writes pictures to standard output, one after the other; waits for who reads them."""

    def __init__(self, source: VideoSource, name: str = "pipe:1") -> None:
        """Write what was made of ``source`` to ``name``, by default standard output."""
        self.warnings: list[str] = []
        self._source, self._name = source, name
        self._container: OutputContainer | None = None
        self._stream: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._container is None:
            return
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except av.error.FFmpegError as error:
            if kind is None:
                raise _failure(error) from None

    def write(self, picture: VideoFrame, place: int) -> None:
        """Write picture number ``place``.

        Raises:
            ClosedError: if nobody reads any more.
            OutputError: if writing fails otherwise.
        """
        try:
            if self._container is None:
                self._begin(picture)
            ready = prepared(picture, self._stream.pix_fmt)
            ready.pts, ready.time_base = place, 1 / self._rate
            self._container.mux(self._stream.encode(ready))  # type: ignore[union-attr]  # begun above
        except av.error.FFmpegError as error:
            raise _failure(error) from None

    def _begin(self, first: VideoFrame) -> None:
        plain = JPEG_RANGE.get(first.format.name, first.format.name)
        chosen = plain if plain in FORMATS else closest_format(FORMATS, plain)
        if chosen is None:
            raise OptionError(f"YUV4MPEG2 cannot hold {plain}; convert it with --filter-after format=...")
        if chosen != plain:
            self.warnings.append(f"YUV4MPEG2 cannot hold {plain}: samples are converted to {chosen}")
        stream = self._source.stream
        self._rate: Fraction = frame_rate([stream.guessed_rate, stream.average_rate])
        self._container = av.open(self._name, "w", format="yuv4mpegpipe", container_options={"strict": "-1"})
        self._stream = self._container.add_stream("wrapped_avframe", rate=self._rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = first.width, first.height, chosen
        self._stream.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio or 0
        self._stream.codec_context.color_range = first.color_range


def _failure(error: Any) -> Exception:
    if isinstance(error, BrokenPipeError):
        return ClosedError(f"{STANDARD_OUTPUT} was closed")
    return write_error(STANDARD_OUTPUT, OSError(error.errno, error.strerror))
