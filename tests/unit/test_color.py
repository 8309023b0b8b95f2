"""Samples to RGB and back, for every layout, depth, range and matrix."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.frames import Matrix, Rect, Samples
from gfpvideo.pixels.color import add_rgb, align_rect, component_slices, read_rgb, rgb_to_ycc, ycc_to_rgb
from helpers import smooth_picture

MATRICES: list[Matrix] = ["bt601", "bt709", "bt2020", "smpte240m", "fcc"]


def _blank(samples: Samples, height: int = 24, width: int = 32) -> list[np.ndarray]:
    dtype = np.uint8 if samples.bits <= 8 else np.uint16
    grey = (1 << (samples.bits - 1)) << samples.shift
    sizes = [(height, width)]
    if samples.family == "yuv":
        step_x, step_y = samples.subsampling
        sizes += [(-(-height // step_y), -(-width // step_x))] * 2
    if samples.family == "rgb":
        sizes *= 3
    return [np.full(size, grey, dtype) for size in sizes]


LAYOUTS = [
    Samples("yuv", 8, subsampling=(2, 2), siting=(0, 0.5)),
    Samples("yuv", 8, subsampling=(2, 2), siting=(0.5, 0.5), full_range=True),
    Samples("yuv", 10, subsampling=(2, 2), siting=(0, 0), matrix="bt2020"),
    Samples("yuv", 10, shift=6, subsampling=(2, 2), siting=(0, 0.5)),
    Samples("yuv", 10, subsampling=(2, 1), siting=(0, 0)),
    Samples("yuv", 8, subsampling=(4, 1), siting=(0, 0), matrix="bt601"),
    Samples("yuv", 12, matrix="bt601"),
    Samples("yuv", 16, full_range=True),
    Samples("rgb", 8, full_range=True),
    Samples("rgb", 16, full_range=True),
    Samples("gray", 8),
    Samples("gray", 10, full_range=True),
]


@pytest.mark.parametrize("samples", LAYOUTS, ids=str)
def test_what_is_added_is_read_back(samples: Samples, rng: np.random.Generator) -> None:
    components = _blank(samples)
    rect = align_rect(Rect(5, 3, 27, 21), samples, (32, 24))
    before = read_rgb(components, samples, rect)
    change = np.broadcast_to(np.array([0.11, 0.06, -0.05], np.float32), before.shape).copy()
    if samples.family == "gray":
        change[:] = 0.08
    add_rgb(components, samples, rect, change)
    inner = (slice(6, -6), slice(8, -8))
    error = read_rgb(components, samples, rect) - before - change
    assert np.abs(error[inner]).max() < 2.2 / (1 << samples.bits)


@pytest.mark.parametrize("samples", LAYOUTS, ids=str)
def test_samples_outside_the_rectangle_are_untouched(samples: Samples, rng: np.random.Generator) -> None:
    components = [plane + rng.integers(0, 3, plane.shape).astype(plane.dtype) for plane in _blank(samples)]
    before = [plane.copy() for plane in components]
    rect = align_rect(Rect(6, 5, 21, 17), samples, (32, 24))
    add_rgb(components, samples, rect, np.full((rect.height, rect.width, 3), 0.3, np.float32))
    for index, (old, new) in enumerate(zip(before, components, strict=True)):
        inside = np.zeros(old.shape, bool)
        inside[component_slices(rect, samples, index)] = True
        assert np.array_equal(old[~inside], new[~inside])
        if index == 0:
            assert (old[inside] != new[inside]).all()


@pytest.mark.parametrize("samples", LAYOUTS, ids=str)
def test_a_change_below_half_a_code_value_changes_nothing(samples: Samples, rng: np.random.Generator) -> None:
    components = [plane + rng.integers(0, 9, plane.shape).astype(plane.dtype) for plane in _blank(samples)]
    before = [plane >> samples.shift for plane in components]
    rect = Rect(0, 0, 32, 24)
    add_rgb(components, samples, rect, np.full((24, 32, 3), 0.4 / (1 << samples.bits), np.float32))
    assert all(np.array_equal(old, plane >> samples.shift) for old, plane in zip(before, components, strict=True))


@pytest.mark.parametrize(
    ("name", "number", "matrix"), [("ITU601", 5, "bt601"), ("ITU709", 1, "bt709"), ("BT2020", 9, "bt2020")]
)
def test_rgb_is_what_ffmpeg_computes(name: str, number: int, matrix: Matrix, rng: np.random.Generator) -> None:
    """4:4:4, so that no chroma interpolation hides an error of the matrix."""
    picture = np.rint(smooth_picture(rng, 48, 64) * 255).astype(np.uint8)
    coded = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv444p", dst_colorspace=number)
    planes = [np.asarray(plane) for plane in coded.to_ndarray()]
    rgb = read_rgb(planes, Samples("yuv", 8, matrix=matrix), Rect(0, 0, 64, 48))
    assert np.abs(rgb * 255 - picture).max() < 3.0


def test_chroma_siting_is_respected() -> None:
    """A chroma ramp is linear in position; where its samples sit decides its phase."""
    ramp = np.arange(16, dtype=np.float32)[None].repeat(12, axis=0)
    planes = [np.full((24, 32), 128, np.uint8), (100 + 2 * ramp).astype(np.uint8), np.full((12, 16), 128, np.uint8)]
    rect = Rect(0, 0, 32, 24)
    left = read_rgb(planes, Samples("yuv", 8, subsampling=(2, 2), siting=(0, 0.5)), rect)[12, 8:24, 2]
    centre = read_rgb(planes, Samples("yuv", 8, subsampling=(2, 2), siting=(0.5, 0.5)), rect)[12, 8:24, 2]
    step = np.diff(left).mean()
    assert np.allclose(np.diff(left), step, atol=1e-4)
    assert np.allclose(left - centre, step / 2, atol=1e-4)


@given(
    st.sampled_from(MATRICES),
    st.tuples(st.floats(-1, 2), st.floats(-1, 2), st.floats(-1, 2)),
)
def test_luma_and_chroma_are_invertible(matrix: Matrix, colour: tuple[float, float, float]) -> None:
    rgb = np.array(colour, np.float32).reshape(1, 1, 3)
    luma, (cb, cr) = rgb_to_ycc(rgb, matrix)
    assert np.allclose(ycc_to_rgb(luma, cb, cr, matrix), rgb, atol=1e-5)
    if 0 <= min(colour) and max(colour) <= 1:
        assert -1e-6 <= luma.item() <= 1 + 1e-6
        assert max(abs(cb.item()), abs(cr.item())) <= 0.5 + 1e-6


@given(st.integers(-50, 90), st.integers(-50, 90), st.integers(0, 80), st.integers(0, 80))
def test_aligned_rectangles_hold_whole_chroma_samples(left: int, top: int, width: int, height: int) -> None:
    samples = Samples("yuv", 8, subsampling=(4, 2))
    rect = align_rect(Rect(left, top, left + width, top + height), samples, (61, 41))
    if rect.empty:
        return
    assert rect.left % 4 == 0
    assert rect.top % 2 == 0
    assert rect.right % 4 == 0 or rect.right == 61
    assert rect.bottom % 2 == 0 or rect.bottom == 41
    assert rect.left <= max(left, 0)
    assert rect.right >= min(left + width, 61)


def test_pq_difference_is_applied_as_seen(rng: np.random.Generator) -> None:
    samples = Samples("yuv", 10, matrix="bt2020", curve="pq")
    components = _blank(samples)
    rect = Rect(0, 0, 32, 24)
    before = read_rgb(components, samples, rect)
    add_rgb(components, samples, rect, np.full((24, 32, 3), 0.05, np.float32))
    assert np.abs(read_rgb(components, samples, rect) - before - 0.05).max() < 3e-3
