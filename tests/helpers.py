"""Small clips and frames made for one test, and what is read back from finished films."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from gfpvideo.faces.align import template
from gfpvideo.frames import (
    Crop,
    CroppedFrame,
    Face,
    Frame,
    GeneratedFrame,
    Rect,
    RestoredCrop,
    RestoredFrame,
    Samples,
    TrackedFrame,
)
from gfpvideo.media.pixel_format import read_only
from gfpvideo.media.still import Picture, read_picture, write_picture
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.regions import face_mask

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def frame_of(components: Sequence[NDArray[np.integer]], samples: Samples, index: int = 0) -> Frame:
    """A frame around plain arrays."""
    return Frame(
        index=index,
        pts=index,
        time_base=Fraction(1, 25),
        components=read_only(tuple(components)),
        samples=samples,
        to_display=IDENTITY,
        shrink=_black,
    )


def _black(columns: int, rows: int) -> NDArray[np.uint8]:
    return np.zeros((rows, columns, 3), np.uint8)


def crop_of(
    source: FloatImage, track: int = 1, landmarks: NDArray[np.float64] | None = None, share: float = 1.0
) -> Crop:
    """A crop that lies in its frame as it is."""
    size = len(source)
    points = template(size) if landmarks is None else landmarks
    return Crop(
        Face(track, points, filled=False),
        IDENTITY,
        Rect(0, 0, size, size),
        source,
        rgb_to_ycc(source)[0],
        share=share,
    )


def restored_crop(source: FloatImage, restored: FloatImage, mask: FloatImage | None = None) -> RestoredCrop:
    """A crop of track 1 and what a generator made of it; by default with the mask of any face."""
    return RestoredCrop(crop_of(source), restored, face_mask(len(source)) if mask is None else mask)


def cropped_frame(frame: Frame, *crops: Crop) -> CroppedFrame:
    """A frame with its crops."""
    return CroppedFrame(TrackedFrame(frame, tuple(crop.face for crop in crops)), crops)


def generated_frame(frame: Frame, *crops: RestoredCrop) -> GeneratedFrame:
    """A frame with its restored crops."""
    return GeneratedFrame(TrackedFrame(frame, tuple(crop.crop.face for crop in crops)), crops, 0)


def smooth_picture(rng: np.random.Generator, height: int, width: int) -> FloatImage:
    """(H, W, 3) of gentle gradients in [0.2, 0.8]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / rng.uniform(9, 20) + y / rng.uniform(9, 20) + rng.uniform(0, 6)) for _ in range(3)]
    return (0.5 + 0.3 * np.stack(waves, axis=2)).astype(np.float32)


