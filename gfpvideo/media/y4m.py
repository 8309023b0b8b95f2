"""YUV4MPEG2 through standard input and output: how programs hand raw pictures to each other."""

import os
from collections.abc import Iterator
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
from gfpvideo.stages.threads import run_ahead

STANDARD_INPUT, STANDARD_OUTPUT = Path("standard input"), Path("standard output")
_DEPTHS = ("9le", "10le", "12le", "14le", "16le")
FORMATS = [
    *("gray", "gray9le", "gray10le", "gray12le", "gray16le", "yuv411p"),
    *(f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", *_DEPTHS)),
]
"""Pixel formats that FFmpeg writes as YUV4MPEG2."""


_CHUNK = 1 << 18
"""Bytes that are read at a time, at most; a pipe seldom holds more."""
_CHUNKS = 4
"""Chunks that are read ahead."""


class _InterruptError(Exception):
    """Carries an interrupt, its cause, through FFmpeg: PyAV hands on mere exceptions alone."""


class _Incoming:
    """Standard input as a file, which can be left while nothing comes in.

    FFmpeg would wait in the system, where no signal reaches Python. A thread that only reads does the waiting here.
    """

    def __init__(self) -> None:
        self._chunks = run_ahead(_chunks_of(0), _CHUNKS, leave_behind=True)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none at the end."""
        try:
            self._rest = self._rest or memoryview(next(self._chunks, b""))
        except Exception:
            raise
        except BaseException as interrupt:
            raise _InterruptError from interrupt
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def close(self) -> None:
        """Read no more."""
        self._chunks.close()


def _chunks_of(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, _CHUNK):
        yield chunk


class _Outgoing:
    """Standard output as a file; an interrupt reaches Python while nobody reads what is written."""

    def __init__(self) -> None:
        self._left = False

    def write(self, content: bytes) -> int:
        """Write everything, or nothing once it was left."""
        rest = memoryview(content)
        try:
            while rest and not self._left:
                rest = rest[os.write(1, rest) :]
        except BaseException as error:
            self._left = True
            if isinstance(error, Exception):
                raise
            raise _InterruptError from error
        return len(content)

    def leave(self) -> None:
        """Drop all that is still written: nobody may be there to read it."""
        self._left = True


def open_y4m(name: str | None = None) -> InputContainer:
    """Standard input as a container; ``name`` may be anything else that FFmpeg reads.

    Raises:
        InputError: if something else comes in, or nothing.
    """
    try:
        return av.open(_Incoming() if name is None else name, "r", format="yuv4mpegpipe")
    except _InterruptError as error:
        raise error.__cause__ or KeyboardInterrupt from None
    except av.error.FFmpegError:
        raise InputError(
            f"{STANDARD_INPUT}: no YUV4MPEG2 comes in; send some, as with: ffmpeg -i film -f yuv4mpegpipe -strict -1 -"
        ) from None
    except OSError as error:
        raise InputError(f"{STANDARD_INPUT}: cannot be read ({error.strerror})") from None


class Y4mWriter:
    """Writes pictures to standard output, one after the other; waits for who reads them."""

    def __init__(self, source: VideoSource, share: Fraction = Fraction(1)) -> None:
        """Write what was made of ``source``, of whose frames filters leave a ``share``."""
        self.warnings: list[str] = []
        stream = source.stream
        self.rate: Fraction = share * frame_rate([stream.guessed_rate, stream.average_rate])
        """Frames a second that the header tells."""
        self._source, self._output = source, _Outgoing()
        self._container: OutputContainer | None = None
        self._stream: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._container is None:
            return
        if kind is not None:
            self._output.leave()
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except (OSError, av.error.FFmpegError, _InterruptError) as error:
            if kind is None:  # else FFmpeg repeats what ended us
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
            ready.pts, ready.time_base = place, 1 / self.rate
            self._container.mux(self._stream.encode(ready))  # type: ignore[union-attr]  # begun above
        except (OSError, av.error.FFmpegError, _InterruptError) as error:
            raise _failure(error) from None

    def _begin(self, first: VideoFrame) -> None:
        plain = JPEG_RANGE.get(first.format.name, first.format.name)
        chosen = plain if plain in FORMATS else closest_format(FORMATS, plain)
        if chosen is None:
            raise OptionError(f"YUV4MPEG2 cannot hold {plain}; convert it with --filter-after format=...")
        if chosen != plain:
            self.warnings.append(f"YUV4MPEG2 cannot hold {plain}: samples are converted to {chosen}")
        stream = self._source.stream
        self._container = av.open(self._output, "w", format="yuv4mpegpipe", container_options={"strict": "-1"})
        self._stream = self._container.add_stream("wrapped_avframe", rate=self.rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = first.width, first.height, chosen
        self._stream.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio or 0
        self._stream.codec_context.color_range = first.color_range


def _failure(error: Any) -> BaseException:
    if isinstance(error, _InterruptError):
        return error.__cause__ or KeyboardInterrupt()
    if isinstance(error, BrokenPipeError):
        return ClosedError(f"{STANDARD_OUTPUT} was closed")
    return write_error(STANDARD_OUTPUT, OSError(error.errno, error.strerror))
