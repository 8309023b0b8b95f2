"""Encode a film and mux it with everything else that the source held."""

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from gfpvideo.color import component_slices
from gfpvideo.errors import OptionError, OutputError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.atomic import atomic_target, write_error
from gfpvideo.media.compare import comparison
from gfpvideo.media.encoder import EncoderSettings, encoder_settings, frame_rate
from gfpvideo.media.pixel_format import components
from gfpvideo.media.source import VideoSource, describe
from gfpvideo.options import RestoreOptions

FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi",
    ".ts": "mpegts", ".m2ts": "mpegts", ".flv": "flv", ".nut": "nut",
}  # fmt: skip
"""FFmpeg's muxer for each suffix that a target may have."""
KEPT_SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".ts", ".m2ts", ".flv", ".nut"}
"""Containers that hold H.264 with any timestamps, so that a target gets its source's; all else becomes Matroska."""
_MAX_TIMESCALE = 100_000_000
"""Finest movie time scale that is asked for; players read it as a 32-bit number."""
_CONTAINER_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "software"}
"""Tags that describe the old file, not the film."""


@dataclass
class Sink:
    """Writes one film. :meth:`write` is a stage: frames in, the same frames out once they are encoded."""

    source: VideoSource
    target: Path
    options: RestoreOptions
    copied: list[str] = field(default_factory=list)
    """Streams that are copied, described; complete once the first frame is out."""
    warnings: list[str] = field(default_factory=list)

    def plan(self) -> None:
        """Find out which streams the target can hold, and let the source carry their packets.

        Raises:
            OptionError: if the target's container is unknown or cannot hold the codec.
            OutputError: if the target cannot be written.
        """
        suffix = self.target.suffix.lower()
        if suffix not in FORMATS:
            raise OptionError(f"{self.target}: unknown container {suffix!r}; use one of {', '.join(FORMATS)}")
        self._streams = self.source.other_streams
        accepted = _acceptable(self._streams, FORMATS[suffix])
        for stream in self._streams:
            if stream not in accepted:
                hint = "" if suffix == ".mkv" else " (.mkv holds more)"
                self.warnings.append(f"{describe(stream)} cannot be held by {suffix}: left out{hint}")
        self._streams = accepted
        self.source.carry(accepted)

    def write(self, frames: Iterator[RestoredFrame]) -> Iterator[RestoredFrame]:
        """Stage: encode and mux ``frames``; the target appears when the last one is written.

        Raises:
            OutputError: if writing fails; nothing is left behind then.
        """
        with atomic_target(self.target, overwrite=self.options.overwrite) as scratch:
            try:
                yield from self._write(scratch, frames)
            except av.error.FFmpegError as error:
                raise _mux_error(self.target, error) from error

    def _write(self, scratch: Path, frames: Iterator[RestoredFrame]) -> Iterator[RestoredFrame]:
        first = next(frames)
        assert isinstance(first.frame.picture, VideoFrame)
        settings = encoder_settings(self.options, first.frame.picture)
        self.warnings += settings.warnings
        muxer = FORMATS[self.target.suffix.lower()]
        container = av.open(f"file:{scratch}", "w", format=muxer, container_options=self._muxer_options(muxer))
        with container:
            layout = _Layout(container, self.source, self._streams)
            video = layout.add_video(settings, self._picture(first, settings))
            layout.start(self.target, settings)
            self.copied += [describe(stream) for stream in self._streams]
            for restored in chain([first], frames):
                layout.carry(restored.frame.passengers)
                container.mux(video.encode(self._picture(restored, settings)))
                yield restored
            container.mux(video.encode(None))
            layout.carry(self.source.leftovers())

    def _picture(self, restored: RestoredFrame, settings: EncoderSettings) -> VideoFrame:
        """What is encoded for a frame."""
        compare = self.options.compare
        picture = _pasted(restored) if compare is None else comparison(restored, compare)
        if picture.format.name != settings.pix_fmt:
            picture = _converted(picture, settings.pix_fmt)
        picture.pict_type = PictureType.NONE
        return picture

    def _muxer_options(self, muxer: str) -> dict[str, str]:
        """Edit lists of MP4 count in the movie's time scale: fine enough for every stream, sound stays in step."""
        if muxer not in {"mp4", "mov"}:
            return {}
        bases = [stream.time_base for stream in [self.source.stream, *self._streams] if stream.time_base]
        fine = math.lcm(*(base.denominator for base in bases))
        return {"movie_timescale": str(fine if fine <= _MAX_TIMESCALE else bases[0].denominator)}