def psnr(a: NDArray[np.generic], b: NDArray[np.generic], peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = float(np.square(a.astype(np.float64) - b.astype(np.float64)).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(peak**2 / error))


Computed = Literal["alike", "in another order", "elsewhere"]
"""How two pictures that should be the same came about; see :func:`assert_same`."""

_TOLERANCES: dict[Computed, float] = {
    # The same program, processor and batch: bit for bit, as docs/promises.md says.
    "alike": 0.0,
    # The same sums in another order: another batch, number of threads, compiler or library on this processor. float32
    # rounds each of them to 24 bits, 6e-8 of it; through the 50 layers of a generator 2e-6 was measured.
    "in another order": 1e-5,
    # Stored on another machine, by another implementation: exponentials, roots and interpolation differ as well.
    "elsewhere": 1e-4,
}
"""Largest difference of one sample, over the standard deviation of the expected ones: a dim picture is no licence.

A thousandth would still be invisible: a level of eight bits is 1/60 of the deviation of a usual picture.
"""


def assert_same(found: NDArray[np.generic], expected: NDArray[np.generic], computed: Computed) -> None:
    """Fail unless two pictures (or a network's other outputs, of any shape) are the same, as far as can be asked."""
    assert found.shape == expected.shape
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    limit = _TOLERANCES[computed] * float(expected.std())
    assert difference.size > 0
    assert difference.max() <= limit, f"off by {difference.max():.3g} at most, {difference.mean():.3g} on average"


@dataclass
class FilmFacts:
    """What a demuxer and a decoder find in a film."""

    pts: list[Fraction] = field(default_factory=list)
    """Presentation time of each decoded frame of the main video, seconds."""
    planes: list[list[bytes]] = field(default_factory=list)
    """Samples of each plane of each frame, without padding; only if asked for."""
    payloads: list[tuple[str, int, str]] = field(default_factory=list)
    """Type, packet count and SHA-256 of the payload of every other stream, in order."""
    starts: dict[str, Fraction] = field(default_factory=dict)
    """First timestamp of the first stream of each type, relative to the first frame."""
    aspect: Fraction | None = None
    """Width of a stored pixel over its height."""
    first: Any = None
    """The first decoded frame."""

    @property
    def intervals(self) -> list[Fraction]:
        """Presentation times counted from the first frame."""
        return [pts - self.pts[0] for pts in self.pts]


def facts(path: Path, *, planes: bool = False) -> FilmFacts:
    """Read a film with nothing but PyAV."""
    found = FilmFacts()
    others: dict[int, list[Any]] = {}
    with av.open(str(path), metadata_errors="replace") as container:
        stream: Any = container.streams.best("video")
        assert stream is not None
        for packet in container.demux():
            if packet.stream.index == stream.index:
                _decode(packet, found, planes)
            elif packet.size:
                entry = others.setdefault(packet.stream.index, [packet.stream.type, 0, hashlib.sha256(), packet])
                entry[1] += 1
                entry[2].update(bytes(packet))
        found.aspect = stream.sample_aspect_ratio
    found.payloads = sorted((kind, count, digest.hexdigest()) for kind, count, digest, _ in others.values())
    for kind, _, _, packet in others.values():
        if packet.pts is not None:
            found.starts.setdefault(kind, packet.pts * packet.time_base - found.pts[0])
    return found


def packets(path: Path) -> list[tuple[int, int | None, int | None, str]]:
    """Stream, times and SHA-256 of every packet of a film: all but the container's own numbers, some of them random."""
    with av.open(str(path)) as container:
        return [
            (packet.stream.index, packet.pts, packet.dts, hashlib.sha256(bytes(packet)).hexdigest())
            for packet in container.demux()
            if packet.size
        ]


def _decode(packet: Any, found: FilmFacts, planes: bool) -> None:
    try:
        pictures = packet.decode()
    except av.error.InvalidDataError:
        return
    for picture in pictures:
        found.first = found.first or picture
        found.pts.append(picture.pts * picture.time_base)
        if planes:
            found.planes.append(plane_bytes(picture))


def plane_bytes(picture: Any) -> list[bytes]:
    """Rows of each plane without what pads them."""
    parts = picture.format.components
    packed = len({part.plane for part in parts}) < len(parts)
    step = picture.format.padded_bits_per_pixel // 8 if packed else -(-parts[0].bits // 8)
    found = []
    for plane in picture.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        found.append(rows[: plane.height, : plane.width * step].tobytes())
    return found


def write_film(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    source: Literal["rgb24", "gray"] = "rgb24",
    options: dict[str, str] | None = None,
    **settings: Any,
) -> Path:
    """Encode RGB pictures; ``settings`` are attributes of the codec context."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=round(1 / time_base), options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = pix_fmt, time_base
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format=source)
            frame.pts, frame.time_base = (ticks[index] if ticks else index), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_with_sound(path: Path, codec: str, sound: str, layout: str = "stereo", frames: int = 25) -> Path:
    """Noise to see at 25 frames a second, and silence to hear at 48 kHz."""
    chance = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        audio: Any = container.add_stream(sound, rate=48_000)
        audio.layout = layout
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(chance.integers(0, 255, (64, 96, 3), np.uint8), format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        kind, size, channels = (
            audio.format.name,
            audio.codec_context.frame_size or 1024,
            av.AudioLayout(layout).nb_channels,
        )
        planes = channels if audio.format.is_planar else 1
        silence: Any = np.zeros((planes, size * channels // planes), np.int16 if kind.startswith("s16") else np.float32)
        for begin in range(0, 1920 * frames, size):
            heard = av.AudioFrame.from_ndarray(silence, format=kind, layout=layout)
            heard.sample_rate, heard.pts = 48_000, begin
            container.mux(audio.encode(heard))
        container.mux(audio.encode(None))
    return path


def remuxed(
    source: Path,
    target: Path,
    move: Callable[[Any], None] = lambda packet: None,
    prepare: Callable[[OutputContainer, dict[int, Any]], None] = lambda container, streams: None,
) -> Path:
    """The same packets in another file; ``move`` may change each, ``prepare`` what they go to."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams: dict[int, Any] = {each.index: after.add_stream_from_template(each) for each in before.streams}
        prepare(after, streams)
        for packet in before.demux():
            if packet.dts is not None:
                move(packet)
                packet.stream = streams[packet.stream_index]
                after.mux(packet)
    return target


def through(source: Path, target: Path) -> Picture:
    """Read and write a photograph as if no face was in it."""
    picture = read_picture(source, target)
    write_picture(picture, RestoredFrame(picture.frame, ()), target, overwrite=True)
    return picture


def scale_of(affine: NDArray[np.float64]) -> float:
    """How much longer lines become under an affine map, on average."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
