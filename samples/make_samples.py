"""Make the two sample clips: one portrait, brought to life and aged as 8 mm film and as VHS tape.

The portrait is NASA's photograph of the astronaut Eileen Collins (public domain), as scikit-image ships it. Run in a
checkout, with the test extra installed:

    python samples/make_samples.py
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data
from av.container import OutputContainer
from av.subtitles.stream import SubtitleStream
from cv2.typing import MatLike
from numpy.typing import NDArray

HERE = Path(__file__).parent
FACE = (224.0, 118.0)
"""Where the face is in the portrait, pixels."""
SAMPLE_RATE = 48000

Picture = MatLike
"""(H, W, 3) RGB, float32 in [0, 1]."""
Ageing = Callable[[Picture, int, np.random.Generator], Picture]


@dataclass(frozen=True)
class Clip:
    """What to make."""

    name: str
    size: tuple[int, int]
    rate: Fraction
    frames: int
    crf: int
    age: Ageing
    audio: str
    with_text: bool
    """Whether to add subtitles and chapters."""


def portrait() -> Picture:
    """The portrait, (512, 512, 3) RGB in [0, 1]."""
    return (skimage.data.astronaut() / 255.0).astype(np.float32)


def view(picture: Picture, size: tuple[int, int], moment: float) -> Picture:
    """The camera's picture at ``moment`` (0 to 1): a slow zoom and pan, while the head turns and nods a little."""
    zoom = 1.05 + 0.35 * moment
    roll = np.radians(4.0 * np.sin(2 * np.pi * moment))
    yaw, nod = 0.00035 * np.sin(4 * np.pi * moment), 0.0003 * np.sin(6 * np.pi * moment + 1)
    pan_x, pan_y = 14 * np.sin(2 * np.pi * moment + 0.5), 8 * np.cos(4 * np.pi * moment)
    to_origin = np.array([[1, 0, -FACE[0]], [0, 1, -FACE[1]], [0, 0, 1.0]])
    turn = np.array([[1, 0, 0], [0, 1, 0], [yaw, nod, 1.0]])
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    place = np.array([[cos, -sin, size[0] * 0.5 + pan_x], [sin, cos, size[1] * 0.42 + pan_y], [0, 0, 1.0]])
    warped = cv2.warpPerspective(
        picture, place @ turn @ to_origin, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.clip(warped, 0.0, 1.0).astype(np.float32)


def age_as_film(picture: Picture, index: int, random: np.random.Generator) -> Picture:
    """8 mm: soft lens, faded dyes, uneven light, gate weave, grain, dust and a scratch."""
    height, width = picture.shape[:2]
    weave = np.array([[1, 0, random.normal(0, 0.5)], [0, 1, random.normal(0, 0.7)]])
    picture = cv2.warpAffine(picture, weave, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    picture = cv2.GaussianBlur(picture, (0, 0), 2.1)
    picture = picture @ np.array([[0.88, 0.05, 0.02], [0.07, 0.84, 0.10], [0.04, 0.06, 0.72]], np.float32)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    vignette = 1 - 0.32 * (x**2 + y**2)
    picture = (0.07 + 0.86 * picture * vignette[..., None]) * (1 + random.normal(0, 0.018))
    grain = cv2.GaussianBlur(random.normal(0, 0.075, (height, width, 1)).astype(np.float32), (0, 0), 0.8)
    picture = picture + grain[..., None]
    for _ in range(random.poisson(1.5)):
        spot = (int(random.integers(width)), int(random.integers(height)))
        cv2.circle(picture, spot, int(random.integers(1, 3)), (0.1,) * 3 if random.random() < 0.6 else (0.95,) * 3, -1)
    if index % 23 < 9:
        column = int(width * 0.71 + random.normal(0, 0.6))
        picture[:, column : column + 1] += 0.12
    return np.clip(picture, 0.0, 1.0).astype(np.float32)


def age_as_tape(picture: Picture, index: int, random: np.random.Generator) -> Picture:
    """VHS: half of the horizontal detail, smeared and delayed colour, noise, unsteady lines, head switching below."""
    height, width = picture.shape[:2]
    ycc = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    luma = cv2.GaussianBlur(ycc[..., 0], (0, 0), 2.0, sigmaY=0.7)
    luma = luma + 0.35 * (luma - cv2.GaussianBlur(luma, (0, 0), 3.5, sigmaY=0.1))
    noise = random.normal(0, 0.035, (height, width)).astype(np.float32)
    luma = luma + cv2.GaussianBlur(noise, (0, 0), 1.2, sigmaY=0.3)
    chroma = cv2.GaussianBlur(np.roll(ycc[..., 1:], 4, axis=1), (0, 0), 6.0, sigmaY=1.5) - 0.5
    chroma = 0.5 + 0.9 * chroma + cv2.GaussianBlur(random.normal(0, 0.06, chroma.shape), (0, 0), 5.0, sigmaY=0.8)
    picture = cv2.cvtColor(np.dstack([luma, chroma]).astype(np.float32), cv2.COLOR_YCrCb2RGB)
    shifts = cv2.GaussianBlur(random.normal(0, 1.2, (height, 1)).astype(np.float32), (0, 0), 2.0).ravel()
    shifts[-7:] += np.linspace(2, 18, 7) + random.normal(0, 2)
    columns = np.arange(width, dtype=np.float32)[None, :] - shifts[:, None]
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    picture = cv2.remap(picture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if index % 31 == 17:
        row = int(random.integers(20, height - 20))
        picture[row : row + 2, : width // 3] = 0.9
    return np.clip(picture, 0.0, 1.0).astype(np.float32)


FILM = Clip("home_movie.mp4", (480, 360), Fraction(18), 90, 27, age_as_film, "aac", with_text=False)
TAPE = Clip("vhs_tape.mkv", (512, 384), Fraction(25), 100, 25, age_as_tape, "libopus", with_text=True)


def clean_frames(clip: Clip) -> Iterator[Picture]:
    """The clip before it is aged: the truth that a restoration is measured against."""
    picture = portrait()
    for index in range(clip.frames):
        yield view(picture, clip.size, index / clip.frames)


def aged_frames(clip: Clip) -> Iterator[Picture]:
    """The clip as the sample holds it, before compression."""
    random = np.random.default_rng(8)
    for index, picture in enumerate(clean_frames(clip)):
        yield clip.age(picture, index, random)


def soundtrack(seconds: float) -> NDArray[np.float32]:
    """A music box over the hum of a projector, (1, N) in [-1, 1]."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    random = np.random.default_rng(1)
    sound = 0.02 * np.sin(2 * np.pi * 48 * time) + random.normal(0, 0.004, len(time))
    for beat, step in enumerate([0, 4, 7, 12, 7, 4, 0, -5, 0, 4, 7, 16]):
        since = time - 0.42 * beat
        tone = np.sin(2 * np.pi * 440 * 2 ** (step / 12) * since) * np.exp(-5 * np.maximum(since, 0))
        sound += 0.25 * tone * (since > 0)
    return sound.astype(np.float32)[None]


def write(clip: Clip) -> Path:
    """Encode ``clip`` into this folder."""
    path = HERE / clip.name
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "gfpvideo sample: NASA portrait, animated and aged"
        options = {"crf": str(clip.crf), "preset": "slow"}
        video: Any = container.add_stream("libx264", rate=clip.rate, options=options)
        video.width, video.height = clip.size
        video.pix_fmt, video.codec_context.time_base = "yuv420p", 1 / clip.rate
        audio: Any = container.add_stream(clip.audio, rate=SAMPLE_RATE, layout="mono")
        audio.bit_rate = 48000
        audio.metadata["language"] = "eng"
        subtitles = _add_text(container) if clip.with_text else None
        for index, picture in enumerate(aged_frames(clip)):
            frame = av.VideoFrame.from_ndarray(np.rint(picture * 255).astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, 1 / clip.rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        _write_sound(container, audio, float(clip.frames / clip.rate))
        if subtitles is not None:
            _write_subtitles(container, subtitles)
    return path


def _add_text(container: OutputContainer) -> SubtitleStream:
    second = Fraction(1, 1000)
    container.set_chapters(
        [
            {"id": 1, "start": 0, "end": 2000, "time_base": second, "metadata": {"title": "Portrait"}},
            {"id": 2, "start": 2000, "end": 4000, "time_base": second, "metadata": {"title": "Closer"}},
        ]
    )
    subtitles = container.add_stream("srt", options={})
    subtitles.codec_context.subtitle_header = b""
    subtitles.metadata["language"] = "eng"
    return subtitles


def _write_subtitles(container: OutputContainer, stream: SubtitleStream) -> None:
    for start, text in ((300, "A portrait from 1992."), (2200, "And a little closer.")):
        packet = av.Packet(text.encode())
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = 1500
        container.mux(packet)


def _write_sound(container: OutputContainer, stream: Any, seconds: float) -> None:
    sound = soundtrack(seconds)
    resampler = av.AudioResampler(stream.codec_context.format.name, "mono", SAMPLE_RATE, frame_size=960)
    block = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
    block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    for frame in [*resampler.resample(block), *resampler.resample(None)]:
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


if __name__ == "__main__":
    for sample in (FILM, TAPE):
        made = write(sample)
        print(f"{made.name}: {made.stat().st_size} bytes")
