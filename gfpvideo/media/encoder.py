"""Configure a video encoder so that nothing of the source is lost silently."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction

import av
import av.error
import cv2
from av.codec import Codec, codecs_available
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from gfpvideo.errors import OptionError
from gfpvideo.media.hdr import hdr_options
from gfpvideo.options.restore import RestoreOptions

AUTO = "auto"
"""The encoder that is chosen by what the film needs."""
_CANDIDATES = ("libx264", "libx265", "ffv1", "libvpx-vp9")
"""Encoders to choose from, the preferred first."""
_KEEP_TRANSPARENCY = {"ffv1"}
"""Those of them whose transparency players and FFmpeg read without being told."""
_DEFAULT_CRF = "16"
"""Constant quality at which x264 is visually lossless on faces."""
JPEG_RANGE = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p", "yuvj440p": "yuv440p"}
"""Old names of full-range formats, and the plain ones with the same samples."""


_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
"""Those of x264 and x265, which know them by their place as well, and print what they think of others themselves."""
_X264_THREADS = 4
"""Enough for the generator not to wait; each holds a few frames."""
_AVX_512 = 13
"""Number of AVX-512 (foundation) in OpenCV's CpuFeatures, which its Python package does not name."""
_WHOLE_CHROMA = re.compile(r"26[45]|hevc")
"""Names of encoders that refuse pictures whose sides end within a chroma sample."""


@dataclass(frozen=True)
class EncoderSettings:
    """What to open the encoder with."""

    codec: str
    pix_fmt: str
    options: dict[str, str]
    warnings: tuple[str, ...] = ()


def encoder_settings(options: RestoreOptions, first: VideoFrame) -> EncoderSettings:
    """Settings for a film whose first decoded frame is ``first``.

    Raises:
        OptionError: if the codec or one of its options does not exist, or it cannot hold the film's samples.
    """
    size, warnings = (first.width, first.height), []
    name = options.codec
    if name == AUTO:
        name, why = without_loss(first.format, size) or ("libx264", "")
        warnings += [f"{why}: encoded with {name}"] if why else []
    codec = find_encoder(name)
    pix_fmt = _pixel_format(codec, first.format, size)
    if JPEG_RANGE.get(first.format.name, first.format.name) != JPEG_RANGE.get(pix_fmt, pix_fmt):
        warnings.append(f"{codec.name} cannot hold {first.format.name}: samples are converted to {pix_fmt}")
    if has_alpha(first.format) and not has_alpha(VideoFormat(pix_fmt, 64, 64)):
        warnings.append(f"{codec.name} holds no transparency: left out; --codec ffv1 keeps it")
    chosen = codec_options(codec, options)
    hdr, lost = hdr_options(codec.name, first)
    for name, value in (*hdr.items(), *repeatable(codec.name, chosen).items()):
        chosen[name] = ":".join(part for part in (value, chosen.get(name)) if part)
    warnings += lost
    return EncoderSettings(codec.name, pix_fmt, chosen, tuple(warnings))


def without_loss(
    source: VideoFormat, size: tuple[int, int], allowed: Callable[[str], bool] = lambda _: True
) -> tuple[str, str] | None:
    """The encoder to choose for pictures of a format and size, and why not libx264, if that is not it.

    Transparency is given up where no encoder that is ``allowed`` holds it, but neither bits nor chroma.
    """
    names = [name for name in _CANDIDATES if has_encoder(name) and allowed(name)]
    holding = [name for name in names if holding_format(Codec(name, "w"), source, size) is not None]
    if has_alpha(source):
        holding.sort(key=lambda name: name not in _KEEP_TRANSPARENCY)
    if not holding:
        return None
    if holding[0] == _CANDIDATES[0]:
        return holding[0], ""
    if holding_format(Codec(_CANDIDATES[0], "w"), source, size) is None:
        return holding[0], f"{_CANDIDATES[0]} cannot hold {source.name} without loss"
    transparent = has_alpha(source) and holding[0] in _KEEP_TRANSPARENCY
    return holding[0], f"{_CANDIDATES[0]} holds no transparency ({source.name})" if transparent else ""


def has_option(codec: str, name: str) -> bool:
    """Whether an encoder knows an option."""
    return name in _option_names(Codec(codec, "w"))


def repeatable(codec: str, chosen: dict[str, str]) -> dict[str, str]:
    """Options that make x264 give the same bytes each time.

    On processors with AVX-512, its macroblock tree reads memory that nobody wrote (seen with MALLOC_PERTURB_, x264 of
    PyAV 18.1): with older instructions it does not, and is as fast.
    """
    if codec != "libx264" or "asm=" in chosen.get("x264-params", "") or not cv2.checkHardwareSupport(_AVX_512):
        return {}
    return {"x264-params": "asm=MMX2,SSE2Fast,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"}


def quiet(settings: EncoderSettings) -> EncoderSettings:
    """The same, but x265 does not print what it is going to do."""
    if settings.codec != "libx265":
        return settings
    parameters = ":".join(filter(None, (settings.options.get("x265-params"), "log-level=error")))
    return replace(settings, options=settings.options | {"x265-params": parameters})


def threads_of(codec: str) -> int:
    """Threads that an encoder gets; 0 lets it count the processor's cores.

    x264 gives other bytes for another number of threads, so that number must not depend on the machine's load or on how
    many cores a process may use. x265, SVT-AV1, VP9 and FFV1 give the same bytes for any number.
    """
    return _X264_THREADS if codec == "libx264" else 0


