"""Decode the picture of a film, and keep account of what is damaged or missing."""

import re
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.media.container import Limits, check_size, main_video, packets_of, pictures_from
from gfpvideo.media.span import Span, from_last_key_frame, times
from gfpvideo.media.trace import OtherPictureError, Place

_HOPELESS = 10_000
"""Packets without a single picture after which a stream is given up."""
_TOLERATED_SECONDS = Fraction(1, 5)
"""Difference between announced and found duration that muxers make all by themselves."""
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
"""How Matroska files tag a stream with its duration."""


class Decoder:
    """Decodes one stream of an opened file, once."""

    def __init__(
        self, path: Path, container: InputContainer, stream: VideoStream, began: Fraction, span: Span, limits: Limits
    ) -> None:
        """Decode what ``span`` holds of ``stream``, which began at ``began`` on the file's clock."""
        self._path, self._container, self._stream = path, container, stream
        self._began, self._span, self._limits = began, span, limits
        self._found: list[str] = []
        self.count = 0
        """Pictures that were decoded."""
        self.damaged = 0
        """Packets that could not be decoded."""
        self.keys: dict[int, tuple[int, Fraction]] = {}
        """Timestamps of key frames; how many packets came before each, and the latest end of any until then."""
        self._packets = 0
        self._latest: int | None = None
        self._end = self._video_end = Fraction(0)

    def pictures(self, *, from_the_beginning: bool) -> Iterator[VideoFrame]:
        """Every picture that can be decoded, in order of presentation; a few before the span may come along.

        Args:
            from_the_beginning: whether pictures before the span are wanted too.
        """
        packets = self._demux()
        if self._span.start and not from_the_beginning:
            packets = from_last_key_frame(packets, self._stream, self._began + self._span.start)
        yield from self._decoded(packets)

    def pictures_since(self, place: Place) -> Iterator[VideoFrame]:
        """Every picture from a key frame on, which is looked for by the container's own index.

        Raises:
            OtherPictureError: if it is not found there.
        """
        try:
            self._container.seek(place.pts, stream=self._stream)
        except (av.error.FFmpegError, OSError):
            raise OtherPictureError(f"{self._path}: FFmpeg cannot jump in this file") from None
        found = False
        for picture in self._decoded(self._demux()):
            if not found:
                if picture.pts is None or picture.pts < place.pts:
                    continue  # of the group of pictures before, or shown before the key frame
                if picture.pts != place.pts:
                    break
                # What was damaged until here leaned on pictures from before the jump.
                found, self.damaged, self._packets = True, 0, self._packets + place.packets
                self._end = max(self._end, place.end)
            yield picture
        if not found:
            raise OtherPictureError(f"{self._path}: there is no picture of time {place.pts} where its index says")

    def _decoded(self, packets: Iterator[Packet]) -> Iterator[VideoFrame]:
        for packet in packets:
            if packet.stream_index == self._stream.index:
                if packet.is_keyframe and packet.pts is not None:
                    self.keys[packet.pts] = self._packets, self._end
                self._packets += 1
                yield from self._decode(packet)
                if not self.count and self._packets >= _HOPELESS:
                    return
        if self._packets:
            yield from self._rest()

    def findings(self, frames: int) -> list[str]:
        """What was found damaged or missing, ``frames`` having been restored."""
        found = list(self._found)
        announced = self._stream.frames if self._span.whole else 0
        if self.damaged:
            found.append(f"{self.damaged} damaged packets could not be decoded: skipped")
        if announced and self._packets < announced:
            found.append(f"the file is cut off: it announces {announced} frames, {frames} could be restored")
        elif (missing := self._missing_seconds()) > _TOLERATED_SECONDS:
            found.append(f"the file is cut off: {float(missing):.1f} seconds that it announces are missing")
        return found

    def _demux(self) -> Iterator[Packet]:
        """Packets of all streams up to the end, or up to where the file is broken; flush packets are left out."""
        for packet in packets_of(self._container, self._found):
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
        if packet.stream_index == self._stream.index:
            self._video_end = max(self._video_end, end)

    def _decode(self, packet: Packet | None) -> Iterator[VideoFrame]:
        """Pictures that ``packet`` completes, or with ``None`` those that the decoder still holds."""
        try:
            for picture in self._stream.decode(packet):
                self.count += 1
                self._latest = picture.pts
                yield picture
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self.damaged += 1

    def _rest(self) -> Iterator[VideoFrame]:
        """Pictures that the decoder still holds when the packets have ended.

        If one of them is damaged, PyAV gives none of them out (its decoder works on several at a time): they are
        decoded once more, one after the other.
        """
        damaged = self.damaged
        yield from self._decode(None)
        # Only damage in the flush itself loses whole pictures. What was given out so far ends at _latest, so those to
        # fetch are the later ones; from a pipe nothing can be read a second time.
        if self.damaged > damaged and self._latest is not None and self._path.is_file():
            yield from pictures_after(self._path, self._latest, self._limits)

    def _missing_seconds(self) -> Fraction:
        """How much earlier the packets end than a Matroska header says; other containers only estimate."""
        if "matroska" not in self._container.format.name or not self._span.whole:
            return Fraction(0)
        tagged = _DURATION_TAG.fullmatch(self._stream.metadata.get("DURATION", ""))
        if tagged:
            hours, minutes, seconds = tagged.groups()
            return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds) - self._video_end
        return Fraction(self._container.duration or 0, 1_000_000) - self._end


def pictures_after(path: Path, ticks: int, limits: Limits) -> Iterator[VideoFrame]:
    """Pictures of a film that are shown later than ``ticks``, as far as they can be decoded, each by itself."""
    with pictures_from(path) as container:
        stream = main_video(container, path, limits)
        stream.codec_context.thread_type = "SLICE"
        with suppress(av.error.FFmpegError):
            container.seek(ticks, stream=stream)
        for packet in chain((packet for packet in packets_of(container) if packet.stream is stream), [None]):
            with suppress(av.error.FFmpegError):
                yield from (picture for picture in stream.decode(packet) if (picture.pts or 0) > ticks)


class Unchanging:
    """Passes pictures on for as long as their size and format stay what they were."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._changed: UnsupportedMediaError | None = None

    def __call__(self, pictures: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The pictures up to the first that is not like the others.

        Nothing is raised then: stages that sort or filter still hold good pictures from before it, and whoever wants a
        part of the film alone may never come to it. :meth:`end` raises, once those have come out.

        Raises:
            UnsupportedMediaError: if they are larger than the limit.
        """
        shape = None
        for number, picture in enumerate(pictures):
            if shape is None:
                check_size(picture.width, picture.height, self._path, self._limits)
                shape = _shape(picture)
            if _shape(picture) != shape:
                self._changed = self._error(shape, _shape(picture), number)
                return
            yield picture

    def end(self) -> None:
        """Say that the film goes on.

        Raises:
            UnsupportedMediaError: if pictures were left out because they were not like the others.
        """
        if self._changed is not None:
            raise self._changed

    def _error(self, before: "_Shape", now: "_Shape", number: int) -> UnsupportedMediaError:
        return UnsupportedMediaError(
            f"{self._path}: the picture changes from {before[0]}x{before[1]} {before[2]} to"
            f" {now[0]}x{now[1]} {now[2]} at frame {number}; split the film there"
        )


_Shape = tuple[int, int, str]
"""Width, height and pixel format."""


def _shape(picture: VideoFrame) -> _Shape:
    return picture.width, picture.height, picture.format.name
