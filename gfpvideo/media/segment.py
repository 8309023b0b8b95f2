"""Segments: runs of encoded frames, each in a file of its own that stands for itself.

A Matroska file counts milliseconds, too coarse for many films. In a segment's file a timestamp is therefore the frame's
place in the segment; the true ones are kept beside it, in the journal, and put back when the film is assembled.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import av
import av.error
from av.codec import CodecContext
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from gfpvideo.errors import CorruptMediaError, OptionError, OutputError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.atomic import write_error
from gfpvideo.media.compare import comparison
from gfpvideo.media.encoder import EncoderSettings, encoder_settings, frame_rate, threads_of
from gfpvideo.media.enlarge import Enlarge, enlarged
from gfpvideo.media.ffmpeg_log import ffmpeg_log, reason
from gfpvideo.media.filters import filtered
from gfpvideo.media.patched import Patched
from gfpvideo.media.source import VideoSource
from gfpvideo.options.restore import Comparison, RestoreOptions

_PLACE_BASE = Fraction(1, 1000)
_EARLIER = 64
"""Places by which decoding times lie before presentation times: deeper than any encoder reorders frames."""


@dataclass(frozen=True)
class Segment:
    """A finished segment."""

    path: Path
    pts: tuple[int, ...]
    """Presentation timestamps of its frames in the film's ticks, increasing."""
    reorder: int
    """Places by which a packet comes later in decoding than in presentation order, at most."""


class SegmentEncoder:
    """Encodes the segments of one film, all with the same settings."""

    def __init__(self, source: VideoSource, options: RestoreOptions, enlarge: Enlarge | None = None) -> None:
        self.warnings: list[str] = []
        self._source = source
        self._options, self._enlarge = options, enlarge
        self._settings: EncoderSettings | None = None

    def encode(self, path: Path, frames: Iterator[RestoredFrame]) -> Generator[RestoredFrame, None, Segment]:
        """Stage for one segment: hands the frames on as they are encoded and returns what became of them.

        Raises:
            OptionError: if the encoder does not work with this picture or these options.
            OutputError: if the file cannot be written.
        """
        try:
            return (yield from self._encode(path, frames))
        except av.error.FFmpegError as error:
            raise write_error(path, OSError(error.errno, error.strerror)) from error

    def _encode(self, path: Path, frames: Iterator[RestoredFrame]) -> Generator[RestoredFrame, None, Segment]:
        pictures = finished(frames, self._source, self._options, self._enlarge)
        first = next(pictures)
        settings = self._settings_for(first[1])
        pts: list[int] = []
        with av.open(f"file:{path}", "w", format="matroska") as container:
            video = self._open(container, settings, first[1])
            packets = _Places(container, video, pts)
            for restored, picture in chain([first], pictures):
                pts.append(restored.frame.pts)
                packets.mux(video.codec_context.encode(prepared(picture, settings.pix_fmt)))
                yield restored
            packets.mux(video.codec_context.encode(None))
        if packets.count != len(pts):
            raise OutputError(
                f"{settings.codec} made {packets.count} packets of {len(pts)} frames; give another --codec"
            )
        return Segment(path, tuple(pts), packets.reorder)

    def _settings_for(self, first: VideoFrame) -> EncoderSettings:
        if self._settings is None:
            self._settings = encoder_settings(self._options, first)
            self.warnings += self._settings.warnings
        return self._settings

    def _open(self, container: OutputContainer, settings: EncoderSettings, first: VideoFrame) -> VideoStream:
        stream = self._source.stream
        rate = frame_rate([stream.guessed_rate, stream.average_rate])
        try:
            video: Any = container.add_stream(settings.codec, rate=rate, options=settings.options)
        except ValueError as error:
            raise OptionError(f"{error}; use another container, .mkv holds every codec") from None
        context = video.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, settings.pix_fmt
        context.time_base = self._source.time_base
        context.sample_aspect_ratio = stream.sample_aspect_ratio or 0
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.thread_type = "AUTO"
        context.thread_count = threads_of(settings.codec)
        video.time_base = _PLACE_BASE
        try:
            with ffmpeg_log() as log:
                container.start_encoding()
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise OptionError(
                f"{settings.codec} does not work with this picture or these options ({reason(log, error)}); give"
                " others, or --codec ffv1"
            ) from error
        return video


