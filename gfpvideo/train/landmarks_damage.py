"""Light, damage and things before the face, fast, on small crops (H, W, 3) float32 RGB in [0, 1].

Stronger than :mod:`gfpvideo.train.degrade`, whose parts it uses: a face has to be found where little is left of it.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.networks.landmarks import GROUPS, rough_face
from gfpvideo.pixels.color import FloatImage
from gfpvideo.train import degrade

Random = np.random.Generator
Texture = Callable[[int, Random], FloatImage]


def relight(crop: FloatImage, random: Random) -> FloatImage:
    """Another exposure, contrast and colour; light from one side; now and then black and white."""
    if random.random() < 0.25:
        crop = degrade.greyscale(crop)
        if random.random() < 0.3:
            crop = crop * random.uniform(0.75, 1.0, 3).astype(np.float32)
    if random.random() < 0.4:
        crop = crop * _slope(len(crop), float(random.uniform(0.3, 1.6)), random)[..., None]
    crop = np.clip(crop, 0, 1) ** np.float32(np.exp(random.normal(0, 0.35)))
    gain = np.exp(random.normal(0, 0.12, 3) * (random.random() < 0.6) + random.normal(-0.05, 0.2))
    crop = crop * gain.astype(np.float32) + np.float32(random.normal(0, 0.06))
    if random.random() < 0.2:  # burnt out or crushed
        low, high = random.uniform(0, 0.25), random.uniform(0.6, 1.0)
        crop = (crop - np.float32(low)) / np.float32(high - low)
    if random.random() < 0.3:
        crop = degrade.fade(np.clip(crop, 0, 1), random)
    return np.clip(crop, 0, 1).astype(np.float32)


def _slope(side: int, strength: float, random: Random) -> NDArray[np.float32]:
    """Light that falls off in some direction, (side, side), about 1 in the mean."""
    angle = random.uniform(0, 2 * np.pi)
    ticks = np.linspace(-1, 1, side, dtype=np.float32)
    along = ticks[None] * np.float32(np.cos(angle)) + ticks[:, None] * np.float32(np.sin(angle))
    return 1 + np.float32(strength / 2) * np.tanh(along * np.float32(random.uniform(0.5, 4)))


def age(crop: FloatImage, random: Random) -> tuple[FloatImage, float]:
    """Damage as film, tape and compression do, and over how many pixels detail is now lost (at least 1)."""
    sigma, shrunk = 0.0, 1.0
    if random.random() < 0.5:
        sigma = float(np.exp(random.uniform(np.log(0.3), np.log(2.5))))
        crop = _smoothed(crop, sigma, random)
    if random.random() < 0.35:
        shrunk = float(random.uniform(1.2, 2.5))
    size = crop.shape[1::-1]
    crop = degrade.shrink(crop, shrunk) if shrunk > 1 else crop
    if random.random() < 0.3:
        crop = degrade.film_grain(crop, float(random.uniform(0.01, 0.12)), float(random.uniform(0.4, 1.5)), random)
        crop = degrade.dust_and_scratches(crop, random) if random.random() < 0.5 else crop
    if random.random() < 0.25:
        crop = degrade.chroma_blur(crop, float(random.uniform(1.0, 4.0)), int(random.integers(0, 3)))
    if random.random() < 0.5:
        crop = degrade.noise(crop, float(random.uniform(0, 22)) / 255, random)
    if random.random() < 0.55:
        crop = degrade.jpeg(crop, int(random.integers(15, 95)))
    crop = degrade.enlarge(crop, size) if shrunk > 1 else crop
    if random.random() < 0.12:
        crop = degrade.interlacing_remains(crop, int(random.integers(1, 1 + max(1, size[0] // 24))))
    return crop, float(np.sqrt(shrunk**2 + (1.5 * sigma) ** 2))


def _smoothed(crop: FloatImage, sigma: float, random: Random) -> FloatImage:
    """Out of focus, or drawn out along some direction by motion."""
    if random.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.float32)
    length = max(3, round(4 * sigma) | 1)
    kernel = np.zeros((length, length), np.float32)
    middle, angle = length // 2, random.uniform(0, np.pi)
    reach = middle * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(np.round(middle + sign * reach).astype(int).tolist()) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
    return np.asarray(cv2.filter2D(crop, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), np.float32)


def cover(
    crop: FloatImage, points: NDArray[np.float64], texture: Texture, random: Random
) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Something before the face, and where: a hand, a hat, a microphone, hair, the picture's edge; or nothing.

    Args:
        crop: the face.
        points: (N, 2) its points in pixels of the crop.
        texture: makes a surface of a given side.
        random: where chance comes from.
    """
    side = len(crop)
    mask = np.zeros((side, side), np.uint8)
    if random.random() < 0.4:
        _DRAWERS[int(random.integers(len(_DRAWERS)))](mask, points, random)
    covered = mask > 127
    if not covered.any():
        return crop, covered
    surface = _skin(crop, points, random) if random.random() < 0.4 else texture(side, random)
    share = (mask.astype(np.float32) / np.float32(255))[..., None]
    return np.asarray(crop * (1 - share) + surface * share, np.float32), covered


