"""Decode a film: frames in their own pixel format, and the packets of its other streams."""

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self

import av
import av.error
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gfpvideo.errors import CorruptMediaError, InputError, OptionError, UnsupportedMediaError
from gfpvideo.frames import Frame
from gfpvideo.media.filters import filtered
from gfpvideo.media.limits import Limits
from gfpvideo.media.orientation import Orientation, turn_of
from gfpvideo.media.pixel_format import components, read_only, samples
from gfpvideo.media.side_data import side_data
from gfpvideo.media.span import Span, from_last_key_frame, times, trimmed
from gfpvideo.media.thumbnail import shrunk
from gfpvideo.media.timing import TimestampRepair

_HOPELESS = 10_000
"""Packets without a single picture after which a stream is given up."""
_TOLERATED_SECONDS = Fraction(1, 5)
"""Difference between announced and found duration that muxers make all by themselves."""
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
"""How Matroska files tag a stream with its duration."""
_LATE_STREAM = "a stream begins in the middle of the file: left out"
NO_TURN = ((1, 0), (0, 1))


class VideoSource:
    """An opened film.

    Iterate over :meth:`frames` once; afterwards :attr:`warnings` are complete, and :meth:`others` can be read.
    """

    def __init__(
        self,
        path: Path,
        span: Span | None = None,
        *,
        count_all: bool = False,
        filters: Sequence[str] = (),
        limits: Limits | None = None,
        container: InputContainer | None = None,
    ) -> None:
        """Open a film.

        Args:
            path: the file.
            span: the part to read, by default all of it.
            count_all: number frames from the film's beginning, for which all before the part must be decoded.
            limits: what the file may ask for.
            container: what to read instead of opening ``path``, which is only its name then.
            filters: FFmpeg filters that every picture goes through; see :func:`gfpvideo.media.filters.filtered`.

        Raises:
            InputError: if the file cannot be opened.
            UnsupportedMediaError: if it holds no video that can be decoded.
        """
        self.path = path
        self._limits = limits or Limits()
        self.warnings: list[str] = []
        self.display_matrix: tuple[int, ...] | None = None
        self.last_duration = 0
        """Ticks for which the last frame is shown, 0 if nothing tells; complete once the frames have been read."""
        self._span, self._count_all, self._filters = span or Span(), count_all, filters
        self._packets = self._pictures = 0
        self._latest: int | None = None
        self._end = self._video_end = Fraction(0)
        self._corrupt = 0
        self.container = container or open_container(path)
        try:
            self.stream = main_video(self.container, path, self._limits)
        except UnsupportedMediaError:
            self.container.close()
            raise
        self._timestamps = TimestampRepair(self.time_base, self.stream.guessed_rate)
        self._began = self._beginning()
        self._first = self._offset = Fraction(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick of the video stream."""
        assert self.stream.time_base is not None
        return self.stream.time_base

    @property
    def expected_frames(self) -> int | None:
        """About how many frames there are, for a progress bar; containers often do not know."""
        if self.stream.frames and self._span.whole:
            return self.stream.frames
        rate, duration = self.stream.guessed_rate, self.container.duration
        if not rate or not duration:
            return None
        end = min(Fraction(duration, 1_000_000), self._span.end or Fraction(duration, 1_000_000))
        return max(0, round(float(rate * (end - self._span.start))))

    @property
    def other_streams(self) -> list[Stream]:
        """All streams but the video that is restored."""
        return [stream for stream in self.container.streams if stream.index != self.stream.index]

    def frames(self) -> Iterator[Frame]:
        """Every frame that can be decoded, in order of presentation.

        Raises:
            CorruptMediaError: if there is not a single one.
            UnsupportedMediaError: if the picture's size or format changes on the way.
        """
        decoded = count = 0
        pictures = self._decode()
        if self._filters:
            pictures = filtered(pictures, self._filters, self.stream, self.time_base)
        timed = self._timestamps((picture, picture.pts) for picture in pictures)
        for index, (picture, ticks) in enumerate(timed):
            if index == 0:
                self._look_at(picture)
            self._check_unchanged(picture, index)
            decoded += 1
            time = ticks * self.time_base - self._began
            if self._span.past(time):
                break
            if time < self._span.start:
                continue
            if count == 0:
                self._first = ticks * self.time_base
                self._offset = Fraction(0) if self._span.whole else time
            pts = ticks - round(self._offset / self.time_base)
            self.last_duration = picture.duration or self.last_duration
            yield self._frame(picture, index if self._count_all else count, pts)
            count += 1
        if not decoded:
            raise CorruptMediaError(f"{self.path}: not one frame of its video can be decoded ({self._codec_name})")
        if not count:
            raise OptionError(f"{self.path}: has no frame in the part that --start and --end ask for")
        self._conclude(count)

    def others(self, indexes: Collection[int]) -> Iterator[Packet]:
        """The packets of other streams, in the file's order; call it once the frames have been read.

        Of a part of the film, those that belong to it, at their new times.

        Args:
            indexes: which streams.
        """
        with open_container(self.path) as container:
            for packet in _readable(container):
                found = times(packet)
                if found is not None and self._span.exhausted(found[0] - self._began):
                    return
                if packet.stream_index in indexes and (
                    self._span.whole or trimmed(packet, packet.stream.type, self._first, self._ends, self._offset)
                ):
                    yield packet

    def chapters(self) -> list[Any]:
        """The chapters of the part that is read, at their new times."""
        if self._span.whole:
            return self.container.chapters()
        return list(_chapters_between(self.container.chapters(), self._first, self._ends, self._offset))

    @property
    def _ends(self) -> Fraction | None:
        """Where the part that is read ends, on the file's clock."""
        return None if self._span.end is None else self._began + self._span.end

    @property
    def _codec_name(self) -> str:
        return self.stream.codec_context.name

    def _demux(self) -> Iterator[Packet]:
        """Packets of all streams up to the end, or up to where the file is broken; flush packets are left out."""
        for packet in _readable(self.container, self.warnings):
            self._note_end(packet)
            found = times(packet)
            if found is not None and self._span.exhausted(found[0] - self._began):
                return
            yield packet

    def _note_end(self, packet: Packet) -> None:
        if packet.pts is None:
            return
        end = (packet.pts + (packet.duration or 0)) * packet.time_base
        self._end = max(self._end, end)
        if packet.stream_index == self.stream.index:
            self._video_end = max(self._video_end, end)

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._demux()
        if self._span.start and not self._count_all:
            packets = from_last_key_frame(packets, self.stream, self._began + self._span.start)
        for packet in packets:
            if packet.stream_index == self.stream.index:
                self._packets += 1
                yield from self._decode_packet(packet)
                if not self._pictures and self._packets >= _HOPELESS:
                    return
        if self._packets:
            yield from self._rest()

    def _beginning(self) -> Fraction:
        """Time of the film's first frame, as far as the container tells before one is decoded."""
        if self.stream.start_time is not None:
            return self.stream.start_time * self.time_base
        return Fraction(self.container.start_time or 0, 1_000_000)

    def _decode_packet(self, packet: Packet | None) -> Iterator[VideoFrame]:
        """Pictures that ``packet`` completes, or with ``None`` those that the decoder still holds."""
        try:
            for picture in self.stream.decode(packet):
                self._pictures += 1
                self._latest = picture.pts
                yield picture
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self._corrupt += 1

    def _rest(self) -> Iterator[VideoFrame]:
        """Pictures that the decoder still holds when the packets have ended.

        If one of them is damaged, PyAV gives none of them out (its decoder works on several at a time): they are
        decoded once more, one after the other.
        """
        damaged = self._corrupt
        yield from self._decode_packet(None)
        if self._corrupt > damaged and self._latest is not None and self.path.is_file():
            yield from pictures_after(self.path, self._latest, self._limits)

    def _look_at(self, first: VideoFrame) -> None:
        """Note what holds for the whole film."""
        self._shape = _shape(first)
        check_size(first.width, first.height, self.path, self._limits)
        if self.stream.metadata.get("alpha_mode") == "1":
            self.warnings.append("the picture's transparency is stored beside it (WebM), which is not read: left out")
        self.display_matrix = display_matrix(first)
        self._orientation = orientation_of(first, self.stream.sample_aspect_ratio, self.display_matrix)

    def _check_unchanged(self, picture: VideoFrame, count: int) -> None:
        before, now = self._shape, _shape(picture)
        if before != now:
            raise UnsupportedMediaError(
                f"{self.path}: the picture changes from {before[0]}x{before[1]} {before[2]} to"
                f" {now[0]}x{now[1]} {now[2]} at frame {count}; split the film there"
            )

    def _frame(self, picture: VideoFrame, index: int, pts: int) -> Frame:
        picture.pts = pts
        how = samples(picture)
        return Frame(
            index=index,
            pts=pts,
            time_base=self.time_base,
            components=read_only(components(picture)),
            samples=how,
            to_display=self._orientation.to_display(),
            shrink=partial(shrunk, picture, how, self._orientation),
            picture=picture,
        )

    def _conclude(self, frames: int) -> None:
        announced = self.stream.frames if self._span.whole else 0
        if self._timestamps.repaired:
            count = self._timestamps.repaired
            self.warnings.append(f"{count} timestamps were missing, equal or out of order: repaired")
        if self._corrupt:
            self.warnings.append(f"{self._corrupt} damaged packets could not be decoded: skipped")
        if announced and self._packets < announced:
            self.warnings.append(f"the file is cut off: it announces {announced} frames, {frames} could be restored")
        elif (missing := self._missing_seconds()) > _TOLERATED_SECONDS:
            self.warnings.append(f"the file is cut off: {float(missing):.1f} seconds that it announces are missing")

    def _missing_seconds(self) -> Fraction:
        """How much earlier the packets end than a Matroska header says; other containers only estimate."""
        if "matroska" not in self.container.format.name or not self._span.whole:
            return Fraction(0)
        tagged = _DURATION_TAG.fullmatch(self.stream.metadata.get("DURATION", ""))
        if tagged:
            hours, minutes, seconds = tagged.groups()
            return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds) - self._video_end
        return Fraction(self.container.duration or 0, 1_000_000) - self._end


