"""Whether a disk will hold a film, before an hour is spent on it.

The figures come from benchmarks/space.py, on 13 clips from grain of 8 mm film to a slide show (docs/measurements.md).
They err on the side of too much: the largest that was seen, rounded up.
"""

import shutil
from fractions import Fraction
from pathlib import Path

from av.video.format import VideoFormat

from gfpvideo.errors import OutputError
from gfpvideo.media.encoder import find_encoder, holding_format
from gfpvideo.media.source import VideoSource
from gfpvideo.media.target import written_format
from gfpvideo.options.restore import RestoreOptions

_COPIES = 2
"""The segments, and the film that is put together out of them."""
_USUAL_QUALITY = 16
"""Constant quality for which the next three figures hold."""
_MOST_BITS = 0.8
"""Of a pixel with x264, x265, VP9 or SVT-AV1: grain takes 0.6 to 0.75."""
_LEAST_BITS, _TIMES_SOURCE = 0.08, 3.0
"""What a pixel takes at most where the source itself gets by with little: some bits, and so many times the source's."""
_FINER, _COARSER = 6, 8
"""Steps of constant quality within which the size doubles towards 0, and halves towards 51."""
_LOSSLESS_SHARE = 0.5
"""Of the raw samples, with FFV1 (0.4 at most) or x264 at quality 0 (0.5)."""
_INTERMEDIATE_BITS = 6.5
"""Of a pixel in ProRes (6.2 at most), and whatever else edits well."""
_INTERMEDIATE = ("prores", "dnxhd", "cfhd", "mjpeg", "jpeg2000")
_BARELY_COMPRESSED = {"rawvideo", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "png", "qtrle", "v210", "r210"}


def needed_bytes(film: VideoSource, options: RestoreOptions) -> int:
    """About how much room restoring a film takes, segments included.

    Args:
        film: the part of a film that is restored.
        options: their ``codec`` is the name of an encoder.
    """
    size, frames, whole = film.path.stat().st_size, film.expected_frames, _whole_frames(film)
    if not frames or not whole:
        return _COPIES * size
    written, (width, height) = written_format(film.path, options)
    bits = bits_a_pixel(written, options, 8 * size / (whole * film.stream.width * film.stream.height))
    picture = frames * width * height * (2 if options.compare == "side" else 1) * bits / 8
    others = size * min(1, Fraction(frames, whole))  # sound and all else is copied once; the old picture is in it too
    return int(_COPIES * picture + others)


def bits_a_pixel(written: VideoFormat, options: RestoreOptions, source_bits: float) -> float:
    """The most that an encoder is thought to spend on a pixel.

    Args:
        written: pixel format of what is encoded.
        options: encoder and quality.
        source_bits: what the source spends on a pixel, sound included.
    """
    held = holding_format(find_encoder(options.codec), written, (64, 64))
    raw = float((VideoFormat(held, 64, 64) if held is not None else written).bits_per_pixel)
    if options.codec in _BARELY_COMPRESSED:
        return raw
    quality = _quality(options)
    if options.codec == "ffv1" or quality < 1:
        return _LOSSLESS_SHARE * raw
    if options.codec.startswith(_INTERMEDIATE):
        return _INTERMEDIATE_BITS
    steps = (_USUAL_QUALITY - quality) / (_FINER if quality < _USUAL_QUALITY else _COARSER)
    return min(_MOST_BITS, _LEAST_BITS + _TIMES_SOURCE * source_bits) * 2**steps


def _quality(options: RestoreOptions) -> float:
    """The constant quality that was asked for."""
    if options.crf is not None:
        return options.crf
    given = [options.encoder_options[name] for name in ("crf", "qp") if name in options.encoder_options]
    try:
        return float(given[0]) if given else _USUAL_QUALITY
    except ValueError:  # the encoder will refuse it by name
        return _USUAL_QUALITY


def _whole_frames(film: VideoSource) -> int:
    """About how many frames all of the film has, 0 if nothing tells."""
    rate, duration = film.stream.guessed_rate, film.container.duration
    if film.stream.frames or not rate or not duration:
        return film.stream.frames
    return round(rate * Fraction(duration, 1_000_000))


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder."""
    return shutil.disk_usage(folder).free


def _readable(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def check_space(target: Path, film: VideoSource, options: RestoreOptions, done: int = 0) -> None:
    """Refuse a film that the target's disk will probably not hold.

    Args:
        target: where it is to go.
        film: what is restored.
        options: how.
        done: bytes of it that lie there already.

    Raises:
        OutputError: with what is needed and what is free.
    """
    needed, free = needed_bytes(film, options) - done, free_bytes(target.parent)
    if needed > free:
        raise OutputError(
            f"{target}: about {_readable(needed)} are needed and {_readable(free)} are free; make room, give"
            " another -o, or --no-disk-check"
        )
