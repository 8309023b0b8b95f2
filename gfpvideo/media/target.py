"""Where a film goes and what it is encoded with: chosen before any work, so that container and encoder fit."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from gfpvideo.errors import OptionError
from gfpvideo.media.container import Limits, main_video, open_container
from gfpvideo.media.convert import nearest
from gfpvideo.media.encoder import AUTO, codec_options, find_encoder, has_option, without_loss
from gfpvideo.media.enlarge import lanczos
from gfpvideo.media.filters import filtered
from gfpvideo.options.restore import RestoreOptions

FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
    ".ts": "mpegts", ".m2ts": "mpegts", ".flv": "flv", ".nut": "nut",
}  # fmt: skip
"""FFmpeg's muxer for each suffix that a target may have."""
KEPT_SUFFIXES = set(FORMATS) - {".webm"}
"""Containers that hold H.264 with any timestamps, so that a target gets its source's; all else becomes Matroska."""

IN_TRANSPORT_STREAMS = {
    "h264", "hevc", "vvc", "mpeg1video", "mpeg2video", "mpeg4",
    "mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "dca", "truehd", "opus", "s302m", "pcm_bluray",
    "mp1float", "mp2float", "mp3float", "dvbsub", "dvb_subtitle", "dvb_teletext", "libzvbi_teletextdec",
}  # fmt: skip
"""Codecs of transport streams, and what decoders of them are called; FFmpeg writes any other as well, as data that
nobody reads."""
_REFUSED = {("mov", "vp9"), ("mov", "av1")}
"""Muxers and codecs that FFmpeg lists as fit and then refuses."""
_LOSSLESS = {"matroska", "nut"}
"""Where FFV1 is at home: FFmpeg puts it into MP4 too, which hardly any player opens."""


def default_target(source: Path, codec: str, container: str | None = None) -> Path:
    """``film.mp4`` becomes ``film.restored.mp4``; where that container cannot hold what ``codec`` makes, Matroska.

    Where nobody has looked at the film, what :func:`settle` prefers is meant by ``auto``.
    """
    if container is not None:
        return source.with_name(f"{source.stem}.restored.{container}")
    kept = source.suffix.lower() in KEPT_SUFFIXES and _suits(FORMATS[source.suffix.lower()], codec)
    return source.with_name(f"{source.stem}.restored{source.suffix if kept else '.mkv'}")


def muxer_holds(muxer: str, codec: str) -> bool:
    """Whether a container takes what an encoder makes, so that it can be read again."""
    name = find_encoder(codec).canonical_name
    if muxer == "mpegts":
        return name in IN_TRANSPORT_STREAMS
    with av.open(io.BytesIO(), "w", format=muxer) as container:
        return name in container.supported_codecs and (muxer, name) not in _REFUSED


def _suits(muxer: str, codec: str) -> bool:
    """Whether a container holds what an encoder makes, and players expect it there."""
    if codec == AUTO:
        codec = "libx264"
    return muxer_holds(muxer, codec) and (codec != "ffv1" or muxer in _LOSSLESS)


def settle(source: Path, target: Path | None, options: RestoreOptions) -> tuple[RestoreOptions, list[str]]:
    """Options of a film with the encoder that it gets, and warnings if that is not what one would expect.

    Args:
        source: the film.
        target: where it goes, ``None`` for beside the source, in a container that fits.
        options: as they were given; an encoder that they name is taken.

    Raises:
        InputError: if the film cannot be opened.
        UnsupportedMediaError: if it holds no video that can be decoded.
        OptionError: if the target's container does not hold the encoder that is named, or none that holds the film, or
            the encoder does not know an option.
    """
    suffix = (target.suffix if target is not None else f".{options.container or 'mkv'}").lower()
    if suffix not in FORMATS:
        return options, []  # refused by name later, among all else that is wrong with a target
    named = target or default_target(source, "libx264", suffix[1:])
    muxer = FORMATS[suffix]
    if options.codec != AUTO:
        _check_codec(named, muxer, options.codec)
        settled, warnings = options, []
    else:
        settled, warnings = _settled(named, written_format(source, options), muxer, options)
    codec_options(find_encoder(settled.codec), settled)
    return settled, warnings


def _check_codec(target: Path, muxer: str, codec: str) -> None:
    """Refuse an encoder whose film could not be written, in the target or in the segments on the way to it."""
    if not muxer_holds("matroska", codec):
        raise OptionError(
            f"option codec = {codec!r}: work is kept in Matroska, which does not hold it; give ffv1 or prores_ks, or"
            f" have ffmpeg encode: --via-ffmpeg out --ffmpeg-args='-c:v {codec}'"
        )
    if not muxer_holds(muxer, codec):
        raise OptionError(f"{target}: {target.suffix} does not hold {codec}; .mkv does, or give another --codec")


def _settled(
    target: Path, written: tuple[VideoFormat, tuple[int, int]], muxer: str, options: RestoreOptions
) -> tuple[RestoreOptions, list[str]]:
    found = without_loss(*written, partial(_suits, muxer))
    if found is None:
        raise OptionError(
            f"{target}: no encoder for {target.suffix} holds {written[0].name} without loss; give a .mkv, or make less"
            " of it with --filter-after format=yuv420p10le"
        )
    codec, why = found
    warnings = [f"{why}: encoded with {codec}"] if why else []
    given = [name for name in ("crf", "preset") if getattr(options, name) is not None]
    unknown = [name for name in given if not has_option(codec, name)]
    warnings += [f"option {name} is left out: {codec} has none" for name in unknown]
    return options.model_copy(update={"codec": codec} | dict.fromkeys(unknown)), warnings


def written_format(source: Path, options: RestoreOptions) -> tuple[VideoFormat, tuple[int, int]]:
    """Pixel format and size of what will be encoded; errors as :func:`written_picture`."""
    picture, size = _written(source, options)
    return (VideoFormat("yuv420p", 64, 64) if picture is None else picture.format), size


def written_picture(source: Path, options: RestoreOptions) -> VideoFrame | None:
    """A blank picture as it comes through the filters to the encoder; ``None`` where the container does not tell.

    Raises:
        InputError: if the film cannot be opened.
        UnsupportedMediaError: if it holds no video that can be restored.
        OptionError: if a filter does not work.
    """
    return _written(source, options)[0]


def _written(source: Path, options: RestoreOptions) -> tuple[VideoFrame | None, tuple[int, int]]:
    with open_container(source) as container:
        stream = main_video(container, source, Limits(options.max_side, options.max_streams))
        if stream.format is None or stream.time_base is None:
            return None, (stream.width, stream.height)
        name = nearest(stream.format) if not options.filters else stream.format.name
        last = VideoFrame(stream.width, stream.height, name)
        larger = (lanczos(options.upscale),) if options.upscale > 1 else ()
        for filters in (options.filters, larger, options.filters_after):
            if filters:
                passed = filtered(_once(last), filters, stream, stream.time_base)
                last = next(passed, last)
            last = _plain(last)
    return last, (last.width, last.height)


def _once(picture: VideoFrame) -> Iterator[VideoFrame]:
    picture.pts = 0
    yield picture


def _plain(picture: VideoFrame) -> VideoFrame:
    name = nearest(picture.format)
    return picture if name == picture.format.name else VideoFrame(picture.width, picture.height, name)
