"""Open what is to be restored, as whole pictures: fields are woven or refused before anything looks at them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.frames import Frame
from gfpvideo.media.container import Limits, open_on_device
from gfpvideo.media.fields import fields_of
from gfpvideo.media.source import VideoSource
from gfpvideo.media.span import Span
from gfpvideo.media.y4m import STANDARD_INPUT, open_y4m
from gfpvideo.options.restore import RestoreOptions

_TELECINE = ("fieldmatch", "bwdif=mode=send_frame:deint=interlaced", "decimate")
"""Filters that undo telecine; what is still combed then gets its own deinterlacing."""
_DEINTERLACE = "bwdif=mode=send_frame:deint=all"


def for_stills(options: RestoreOptions) -> RestoreOptions:
    """The same options for pictures: nothing to follow, and each face gets the whole processor."""
    return options.model_copy(update={"lag": 0, "max_gap": 0, "batch": 1, "gather": False})


def open_film(source: Path, options: RestoreOptions, *, count_all: bool = False) -> VideoSource:
    """The part of a film that ``options`` want; a file of tracks numbers frames from the film's beginning.

    Args:
        source: the film.
        options: how it is read, and which part.
        count_all: number frames from the film's beginning in any case.

    Raises:
        GfpvideoError: if it cannot be opened, or is interlaced and no option says what is to be done about it.
    """
    limits = Limits(options.max_side, options.max_streams)
    return VideoSource(
        source,
        Span(options.start or Fraction(0), options.end),
        count_all=count_all or options.tracks is not None,
        filters=[*_whole_pictures(source, options, limits), *options.filters],
        limits=limits,
        container=None if options.hwaccel is None else open_on_device(source, options.hwaccel),
    )


def open_standard_input(options: RestoreOptions) -> VideoSource:
    """YUV4MPEG2 from standard input; whether it is interlaced shows with its first picture (:func:`checked`)."""
    before = [*_TELECINE] if options.telecine else [_DEINTERLACE] if options.deinterlace else []
    return VideoSource(
        STANDARD_INPUT,
        filters=[*before, *options.filters],
        limits=Limits(options.max_side, options.max_streams),
        container=open_y4m(),
    )


def checked(frames: Iterator[Frame], options: RestoreOptions) -> Iterator[Frame]:
    """The same frames, unless the first says that it is made of fields and no option says what to do about it.

    Raises:
        UnsupportedMediaError: if so.
    """
    for frame in frames:
        picture: Any = frame.picture
        if frame.index == 0 and picture.interlaced_frame:
            _refuse_fields(STANDARD_INPUT, options)
        yield frame


def _whole_pictures(source: Path, options: RestoreOptions, limits: Limits) -> list[str]:
    """What makes whole pictures of fields, before all else: faces must not be combed.

    Raises:
        UnsupportedMediaError: if the film is interlaced and no option says what is to be done about it.
    """
    if options.telecine:
        return [*_TELECINE]
    if options.deinterlace is False:
        return []
    fields = fields_of(source, limits)
    if fields == "progressive":
        return []
    _refuse_fields(source, options)
    return ["setfield=mode=" + {"top": "tff", "bottom": "bff"}[fields], _DEINTERLACE]


def _refuse_fields(source: Path, options: RestoreOptions) -> None:
    if options.deinterlace is None and not options.telecine:
        raise UnsupportedMediaError(
            f"{source}: the film is interlaced; give --deinterlace (or --telecine, if a film was made 30 frames a"
            " second for TV), or --no-deinterlace to keep its fields"
        )
