"""Encode segments: runs of frames, each in a file of its own that stands for itself."""

import io
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from gfpvideo.errors import OptionError, OutputError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.atomic import write_error
from gfpvideo.media.compare import comparison
from gfpvideo.media.encoder import EncoderSettings, encoder_settings, frame_rate, quiet, threads_of
from gfpvideo.media.ffmpeg_log import ffmpeg_log, reason
from gfpvideo.media.filters import filtered
from gfpvideo.media.patched import Patched
from gfpvideo.media.places import PLACE_BASE, Places, Segment, writing
from gfpvideo.media.source import VideoSource
from gfpvideo.media.target import written_picture
from gfpvideo.options.restore import Comparison, RestoreOptions


class SegmentEncoder:
    """Encodes the segments of one film, all with the same settings."""

    def __init__(self, source: VideoSource, options: RestoreOptions) -> None:
        self.warnings: list[str] = []
        self._source = source
        self._options = options
        self._settings: EncoderSettings | None = None

    def encode(self, path: Path, frames: Iterator[RestoredFrame]) -> Generator[RestoredFrame, None, Segment]:
        """Stage for one segment: hands the frames on as they are encoded and returns what became of them.

        Raises:
            OptionError: if the encoder does not work with this picture or these options.
            OutputError: if the file cannot be written.
        """
        pictures = finished(frames, self._source, self._options)
        first = next(pictures)
        settings = self._settings_for(first[1])
        pts: list[int] = []
        with _opened(path) as container:
            video = self._open(container, path, settings, first[1])
            packets = Places(path, container, video, pts)
            for restored, picture in chain([first], pictures):
                pts.append(restored.frame.pts)
                packets.mux(_encoded(video, prepared(picture, settings.pix_fmt)))
                yield restored
            packets.mux(_encoded(video, None))
        if packets.count != len(pts):
            raise OutputError(
                f"{settings.codec} made {packets.count} packets of {len(pts)} frames; give another --codec"
            )
        return Segment(path, tuple(pts), packets.reorder)

    def try_out(self, picture: VideoFrame) -> tuple[str, ...]:
        """Open the encoder as it will be opened for such pictures, and write nothing.

        Returns:
            Warnings.

        Raises:
            OptionError: if the encoder does not work with this picture or these options.
        """
        with av.open(io.BytesIO(), "w", format="matroska") as container:
            settings = encoder_settings(self._options, picture)
            self._open(container, self._source.path, quiet(settings), picture)
        return settings.warnings

    def _settings_for(self, first: VideoFrame) -> EncoderSettings:
        if self._settings is None:
            self._settings = encoder_settings(self._options, first)
            self.warnings += self._settings.warnings
        return self._settings

    def _open(
        self, container: OutputContainer, path: Path, settings: EncoderSettings, first: VideoFrame
    ) -> VideoStream:
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
        video.time_base = PLACE_BASE
        with _refusals(settings.codec):
            context.open()  # by itself: what a device denies the encoder is no fault of the file's
            try:
                container.start_encoding()
            except OSError as error:
                raise write_error(path, error) from error
        return video


def try_encoder(film: VideoSource, options: RestoreOptions) -> tuple[str, ...]:
    """Refuse an encoder that does not take a film, and options that it does not take, before any work.

    Returns:
        What it will lose, as far as that can be said before the first picture.

    Raises:
        OptionError: if it is one of those; the machines of a cluster may have devices that this one lacks.
    """
    picture = written_picture(film.path, options)
    if picture is None or options.cluster is not None:
        return ()
    if options.compare == "side":
        picture = VideoFrame(2 * picture.width, picture.height, picture.format.name)
    return SegmentEncoder(film, options).try_out(picture)


@contextmanager
def _refusals(codec: str) -> Iterator[None]:
    try:
        with ffmpeg_log() as log:
            yield
    except av.error.FFmpegError as error:
        raise OptionError(
            f"{codec} does not work with this picture or these options ({reason(log, error)}); give others, or --codec"
            " ffv1"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[OutputContainer]:
    """A segment's file; only errors of its own count as errors of writing."""
    with writing(path):
        container = av.open(f"file:{path}", "w", format="matroska")
    try:
        yield container
    except BaseException:
        with suppress(av.error.FFmpegError):  # what went wrong before says more
            container.close()
        raise
    with writing(path):
        container.close()


def _encoded(video: VideoStream, picture: VideoFrame | None) -> list[Packet]:
    """Packets that a picture completes, or with ``None`` all that are left."""
    try:
        return video.codec_context.encode(picture)
    except av.error.FFmpegError as error:
        raise OptionError(
            f"{video.codec_context.name} fails on this picture ({error.strerror}); give another --codec"
        ) from error


def finished(
    frames: Iterator[RestoredFrame], source: VideoSource, options: RestoreOptions
) -> Generator[tuple[RestoredFrame, VideoFrame], None, None]:
    """Frames and what is written for them; filters begin anew with each call, so that any frame may be the first.

    Raises:
        OptionError: if a filter does not work, or does not keep every frame.
    """
    waiting: deque[RestoredFrame] = deque()
    filters = options.filters_after
    pictures = _made(frames, waiting, options.compare)
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
