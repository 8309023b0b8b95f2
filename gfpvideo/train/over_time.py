"""Damage as a film takes it over time: one blur and raster for all its frames, fresh grain in each, codecs over all.

Every function takes frames (T, H, W, 3) float32 RGB in [0, 1] and gives frames of the same kind.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.media.recode import recode_film
from gfpvideo.pixels.color import FloatImage
from gfpvideo.train import degrade

Random = np.random.Generator
Frames = NDArray[np.float32]


def film(frames: Frames, random: Random) -> Frames:
    """Small-gauge film: coarse grain, dust that one frame has, light that flickers."""
    deviation, size = float(random.uniform(0.015, 0.09)), float(random.uniform(0.4, 1.2))
    flicker = float(random.uniform(0.0, 0.06))

    def worn(frame: FloatImage) -> FloatImage:
        frame = np.clip(frame * np.float32(1 + random.normal(0, flicker)), 0, 1)
        frame = degrade.film_grain(frame, deviation, size, random)
        return degrade.dust_and_scratches(frame, random) if random.random() < 0.15 else frame

    return _each(frames, worn)


def tape(frames: Frames, random: Random) -> Frames:
    """Analogue tape: smeared colour that comes late, noise along the lines."""
    smear, late = float(random.uniform(0.8, 4.0)), int(random.integers(0, 3))
    deviation = float(random.uniform(0.01, 0.05))

    def played(frame: FloatImage) -> FloatImage:
        frame = degrade.chroma_blur(frame, smear, late)
        noise = cv2.GaussianBlur(random.standard_normal(frame.shape, dtype=np.float32), (0, 0), 0.8, sigmaY=0.01)
        return np.clip(frame + np.float32(deviation / 0.6) * noise, 0, 1)

    return _each(frames, played)


def web(frames: Frames, random: Random) -> Frames:
    """Video of a low bit rate: what the encoder throws away it throws away in frame after frame."""
    noisy = camera(frames, random, most=4.0) if random.random() < 0.6 else frames
    return recode_film(noisy, int(random.integers(22, 40)))


def camera(frames: Frames, random: Random, most: float = 20.0) -> Frames:
    """Noise of a sensor, stronger in the dark or everywhere the same, in colour or grey."""
    deviation, shot = float(random.uniform(0.0, most)) / 255, random.random() < 0.5
    channels = 3 if random.random() < 0.7 else 1

    def seen(frame: FloatImage) -> FloatImage:
        noise = random.standard_normal((*frame.shape[:2], channels), dtype=np.float32) * np.float32(deviation)
        return np.clip(frame + noise * (1.4 - frame if shot else np.float32(1)), 0, 1).astype(np.float32)

    return _each(frames, seen)


def scanned(frames: Frames, random: Random) -> Frames:
    """Every frame compressed by itself, after noise."""
    quality = int(random.integers(30, 90))
    return _each(camera(frames, random, most=8.0), lambda frame: degrade.jpeg(frame, quality))


def hardly(frames: Frames, random: Random) -> Frames:
    """A good transfer: nothing should change."""
    return recode_film(frames, int(random.integers(12, 22))) if random.random() < 0.5 else frames


DAMAGES: Sequence[Callable[[Frames, Random], Frames]] = (film, film, tape, web, web, camera, camera, scanned, hardly)
"""Drawn from with equal chances."""


def _each(frames: Frames, change: Callable[[FloatImage], FloatImage]) -> Frames:
    return np.stack([change(frame) for frame in frames]).astype(np.float32, copy=False)
