"""Between a frame's own samples and RGB, for one rectangle: matrix, range, bit depth, chroma subsampling and siting.

RGB here is (H, W, 3) float32, 0 black and 1 white as an ordinary screen shows them; values beyond are kept. Restored
pixels go back as a *difference*, so what is not changed keeps its exact sample values.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Matrix, Rect, Samples
from gfpvideo.pixels.transfer import display_to_pq, pq_to_display

FloatImage = NDArray[np.float32]
"""(H, W) or (H, W, 3)."""
Components = Sequence[NDArray[np.integer]]

_LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
"""Share of red and of blue in luma (ITU-T H.273, table 4)."""


def to_bytes(picture: FloatImage) -> NDArray[np.uint8]:
    """A picture in [0, 1], rounded to 8 bits; what lies beyond is clipped."""
    return np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)


def crop_to_bytes(crop: FloatImage) -> NDArray[np.uint8]:
    """A crop in [-1, 1], rounded to 8 bits."""
    return to_bytes((crop + np.float32(1)) / np.float32(2))


def align_rect(rect: Rect, samples: Samples, size: tuple[int, int]) -> Rect:
    """Grow ``rect`` to whole chroma samples and clip it to a frame of ``size`` (width, height)."""
    step_x, step_y = samples.subsampling
    return Rect(
        max(0, rect.left // step_x * step_x),
        max(0, rect.top // step_y * step_y),
        min(size[0], -(-rect.right // step_x) * step_x),
        min(size[1], -(-rect.bottom // step_y) * step_y),
    )


def component_slices(rect: Rect, samples: Samples, component: int) -> tuple[slice, slice]:
    """Rows and columns of a component's samples that lie under an aligned ``rect``."""
    step_x, step_y = samples.subsampling if component else (1, 1)
    return (
        slice(rect.top // step_y, -(-rect.bottom // step_y)),
        slice(rect.left // step_x, -(-rect.right // step_x)),
    )


def read_rgb(components: Components, samples: Samples, rect: Rect) -> FloatImage:
    """RGB of the samples under ``rect`` (aligned, see :func:`align_rect`)."""
    signal = _read_signal(components, samples, rect)
    return pq_to_display(signal) if samples.curve == "pq" else signal


def add_rgb(components: Components, samples: Samples, rect: Rect, difference: FloatImage) -> None:
    """Add a difference of RGB values to the samples under ``rect``, in place.

    A difference that rounds to less than one code value leaves a sample as it is.
    """
    if samples.curve == "pq":
        before = _read_signal(components, samples, rect)
        shown = pq_to_display(before)
        difference = display_to_pq(shown + difference) - display_to_pq(shown)
    if samples.family == "rgb":
        channels = [difference[..., index] for index in range(3)]
    else:
        luma, chroma = rgb_to_ycc(difference, samples.matrix)
        channels = [luma, *(_shrink_chroma(plane, samples) for plane in chroma)][: len(components)]
    for index, (plane, change) in enumerate(zip(components, channels, strict=True)):
        _add_samples(plane[component_slices(rect, samples, index)], change * _span(samples, index), samples)


def rgb_to_ycc(rgb: FloatImage, matrix: Matrix = "bt709") -> tuple[FloatImage, tuple[FloatImage, FloatImage]]:
    """Luma in [0, 1] and the two colour differences in [-0.5, 0.5] of RGB; linear, so also of differences."""
    red, blue = _LUMA_WEIGHTS[matrix]
    luma = (rgb @ np.array([red, 1 - red - blue, blue], np.float32)).astype(np.float32, copy=False)
    return luma, (
        (rgb[..., 2] - luma) * np.float32(0.5 / (1 - blue)),
        (rgb[..., 0] - luma) * np.float32(0.5 / (1 - red)),
    )


def ycc_to_rgb(luma: FloatImage, cb: FloatImage, cr: FloatImage, matrix: Matrix = "bt709") -> FloatImage:
    """The inverse of :func:`rgb_to_ycc`."""
    red, blue = _LUMA_WEIGHTS[matrix]
    b = luma + np.float32(2 * (1 - blue)) * cb
    r = luma + np.float32(2 * (1 - red)) * cr
    g = (luma - np.float32(red) * r - np.float32(blue) * b) * np.float32(1 / (1 - red - blue))
    return np.stack([r, g, b], axis=2, dtype=np.float32)


def _merge(planes: list[FloatImage]) -> FloatImage:
    return np.asarray(cv2.merge(planes), np.float32)


def _read_signal(components: Components, samples: Samples, rect: Rect) -> FloatImage:
    """RGB code values in [0, 1] before any transfer curve is undone."""
    planes = [
        _normalise(plane[component_slices(rect, samples, index)], samples, index)
        for index, plane in enumerate(components)
    ]
    if samples.family == "gray":
        return _merge([planes[0]] * 3)
    if samples.family == "rgb":
        return _merge(planes)
    size = planes[0].shape
    cb, cr = (_grow_chroma(plane, samples, size) for plane in planes[1:])
    return ycc_to_rgb(planes[0], cb, cr, samples.matrix)


def _span(samples: Samples, component: int) -> float:
    """Code values between black and white (luma) or between the extremes (chroma)."""
    if samples.full_range:
        return float((1 << samples.bits) - 1)
    chroma = samples.family == "yuv" and component > 0
    return float((224 if chroma else 219) << (samples.bits - 8))


def _origin(samples: Samples, component: int) -> float:
    """Code value of black (luma, RGB) or of no colour (chroma)."""
    if samples.family == "yuv" and component > 0:
        return float(1 << (samples.bits - 1))
    return 0.0 if samples.full_range else float(16 << (samples.bits - 8))


def _normalise(plane: NDArray[np.integer], samples: Samples, component: int) -> FloatImage:
    values = (plane >> samples.shift if samples.shift else plane).astype(np.float32)
    values -= _origin(samples, component)
    values /= _span(samples, component)
    return values


def _add_samples(plane: NDArray[np.integer], change: FloatImage, samples: Samples) -> None:
    values = (plane >> samples.shift).astype(np.float32) + change
    plane[...] = np.clip(np.rint(values), 0, (1 << samples.bits) - 1).astype(plane.dtype) << samples.shift


def _grow_chroma(plane: FloatImage, samples: Samples, size: tuple[int, ...]) -> FloatImage:
    """Chroma at every luma position, linearly interpolated from where its samples are sited."""
    (step_x, step_y), (first_x, first_y) = samples.subsampling, samples.siting
    if (step_x, step_y) == (1, 1):
        return plane
    to_chroma = np.array([[1 / step_x, 0, -first_x / step_x], [0, 1 / step_y, -first_y / step_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grown = cv2.warpAffine(plane, to_chroma, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(grown, np.float32)


def _shrink_chroma(plane: FloatImage, samples: Samples) -> FloatImage:
    """Chroma at the positions of its samples, averaged over the luma pixels that each stands for."""
    (step_x, step_y), (first_x, first_y) = samples.subsampling, samples.siting
    if (step_x, step_y) == (1, 1):
        return plane
    taps_x, anchor_x = _triangle(step_x, first_x)
    taps_y, anchor_y = _triangle(step_y, first_y)
    smooth = cv2.sepFilter2D(
        plane, cv2.CV_32F, taps_x, taps_y, anchor=(anchor_x, anchor_y), borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(smooth, np.float32)[::step_y, ::step_x]


@cache
def _triangle(step: int, first: float) -> tuple[FloatImage, int]:
    """Taps of a triangle filter ``step`` wide either side of the offset ``first``, and the tap at offset 0."""
    offsets = np.arange(1 - step, 2 * step)
    taps = np.maximum(0.0, 1 - np.abs(offsets - first) / step)
    return (taps / taps.sum()).astype(np.float32), step - 1
