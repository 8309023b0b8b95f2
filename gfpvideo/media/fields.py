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
"""Frames that are looked at, if something moves in them."""
_LOOKED_AT_MOST = 750
"""Frames that are looked at otherwise: tapes begin with black, and titles stand still."""
_HEIGHTS = {480, 486, 512, 576, 608, 1080}
"""Lines of the television standards that were interlaced; nothing else is looked at unless its flags say so."""
_NEVER = {"vp8", "vp9", "av1", "libdav1d", "libvpx", "libvpx-vp9", "gif", "png", "webp"}
"""Codecs that know no fields."""
_MOST = 0.5
"""Share of the frames that can be told which must be interlaced for the film to be."""
_LEAST_TOLD = 6
"""Frames that must show what they are: in a picture without movement nothing can be seen."""
_ENOUGH = 24
"""Frames that do so after which no more are looked at, where the first did not."""
_TELLING = ("tff", "bff", "progressive")


def fields_of(path: Path, limits: Limits) -> Fields:
    """Which fields a film has, judged by FFmpeg's ``idet`` on its first frames in which anything moves.

    Where they do not tell (nothing moves) the flags do.
    """
    if not _in_question(path, limits):
        return "progressive"
    flags: list[bool] = []
    with pictures_from(path) as container:
        stream = main_video(container, path, limits)
        assert stream.time_base is not None
        pictures = _noting(flags, _decoded(container, stream))
        seen = _seen(filtered(pictures, ["idet"], stream, stream.time_base))
    return _judged(seen, flagged=_mostly(flags[:_LOOKED_AT]))


def _in_question(path: Path, limits: Limits) -> bool:
    """Whether a film may be interlaced, for all that its codec, its height and its flags say."""
    with pictures_from(path) as container:
        stream = main_video(container, path, limits)
        if stream.codec_context.name in _NEVER or stream.time_base is None:
            return False
        if stream.height in _HEIGHTS:
            return True
        return _mostly([picture.interlaced_frame for picture in islice(_decoded(container, stream), _LOOKED_AT)])


def _mostly(flags: list[bool]) -> bool:
    return 2 * sum(flags) > len(flags)


def _noting(flags: list[bool], pictures: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    for picture in pictures:
        flags.append(picture.interlaced_frame)
        yield picture


def _seen(pictures: Iterator[VideoFrame]) -> list[str]:
    """What ``idet`` says of frame after frame, until enough of them have told what they are."""
    seen: list[str] = []
    told = 0
    for picture in islice(pictures, _LOOKED_AT_MOST):
        seen.append(str(picture.metadata.get("lavfi.idet.single.current_frame", "")))
        told += seen[-1] in _TELLING
        if len(seen) >= _LOOKED_AT and (told >= _ENOUGH or (len(seen) == _LOOKED_AT and told >= _LEAST_TOLD)):
            break
    return seen


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Pictures up to the first that is damaged; the restoration itself counts those."""
    with suppress(av.error.FFmpegError, IndexError):  # PyAV raises the latter when a new stream begins
        for picture in container.decode(stream):
            assert isinstance(picture, VideoFrame)
            yield picture


def _judged(seen: list[str], *, flagged: bool) -> Fields:
    top, bottom, whole = (seen.count(name) for name in _TELLING)
    told = top + bottom + whole
    if told < _LEAST_TOLD:
        return "top" if flagged else "progressive"
    if top + bottom <= _MOST * told:
        return "progressive"
    return "top" if top >= bottom else "bottom"
