"""The temporal stage: steadier where nothing moves, untouched where something does, never across tracks."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.frames import GeneratedFrame, RestoredCrop, Samples
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import invert, move
from gfpvideo.pixels.regions import face_mask
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.steady import registration, steady
from helpers import crop_of, frame_of, generated_frame, smooth_picture

SIZE = 64


@pytest.fixture
def still(rng: np.random.Generator) -> FloatImage:
    return (smooth_picture(rng, SIZE, SIZE) * 2 - 1).astype(np.float32)


def grain_like(picture: FloatImage, deviation: float, rng: np.random.Generator) -> FloatImage:
    return np.float32(deviation) * rng.standard_normal(picture.shape, dtype=np.float32)


def film_of(
    sources: Sequence[FloatImage], restored: Sequence[FloatImage | None], tracks: list[int]
) -> Iterator[GeneratedFrame]:
    """One face a frame."""
    for index, (source, result, track) in enumerate(zip(sources, restored, tracks, strict=True)):
        frame = frame_of([np.zeros((SIZE, SIZE), np.uint8)] * 3, Samples("rgb", 8, full_range=True), index)
        crop = crop_of(source, track)
        yield generated_frame(frame, *([] if result is None else [RestoredCrop(crop, result, face_mask(SIZE))]))


def results(frames: Iterator[GeneratedFrame]) -> list[FloatImage]:
    return [crop.restored for frame in frames for crop in frame.crops]


@given(count=st.integers(0, 12), radius=st.integers(0, 5))
def test_windows_hold_the_neighbours_of_each_item(count: int, radius: int) -> None:
    seen = [(list(window), window[place]) for window, place in windows(iter(range(count)), radius)]
    assert [item for _, item in seen] == list(range(count))
    for window, item in seen:
        assert window == list(range(max(0, item - radius), min(count, item + radius + 1)))


def test_a_still_face_with_fresh_noise_becomes_steady(still: FloatImage, rng: np.random.Generator) -> None:
    """The noise of nine averaged restorations is a third of one's."""
    sources = [still + grain_like(still, 0.05, rng) for _ in range(20)]
    restored = [still + grain_like(still, 0.03, rng) for _ in sources]
    steadied = results(steady(film_of(sources, restored, [1] * 20), 4))
    assert len(steadied) == 20
    for picture in steadied[4:-4]:
        assert np.std(picture - still) < 0.4 * 0.03


def test_what_moves_keeps_its_own_restoration(still: FloatImage) -> None:
    """A mouth that opens in frame 10: before and after it the restoration is the frame's own, to the frame."""
    open_mouth = still.copy()
    open_mouth[40:56, 20:44] = -0.9
    moments = [still] * 10 + [open_mouth] * 10
    steadied = results(steady(film_of(moments, list(moments), [1] * 20), 4))
    for index, picture in enumerate(steadied):
        assert np.abs(picture - moments[index])[44:52, 24:40].max() < 0.01


def test_tracks_and_radius_are_respected(still: FloatImage) -> None:
    other = -still
    sources = [still] * 5 + [still] * 5
    restored = [still] * 5 + [other] * 5
    steadied = results(steady(film_of(sources, restored, [1] * 5 + [2] * 5), 4))
    assert all(np.allclose(picture, still, atol=1e-5) for picture in steadied[:5])
    assert all(np.allclose(picture, other, atol=1e-5) for picture in steadied[5:])
    alone = results(steady(film_of(sources, restored, [1] * 10), 0))
    assert all(np.array_equal(a, b) for a, b in zip(alone, restored, strict=True) if b is not None)


def test_faces_that_were_not_restored_take_no_part(still: FloatImage) -> None:
    restored = [still, None, still]
    frames = list(steady(film_of([still] * 3, restored, [1] * 3), 1))
    assert [len(frame.crops) for frame in frames] == [1, 0, 1]


def test_matched_grain_is_that_of_the_source(still: FloatImage, rng: np.random.Generator) -> None:
    grains = [grain_like(still, 0.05, rng) for _ in range(20)]
    sources = [still + grain for grain in grains]
    restored = [still] * 20
    grainy = results(steady(film_of(sources, restored, [1] * 20), 8, "match"))
    for picture, grain in zip(grainy[8:-8], grains[8:-8], strict=True):
        kept = picture - still
        assert np.corrcoef(kept.ravel(), grain.ravel())[0, 1] > 0.95
        assert 0.85 < kept.std() / grain.std() < 1.05


@given(
    shift=st.tuples(st.floats(-1, 1), st.floats(-1, 1)), turn=st.floats(-0.005, 0.005), grow=st.floats(-0.005, 0.005)
)
def test_an_average_is_brought_onto_its_frame(shift: tuple[float, float], turn: float, grow: float) -> None:
    """Sub-pixel movements of the whole face are found to a twentieth of a pixel of the crop."""
    size = 128
    linear = np.array([[1 + grow, -turn], [turn, 1 + grow]])
    middle = np.full(2, (size - 1) / 2)
    affine = np.column_stack([linear, middle - linear @ middle + np.array(shift) / 2])
    found = registration(_waves(np.eye(2, 3), size), _waves(affine, size), np.ones((size, size), np.float32))
    corners = np.array([[60.0, 60.0], [200.0, 60.0], [128.0, 200.0]])
    there = (move(affine, (corners - 0.5) / 2)) * 2 + 0.5
    assert np.abs(move(found, corners) - there).max() < 0.1


def _waves(affine: np.ndarray, size: int) -> FloatImage:
    """A smooth pattern moved by ``affine``, computed where it is, not interpolated."""
    y, x = np.mgrid[0:size, 0:size]
    x, y = move(invert(affine), np.stack([x.ravel(), y.ravel()], axis=1).astype(float)).T
    pattern = np.sin(0.21 * x + 0.05 * y) + np.sin(0.17 * y - 0.09 * x) + np.sin(0.13 * (x + y))
    return (pattern.reshape(size, size) / 3).astype(np.float32)