class _Places:
    """Muxes the packets of a segment with their places for timestamps."""

    def __init__(self, container: OutputContainer, stream: VideoStream, pts: list[int]) -> None:
        self.count = self.reorder = 0
        self._container, self._stream, self._pts = container, stream, pts
        self._places: dict[int | None, int] = {}

    def mux(self, packets: list[Packet]) -> None:
        for packet in packets:
            for place in range(len(self._places), len(self._pts)):
                self._places[self._pts[place]] = place
            place = self._places[packet.pts]
            self.reorder = max(self.reorder, self.count - place)
            packet.stream, packet.time_base = self._stream, _PLACE_BASE
            packet.pts, packet.dts, packet.duration = place + _EARLIER, self.count, 1
            self._container.mux_one(packet)
            self.count += 1


def finished(
    frames: Iterator[RestoredFrame], source: VideoSource, options: RestoreOptions, enlarge: Enlarge | None = None
) -> Generator[tuple[RestoredFrame, VideoFrame], None, None]:
    """Frames and what is written for them; filters begin anew with each call, so that any frame may be the first.

    Raises:
        OptionError: if a filter does not work, or does not keep every frame.
    """
    waiting: deque[RestoredFrame] = deque()
    filters = options.filters_after
    pictures = _made(frames, waiting, options.compare)
    if enlarge is not None:
        pictures = (enlarged(picture, enlarge) for picture in pictures)
    elif options.upscale > 1:
        filters = (*filters, f"scale=iw*{options.upscale}:ih*{options.upscale}:flags=lanczos")
    if filters:
        pictures = filtered(pictures, filters, source.stream, source.time_base)
    for picture in pictures:
        if not waiting or picture.pts != waiting[0].frame.pts:
            break
        yield waiting.popleft(), picture
    else:
        if not waiting:
            return
    raise OptionError(f"filters after the restoration ({', '.join(filters)}) must keep every frame")


def _made(
    frames: Iterator[RestoredFrame], waiting: "deque[RestoredFrame]", compare: Comparison | None
) -> Iterator[VideoFrame]:
    patched = Patched()
    for restored in frames:
        waiting.append(restored)
        yield patched(restored) if compare is None else comparison(restored, compare)


def prepared(picture: VideoFrame, pix_fmt: str) -> VideoFrame:
    """A picture as an encoder takes it: in its pixel format, its type left to it."""
    if picture.format.name != pix_fmt:
        picture = _converted(picture, pix_fmt)
    picture.pict_type = PictureType.NONE
    return picture


def _converted(picture: VideoFrame, pix_fmt: str) -> VideoFrame:
    full = picture.color_range if picture.color_range else None
    return picture.reformat(format=pix_fmt, src_color_range=full, dst_color_range=full)


def timed_packets(segments: Sequence[Segment], time_base: Fraction, last_duration: int) -> Iterator[Packet]:
    """The packets of all segments in decoding order, with the film's own timestamps and durations.

    Decoding times are the presentation times, ``reorder`` frames late: that is what encoders do themselves, and it
    holds over the borders of segments. ``last_duration`` is that of the last frame, in ticks of ``time_base``.

    Raises:
        CorruptMediaError: if a segment's file is damaged.
    """
    pts = [ticks for segment in segments for ticks in segment.pts]
    durations = [after - before for before, after in pairwise(pts)]
    durations.append(last_duration or (durations or [1])[-1])
    delay = max(segment.reorder for segment in segments)
    before = [pts[0] - (delay - index) * max(1, durations[0]) for index in range(delay)]
    decoding = iter([*before, *pts])
    begin = 0
    for segment in segments:
        for packet, place in _placed(segment):
            packet.pts, packet.dts = pts[begin + place], next(decoding)
            packet.duration, packet.time_base = durations[begin + place], time_base
            yield packet
        begin += len(segment.pts)


def _placed(segment: Segment) -> Iterator[tuple[Packet, int]]:
    """The packets of a segment and their places in presentation order."""
    places = set()
    with av.open(f"file:{segment.path}") as container:
        for packet in container.demux(video=0):
            if packet.size:
                place = (packet.pts or 0) - _EARLIER
                places.add(place)
                yield packet, place
    if places != set(range(len(segment.pts))):
        raise CorruptMediaError(f"{segment.path}: the segment is damaged; remove its folder and restore again")


def same_codec(first: CodecContext, other: CodecContext) -> bool:
    """Whether packets of two segments can follow each other in one stream."""
    return (first.name, first.extradata) == (other.name, other.extradata)