def _skin(crop: FloatImage, points: NDArray[np.float64], random: Random) -> FloatImage:
    """A surface of about the face's own colour, as a hand has."""
    x, y = np.clip(np.round(points[GROUPS["nose"]]).astype(int), 0, len(crop) - 1).T
    colour = crop[y, x].mean(axis=0) * np.exp(random.normal(0, 0.15))
    shade = _slope(len(crop), float(random.uniform(0.1, 0.8)), random)[..., None]
    return np.clip(colour * shade, 0, 1).astype(np.float32)


def _blob(mask: NDArray[np.uint8], points: NDArray[np.float64], random: Random) -> None:
    face = rough_face(points)
    centre, size = face.centre, face.size
    middle = centre + random.uniform(-0.5, 0.5, 2) * size
    axes = size * random.uniform(0.06, 0.35, 2)
    _ellipse(mask, middle, axes, float(random.uniform(0, 180)))


def _hand(mask: NDArray[np.uint8], points: NDArray[np.float64], random: Random) -> None:
    """Some fingers side by side, from a palm."""
    face = rough_face(points)
    centre, size = face.centre, face.size
    angle = float(random.uniform(0, 360))
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    across = np.array([-along[1], along[0]])
    middle = centre + random.uniform(-0.45, 0.45, 2) * size
    width = size * random.uniform(0.035, 0.06)
    for finger in range(int(random.integers(2, 6))):
        start = middle + across * width * 2.1 * finger + along * random.normal(0, 0.04) * size
        _ellipse(mask, start, np.array([size * random.uniform(0.15, 0.28), width]), angle)
    _ellipse(mask, middle + across * width * 3 - along * 0.25 * size, np.array([0.16, 0.14]) * size, angle)


def _hat(mask: NDArray[np.uint8], points: NDArray[np.float64], random: Random) -> None:
    """Everything above some line across the brow, or below one across the mouth."""
    brow, chin = points[GROUPS["brows"]].mean(axis=0), points[GROUPS["lips"]].mean(axis=0)
    down = chin - brow
    size = float(np.linalg.norm(down)) + 1e-6
    along = np.array([-down[1], down[0]]) / size
    away, line = (-1, brow) if random.random() < 0.6 else (1, chin)
    line = line + down * random.uniform(-0.25, 0.25)
    tilt = along * 4 * size + down * random.normal(0, 0.5)
    corners = np.array([line - tilt, line + tilt, line + tilt + away * down * 6, line - tilt + away * down * 6])
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)


def _stick(mask: NDArray[np.uint8], points: NDArray[np.float64], random: Random) -> None:
    """A microphone or a strand: a line that ends near the mouth or crosses the face."""
    face = rough_face(points)
    centre, size = face.centre, face.size
    start = centre + random.uniform(-0.35, 0.35, 2) * size
    end = centre + np.array([random.uniform(-1.5, 1.5), random.uniform(0.5, 1.5)]) * size
    ends = [tuple(np.round(place).astype(int).tolist()) for place in (start, end)]
    cv2.line(mask, ends[0], ends[1], 255, max(1, round(size * random.uniform(0.02, 0.12))), cv2.LINE_AA)
    _ellipse(mask, start, size * random.uniform(0.05, 0.12, 2), 0.0)


def _edge(mask: NDArray[np.uint8], points: NDArray[np.float64], random: Random) -> None:
    """A half-plane: the picture's edge, a door frame, someone's back."""
    face = rough_face(points)
    centre, size = face.centre, face.size
    angle = np.radians(random.choice([0, 90, 180, 270])) + random.normal(0, 0.15)
    out = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-out[1], out[0]]) * 4 * size
    line = centre + out * random.uniform(0.0, 0.5) * size
    corners = np.array([line - along, line + along, line + along + out * 4 * size, line - along + out * 4 * size])
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)


def _ellipse(mask: NDArray[np.uint8], middle: NDArray[np.float64], axes: NDArray[np.float64], angle: float) -> None:
    place, reach = np.round(middle).astype(int).tolist(), np.maximum(1, np.round(axes)).astype(int).tolist()
    cv2.ellipse(mask, tuple(place), tuple(reach), angle, 0, 360, 255, -1, cv2.LINE_AA)


_DRAWERS = (_blob, _blob, _hand, _hand, _hat, _stick, _edge)