def default_target(source: Path) -> Path:
    """``film.mp4`` becomes ``film.restored.mp4``; containers that cannot hold every H.264 stream become Matroska."""
    suffix = source.suffix if source.suffix.lower() in KEPT_SUFFIXES else ".mkv"
    return source.with_name(f"{source.stem}.restored{suffix}")


class _Layout:
    """The streams of the target, in the source's order, and where each source stream's packets go."""

    def __init__(self, container: OutputContainer, source: VideoSource, streams: list[Stream]) -> None:
        self._container = container
        self._source = source
        self._streams = streams
        self._outputs: dict[int, Stream] = {}

    def add_video(self, settings: EncoderSettings, first: VideoFrame) -> VideoStream:
        """Add all streams; return the one to encode into."""
        video: VideoStream | None = None
        for stream in sorted([self._source.stream, *self._streams], key=lambda stream: stream.index):
            if stream is self._source.stream:
                video = self._video(settings, first)
            else:
                self._outputs[stream.index] = _copy_stream(self._container, stream)
        assert video is not None
        return video

    def _video(self, settings: EncoderSettings, first: VideoFrame) -> VideoStream:
        stream = self._source.stream
        rate = frame_rate([stream.guessed_rate, stream.average_rate])
        try:
            video: Any = self._container.add_stream(settings.codec, rate=rate, options=settings.options)
        except ValueError as error:
            raise OptionError(f"{error}; use another container, .mkv holds every codec") from None
        context = video.codec_context
        context.width, context.height, context.pix_fmt = first.width, first.height, settings.pix_fmt
        context.time_base = self._source.time_base
        context.sample_aspect_ratio = stream.sample_aspect_ratio or 0
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        context.thread_type = "AUTO"
        video.time_base = self._source.time_base
        video.set_display_matrix(self._source.display_matrix)
        _copy_tags(stream, video)
        return video

    def start(self, target: Path, settings: EncoderSettings) -> None:
        """Write the header."""
        source = self._source.container
        self._container.metadata.update(_tags(source.metadata))
        self._container.set_chapters(self._source.chapters())
        try:
            with _ffmpeg_log() as log:
                self._container.start_encoding()
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            reason = log[-1][2].strip() if log else error.strerror
            raise OptionError(
                f"{target}: {settings.codec} does not work with this picture or these options ({reason});"
                " give others, or --codec ffv1"
            ) from error

    def carry(self, packets: Iterable[Any]) -> None:
        """Mux packets of copied streams as they are."""
        for packet in packets:
            assert isinstance(packet, Packet)
            packet.stream = self._outputs[packet.stream_index]
            self._container.mux(packet)


def _pasted(restored: RestoredFrame) -> VideoFrame:
    """The decoder's own picture, restored samples written into a private copy of it."""
    picture = restored.frame.picture
    assert isinstance(picture, VideoFrame)
    if restored.touched:
        picture.make_writable()
        planes = components(picture)
        for _, rect in restored.touched:
            for index, plane in enumerate(planes):
                window = component_slices(rect, restored.frame.samples, index)
                plane[window] = restored.components[index][window]
    return picture


def _converted(picture: VideoFrame, pix_fmt: str) -> VideoFrame:
    full = picture.color_range if picture.color_range else None
    return picture.reformat(format=pix_fmt, src_color_range=full, dst_color_range=full)


def _copy_stream(container: OutputContainer, stream: Stream) -> Stream:
    copy = container.add_stream_from_template(stream, opaque=True)
    _copy_tags(stream, copy)
    return copy


def _copy_tags(stream: Stream, copy: Stream) -> None:
    copy.metadata.update(_tags(stream.metadata))
    copy.disposition = stream.disposition


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _CONTAINER_TAGS and not key.startswith("_STATISTICS")
    }


def _acceptable(streams: list[Stream], muxer: str) -> list[Stream]:
    """The streams that a container can hold, found by writing its header to memory."""
    if _header_works(streams, muxer):
        return streams
    accepted: list[Stream] = []
    for stream in streams:
        if _header_works([*accepted, stream], muxer):
            accepted.append(stream)
    return accepted


def _header_works(streams: list[Stream], muxer: str) -> bool:
    if not streams:
        return True
    container = av.open(io.BytesIO(), "w", format=muxer)
    try:
        for stream in streams:
            _copy_stream(container, stream)
        container.start_encoding()
        container.close()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


@contextmanager
def _ffmpeg_log() -> Iterator[list[Any]]:
    """FFmpeg's error messages within the block: the last one says more than an error code."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            yield log
    finally:
        av.logging.set_level(before)


def _mux_error(target: Path, error: av.error.FFmpegError) -> OutputError:
    return write_error(target, OSError(error.errno, error.strerror))