def has_encoder(name: str) -> bool:
    """Whether this build of PyAV has a video encoder of that name; a device that it may need is another thing."""
    try:
        return Codec(name, "w").type == "video"
    except (ValueError, av.error.FFmpegError):
        return False


def find_encoder(name: str) -> Codec:
    """The video encoder of that name.

    Raises:
        OptionError: if this build of PyAV has none.
    """
    try:
        codec = Codec(name, "w")
    except (ValueError, av.error.FFmpegError):
        raise OptionError(f"option codec = {name!r}: this build of PyAV has no such encoder{_alike(name)}") from None
    if codec.type != "video":
        raise OptionError(f"option codec = {name!r}: not a video encoder")
    return codec


def _alike(name: str) -> str:
    """What to ask somebody who named an encoder that is not there: x264, H265, av1 are what people call them."""
    wanted = name.lower()
    found = [known for known in sorted(codecs_available) if wanted in known and has_encoder(known)]
    found += [known for known in get_close_matches(wanted, codecs_available) if has_encoder(known)]
    return f"; did you mean {found[0]}?" if found else ""


def codec_options(codec: Codec, options: RestoreOptions) -> dict[str, str]:
    """What an encoder is told of the options.

    Raises:
        OptionError: if it does not know one, or has no such preset.
    """
    names = _option_names(codec)
    chosen = dict(options.encoder_options)
    if options.preset is not None:
        chosen["preset"] = options.preset
        _check_preset(codec.name, options.preset)
    if options.crf is not None:
        chosen["crf"] = f"{options.crf:g}"
    elif "crf" in names and not chosen.keys() & {"crf", "b", "qp"}:
        chosen["crf"] = _DEFAULT_CRF
    unknown = sorted(chosen.keys() - names)
    if unknown:
        raise OptionError(f"the encoder {codec.name} has no option {', '.join(unknown)}")
    return chosen


def _check_preset(codec: str, preset: str) -> None:
    known = {*_PRESETS, *map(str, range(len(_PRESETS)))}
    if codec in {"libx264", "libx265"} and preset not in known:
        raise OptionError(f"option preset = {preset!r}: {codec} has {', '.join(_PRESETS)}")


def _option_names(codec: Codec) -> set[str]:
    supported = av.CodecContext.create(codec, "w").supported_options
    return {option.name for group in (supported.private, supported.generic) for option in group}


def _pixel_format(codec: Codec, source: VideoFormat, size: tuple[int, int]) -> str:
    """The encoder's format closest to the source's that holds all of its bits and chroma, in a picture of ``size``."""
    every = [video_format.name for video_format in codec.video_formats or []]
    if every and not any(_fits(codec.name, name, size) for name in every):
        raise OptionError(f"the encoder {codec.name} cannot hold {size[0]}x{size[1]} pixels; give --codec ffv1")
    holding = holding_format(codec, source, size)
    if holding is None:
        raise OptionError(f"the encoder {codec.name} cannot hold {source.name} without loss; give --codec ffv1")
    return holding


def holding_format(codec: Codec, source: VideoFormat, size: tuple[int, int]) -> str | None:
    """The encoder's format that :func:`encoder_settings` chooses, ``None`` if it has none without loss."""
    every = [video_format.name for video_format in codec.video_formats or []]
    offered = [name for name in every if _fits(codec.name, name, size)]
    if not every or source.name in offered:
        return source.name
    plain = JPEG_RANGE.get(source.name, source.name)
    return plain if plain in offered else closest_format(offered, plain)


def closest_format(offered: Sequence[str], wanted: str) -> str | None:
    """The smallest of the ``offered`` pixel formats that holds all bits and chroma of the ``wanted`` one.

    Transparency too, if one of them does; then one of the same family.
    """
    holding = [name for name in offered if _holds(_capacity(name), _capacity(wanted))]
    alpha = has_alpha(VideoFormat(wanted, 64, 64))

    def rank(name: str) -> tuple[bool, int, bool, str]:
        other = has_alpha(VideoFormat(name, 64, 64)) != alpha
        return other, sum(_capacity(name)), not name.startswith(wanted[:3]), name

    return min(holding, key=rank) if holding else None


def has_alpha(video_format: VideoFormat) -> bool:
    """Whether a pixel format holds transparency."""
    return any(part.is_alpha for part in video_format.components)


def _fits(codec: str, name: str, size: tuple[int, int]) -> bool:
    """Whether an encoder takes a size in a format: H.264 and H.265 want whole chroma samples."""
    if not _WHOLE_CHROMA.search(codec):
        return True
    video_format = VideoFormat(name, 64, 64)
    steps = (64 // video_format.chroma_width(64), 64 // video_format.chroma_height(64))
    return not any(side % step for side, step in zip(size, steps, strict=True))


def _capacity(name: str) -> tuple[int, ...]:
    """Bits, components and chroma resolution (horizontal, vertical) of a format: more holds more."""
    video_format = VideoFormat(name, 64, 64)
    parts = [part for part in video_format.components if not part.is_alpha]
    colour = len(parts) >= 3
    chroma = (video_format.chroma_width(64), video_format.chroma_height(64)) if colour else (0, 0)
    return min(part.bits for part in parts), len(parts), *chroma


def _holds(offered: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(have >= need for have, need in zip(offered, wanted, strict=True))


def frame_rate(rates: list[Fraction | None]) -> Fraction:
    """A plausible nominal rate; only rate control looks at it, timestamps never come from it."""
    plausible = (rate for rate in rates if rate and 1 <= rate <= 240)
    return next(plausible, Fraction(25))
