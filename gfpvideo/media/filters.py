"""FFmpeg's own filters between the decoder and everything else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import av.error
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gfpvideo.errors import OptionError
from gfpvideo.media.ffmpeg_log import ffmpeg_log, reason


def filtered(
    pictures: Iterator[VideoFrame], filters: Sequence[str], stream: VideoStream, time_base: Fraction
) -> Iterator[VideoFrame]:
    """Decoded pictures after a chain of filters, timestamps in ticks of ``time_base``.

    Args:
        pictures: decoded pictures.
        filters: each as FFmpeg writes them: ``name`` or ``name=option=value:option=value``.
        stream: where they come from.
        time_base: seconds a tick of the pictures' timestamps, before and after.

    Raises:
        OptionError: if a filter does not exist, or does not take its options or these pictures.
    """
    graph: Graph | None = None
    for picture in pictures:
        if graph is None:
            graph = _graph(picture, filters, stream, time_base)
        yield from _through(graph, picture, filters, time_base)
    if graph is not None:
        yield from _through(graph, None, filters, time_base)


def check_filters(filters: Sequence[str]) -> None:
    """See whether filters exist and take their options, on a small picture.

    Raises:
        OptionError: if one does not.
    """
    graph = Graph()
    buffer = graph.add_buffer(width=64, height=64, format=VideoFormat("yuv420p", 64, 64), time_base=Fraction(1, 25))
    _chain(graph, buffer, filters, Fraction(25))


def _graph(first: VideoFrame, filters: Sequence[str], stream: VideoStream, time_base: Fraction) -> Graph:
    graph = Graph()
    buffer = graph.add_buffer(
        template=stream, width=first.width, height=first.height, format=first.format, time_base=time_base
    )
    _chain(graph, buffer, filters, stream.guessed_rate or Fraction(30))
    return graph


def _chain(graph: Graph, last: FilterContext, filters: Sequence[str], rate: Fraction) -> None:
    """Link filters one after the other, from ``last`` to a sink, and make the graph ready."""
    for text in _with_rate(filters, rate):
        name, _, options = text.partition("=")
        try:
            with ffmpeg_log() as log:
                following = graph.add(name, options or None)
        except (ValueError, av.error.FFmpegError) as error:
            raise OptionError(f"filter {text!r}: {reason(log, error)}") from None
        last.link_to(following)
        last = following
    # Some filters (vflip) hand out pictures whose rows lie backwards in memory; a copy has them in order.
    copied = graph.add("copy")
    last.link_to(copied)
    copied.link_to(graph.add("buffersink"))
    try:
        with ffmpeg_log() as log:
            graph.configure()
    except av.error.FFmpegError as error:
        why = reason(log, error)
        raise OptionError(f"filters {', '.join(filters)}: do not work with this film ({why})") from None


def _with_rate(filters: Sequence[str], rate: Fraction) -> Sequence[str]:
    """``decimate`` takes films of a constant rate alone, which only ``fps`` can promise it."""
    if not any(text.split("=")[0] == "decimate" for text in filters):
        return filters
    return [f"fps={rate}", *filters]


def _through(
    graph: Graph, picture: VideoFrame | None, filters: Sequence[str], time_base: Fraction
) -> Iterator[VideoFrame]:
    """What comes out of a graph when a picture, or with ``None`` the end, goes in."""
    with _failing(filters):
        graph.push(picture)
    while True:
        try:
            with _failing(filters):
                pulled = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(pulled, VideoFrame)
        ticks = pulled.time_base / time_base if pulled.time_base else Fraction(1)
        if pulled.pts is not None:
            pulled.pts = round(pulled.pts * ticks)
        pulled.duration, pulled.time_base = round(pulled.duration * ticks), time_base
        yield pulled


@contextmanager
def _failing(filters: Sequence[str]) -> Iterator[None]:
    """Turn what FFmpeg raises in the midst of a film into our error; that there is no picture yet is none."""
    try:
        yield
    except (av.error.BlockingIOError, av.error.EOFError):
        raise
    except av.error.FFmpegError as error:
        raise OptionError(f"filters {', '.join(filters)}: fail on this film ({error.strerror})") from error
