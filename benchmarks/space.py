"""How many bits a pixel encoders spend at our settings: where the figures of gfpvideo.media.space come from.

    python benchmarks/space.py film.mp4 ...

Prints a table of bits a pixel, film by film, as such, as a share of the raw samples, and in terms of what the source
itself spends; and each encoder's worst. The first frames of a film hold a key frame, more often than a whole film does.
"""

import argparse
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.video.frame import VideoFrame

from gfpvideo.media.encoder import encoder_settings, threads_of
from gfpvideo.media.segment import prepared
from gfpvideo.media.source import VideoSource
from gfpvideo.options.restore import RestoreOptions

SETTINGS: dict[str, dict[str, Any]] = {
    "libx264": {},
    "libx264 --crf 10": {"crf": 10},
    "libx264 --crf 22": {"crf": 22},
    "libx264 --crf 0": {"crf": 0},
    "libx265": {},
    "libvpx-vp9": {},
    "libsvtav1": {},
    "mpeg4": {},
    "prores_ks": {},
    "libx264rgb --crf 0": {"crf": 0},
    "ffv1": {},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=48)
    arguments = parser.parse_args()
    worst = dict.fromkeys(SETTINGS, (0.0, 0.0, 0.0))
    for film in arguments.films:
        pictures = list(islice(decoded(film), arguments.frames))
        first, raw, own = pictures[0], pictures[0].format.padded_bits_per_pixel, bits_of_source(film, arguments.frames)
        print(f"{film.name} {first.width}x{first.height} {first.format.name}, {len(pictures)} frames, {own:.3f} bits")
        for name, values in SETTINGS.items():
            bits = bits_a_pixel(pictures, RestoreOptions(codec=name.split()[0], **values))
            figures = (bits, bits / raw, bits / own)
            worst[name] = max(worst[name][0], bits), max(worst[name][1], figures[1]), max(worst[name][2], figures[2])
            print(f"  {name:20} {bits:6.3f} bits a pixel, {figures[1]:5.2f} raw, {figures[2]:6.1f} source", flush=True)
    for name, (bits, share, times) in worst.items():
        print(f"worst of {name:20} {bits:6.3f} {share:5.2f} {times:6.1f}")


def decoded(film: Path) -> Iterator[VideoFrame]:
    """Pictures as they reach the encoder."""
    with VideoSource(film) as source:
        for frame in source.frames():
            assert isinstance(frame.picture, VideoFrame)
            yield frame.picture


def bits_of_source(film: Path, frames: int) -> float:
    """Bits a pixel of a film's own first packets."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        sizes = [packet.size for packet in islice(container.demux(stream), frames)]
        return 8 * sum(sizes) / (len(sizes) * stream.width * stream.height)


def bits_a_pixel(pictures: list[VideoFrame], options: RestoreOptions) -> float:
    """What an encoder makes of pictures."""
    first = pictures[0]
    settings = encoder_settings(options, first)
    encoder: Any = av.CodecContext.create(settings.codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = first.width, first.height, settings.pix_fmt
    encoder.time_base, encoder.framerate = Fraction(1, 25), 25
    encoder.options, encoder.thread_count = settings.options, threads_of(settings.codec)
    size = 0
    for index, picture in enumerate(pictures):
        ready = prepared(picture, settings.pix_fmt)
        ready.pts, ready.time_base = index, Fraction(1, 25)
        size += sum(packet.size for packet in encoder.encode(ready))
    size += sum(packet.size for packet in encoder.encode(None))
    return 8 * size / (len(pictures) * first.width * first.height)


if __name__ == "__main__":
    main()
