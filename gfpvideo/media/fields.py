"""Is a film interlaced? Flags say so, or fail to; the pictures themselves know better."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Literal

import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gfpvideo.media.container import Limits, main_video, pictures_from
from gfpvideo.media.filters import filtered

Fields = Literal["progressive", "top", "bottom"]
"""``top`` or ``bottom``: interlaced, and which field comes first."""

_LOOKED_AT = 60
"""Frames that are looked at."""
_HEIGHTS = {480, 486, 512, 576, 608, 1080}
"""Lines of the television standards that were interlaced; nothing else is looked at unless its flags say so."""
_NEVER = {"vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "gif", "png", "webp"}
"""Codecs that know no fields."""
_MOST = 0.5
"""Share of the frames that can be told which must be interlaced for the film to be."""
_LEAST_TOLD = 6
"""Frames that must show what they are: in a picture without movement nothing can be seen."""


def fields_of(path: Path, limits: Limits) -> Fields:
    """Which fields a film has, judged by FFmpeg's ``idet`` on its first frames.

    Where they do not tell (nothing moves) the flags do.
    """
    with pictures_from(path) as container:
        stream = main_video(container, path, limits)
        if stream.codec_context.name in _NEVER or stream.time_base is None:
            return "progressive"
        pictures = list(islice(_decoded(container, stream), _LOOKED_AT))
        flagged = 2 * sum(picture.interlaced_frame for picture in pictures) > len(pictures)
        if not flagged and stream.height not in _HEIGHTS:
            return "progressive"
        seen = [
            str(picture.metadata.get("lavfi.idet.single.current_frame", ""))
            for picture in filtered(iter(pictures), ["idet"], stream, stream.time_base)
        ]
    return _judged(seen, flagged=flagged)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Pictures up to the first that is damaged; the restoration itself counts those."""
    with suppress(av.error.FFmpegError, IndexError):  # PyAV raises the latter when a new stream begins
        for picture in container.decode(stream):
            assert isinstance(picture, VideoFrame)
            yield picture


def _judged(seen: list[str], *, flagged: bool) -> Fields:
    top, bottom, whole = (seen.count(name) for name in ("tff", "bff", "progressive"))
    told = top + bottom + whole
    if told < _LEAST_TOLD:
        return "top" if flagged else "progressive"
    if top + bottom <= _MOST * told:
        return "progressive"
    return "top" if top >= bottom else "bottom"
