"""Open files, and find the stream that is restored."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from gfpvideo.errors import InputError, OptionError, UnsupportedMediaError

_LOOK_FAR = {"probesize": "50000000", "analyzeduration": "60000000"}
"""Bytes, and microseconds, in which streams are looked for that no header names."""
_LATE_STREAM = "a stream begins in the middle of the file: left out"


@dataclass(frozen=True)
class Limits:
    """What a file may ask for: no film reaches these limits but a hostile file may, and options raise them."""

    max_side: int = 16_384
    """Widest or highest picture that is decoded."""
    max_streams: int = 256
    """Most streams of a file."""


def open_container(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises:
        InputError: if that is not possible.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_fifo():
        raise InputError(f"{path}: is a pipe, and can be read only once; give - and send the film to standard input")
    if path.stat().st_size == 0 and path.is_file():
        raise InputError(f"{path}: the file is empty")
    try:
        container = av.open(f"file:{path}", "r", metadata_errors="replace")
        if container.format.name != "mpeg":
            return container
        container.close()  # a DVD's: no header tells its streams, and subtitles begin when somebody speaks
        return av.open(f"file:{path}", "r", metadata_errors="replace", options=_LOOK_FAR)
    except av.error.InvalidDataError:
        raise InputError(
            f"{path}: not a film (FFmpeg does not recognise its content, or its index is missing)"
        ) from None
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error})") from None


@contextmanager
def pictures_from(path: Path) -> Iterator[InputContainer]:
    """A file that is opened to decode pictures, and closed by :func:`let_go`.

    Raises:
        InputError: if that is not possible.
    """
    container = open_container(path)
    try:
        yield container
    finally:
        let_go(container)


def let_go(container: InputContainer) -> None:
    """Close a file of which pictures were decoded, perhaps not all that decoders work ahead on in threads of their own.

    PyAV frees a decoder without giving up Python's lock, for which those threads wait with every message once somebody
    listens to FFmpeg (older versions of torchvision do): they have to be done before.
    """
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.flush_buffers()
    container.close()


def open_on_device(path: Path, kind: str) -> InputContainer:
    """Open a file whose picture a device decodes, or nothing does; decoded pictures come back to host memory.

    No such device was at hand where this was written: that a film comes out the same is not tested.

    Args:
        path: the file.
        kind: of device, as FFmpeg names it: ``cuda``, ``vaapi``, ``qsv`` ...

    Raises:
        InputError: if the file cannot be opened.
        OptionError: if there is no such device, or it does not decode this film.
    """
    if kind not in hwdevices_available():
        raise OptionError(f"option hwaccel = {kind!r}: this build of PyAV knows {', '.join(hwdevices_available())}")
    open_container(path).close()
    try:
        device = HWAccel(kind, allow_software_fallback=False)
        return av.open(f"file:{path}", "r", metadata_errors="replace", hwaccel=device)
    except (av.error.FFmpegError, RuntimeError) as error:
        raise OptionError(f"{path}: option hwaccel = {kind!r}: cannot decode it here ({error})") from None


def main_video(container: InputContainer, path: Path, limits: Limits) -> VideoStream:
    """The video stream that is restored: the best one, cover pictures aside.

    Raises:
        UnsupportedMediaError: if there is none, or it cannot or should not be decoded.
    """
    if len(container.streams) > limits.max_streams:
        raise UnsupportedMediaError(
            f"{path}: has {len(container.streams)} streams; if that is meant, raise --max-streams"
        )
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise UnsupportedMediaError(f"{path}: has no video, only {found}")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in films else films[0]
    if stream.codec_context is None:
        raise UnsupportedMediaError(f"{path}: its video codec is unknown or encrypted")
    check_size(stream.width, stream.height, path, limits)
    stream.codec_context.thread_type = "AUTO"
    return stream


def check_size(width: int, height: int, path: Path, limits: Limits) -> None:
    """Refuse a picture that is larger than the limit.

    Raises:
        UnsupportedMediaError: naming the option that raises it.
    """
    if max(width, height) > limits.max_side:
        raise UnsupportedMediaError(f"{path}: {width}x{height} pixels; if that is meant, raise --max-side")


def packets_of(container: InputContainer, warnings: list[str] | None = None) -> Iterator[Packet]:
    """Packets up to the end, or up to where the file is broken, which ``warnings`` then says; no flush packets."""
    packets = container.demux()
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:
            # PyAV's answer to a packet of a stream that was not there when the file was opened (transport streams).
            packets = container.demux()
            if warnings is not None and _LATE_STREAM not in warnings:
                warnings.append(_LATE_STREAM)
            continue
        except av.error.FFmpegError as error:
            if warnings is not None:
                warnings.append(f"the file is damaged or cut off: reading ended early ({error.strerror})")
            return
        if packet.size:
            yield packet


def describe(stream: Stream) -> str:
    """A stream in a few printable words: ``audio 1 (aac, eng)``."""
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown codec"
    details = ", ".join(part for part in (codec, stream.language or "") if part and part != "und")
    return re.sub(r"[^\x20-\x7e]", "?", f"{stream.type} {stream.index} ({details})")