def pictures_after(path: Path, ticks: int, limits: Limits) -> Iterator[VideoFrame]:
    """Pictures of a film that are shown later than ``ticks``, as far as they can be decoded, each by itself."""
    with open_container(path) as container:
        stream = main_video(container, path, limits)
        stream.codec_context.thread_type = "SLICE"
        with suppress(av.error.FFmpegError):
            container.seek(ticks, stream=stream)
        for packet in chain((packet for packet in _readable(container) if packet.stream is stream), [None]):
            with suppress(av.error.FFmpegError):
                yield from (picture for picture in stream.decode(packet) if (picture.pts or 0) > ticks)


def _readable(container: InputContainer, warnings: list[str] | None = None) -> Iterator[Packet]:
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


def _chapters_between(
    chapters: Iterable[Any], first: Fraction, end: Fraction | None, offset: Fraction
) -> Iterator[Any]:
    for chapter in chapters:
        base = chapter["time_base"]
        begins, ends = max(chapter["start"] * base, first), chapter["end"] * base
        ends = ends if end is None else min(ends, end)
        if begins < ends:
            yield {**chapter, "start": round((begins - offset) / base), "end": round((ends - offset) / base)}


def _shape(picture: VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def orientation_of(picture: VideoFrame, aspect: Fraction | None, matrix: tuple[int, ...] | None) -> Orientation:
    """Orientation of a decoded picture; angles other than quarter-turns are left to the player."""
    turn = turn_of(matrix) if matrix else None
    return Orientation(picture.width, picture.height, aspect or Fraction(1), turn or NO_TURN)


def display_matrix(picture: VideoFrame) -> tuple[int, ...] | None:
    """The display matrix that came with a picture, nine integers, or ``None``."""
    data = side_data(picture, "DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", data)


def open_container(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises:
        InputError: if that is not possible.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0 and path.is_file():
        raise InputError(f"{path}: the file is empty")
    try:
        return av.open(f"file:{path}", "r", metadata_errors="replace")
    except av.error.InvalidDataError:
        raise InputError(
            f"{path}: not a film (FFmpeg does not recognise its content, or its index is missing)"
        ) from None
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error})") from None


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


def describe(stream: Stream) -> str:
    """A stream in a few printable words: ``audio 1 (aac, eng)``."""
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown codec"
    details = ", ".join(part for part in (codec, stream.language or "") if part and part != "und")
    return re.sub(r"[^\x20-\x7e]", "?", f"{stream.type} {stream.index} ({details})")
