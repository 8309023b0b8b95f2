"""The temporal stage: steadier where nothing moves, untouched where something does, never across tracks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.frames import GeneratedFrame, RestoredCrop, Samples
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.regions import face_mask
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.motion import follow_motion
from gfpvideo.temporal.steady import steady
from helpers import crop_of, cropped_frame, frame_of, generated_frame, smooth_picture

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
    cropped = (
        cropped_frame(
            frame_of([np.zeros(source.shape[:2], np.uint8)] * 3, Samples("rgb", 8, full_range=True), index),
            crop_of(source, track),
        )
        for index, (source, track) in enumerate(zip(sources, tracks, strict=True))
    )
    for frame, result in zip(follow_motion(cropped), restored, strict=True):
        made = [] if result is None else [RestoredCrop(frame.crops[0], result, face_mask(len(result)))]
        yield generated_frame(frame.frame, *made)


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


def test_what_is_not_replaced_is_not_averaged(still: FloatImage, rng: np.random.Generator) -> None:
    """Where the source was believed it is good as it is, down to what is new in every frame."""
    half = np.zeros((SIZE, SIZE), np.float32)
    half[:, SIZE // 2 :] = 1
    sources = [still + grain_like(still, 0.05, rng) for _ in range(9)]
    restored = [
        replace(frame, crops=tuple(replace(crop, replaced=half) for crop in frame.crops))
        for frame in film_of(sources, sources, [1] * 9)
    ]
    middle = results(steady(iter(restored), 4))[4]
    assert np.array_equal(middle[:, : SIZE // 2], sources[4][:, : SIZE // 2])
    assert np.std(middle[:, SIZE // 2 :] - still[:, SIZE // 2 :]) < 0.5 * 0.05


def test_what_moves_keeps_its_own_restoration(still: FloatImage) -> None:
    """A mouth that opens in frame 10: before and after it the restoration is the frame's own, to the frame."""
    open_mouth = still.copy()
    open_mouth[40:56, 20:44] = -0.9
    moments = [still] * 10 + [open_mouth] * 10
    steadied = results(steady(film_of(moments, list(moments), [1] * 20), 4))
    for index, picture in enumerate(steadied):
        assert np.abs(picture - moments[index])[44:52, 24:40].max() < 0.03  # four grey levels


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


def test_a_face_that_gets_half_of_it_takes_no_noise_from_a_picture_that_has_none(
    still: FloatImage, rng: np.random.Generator
) -> None:
    """What was gathered of the whole picture stands in for its frame: nothing of that one's noise is to be undone."""
    noise = [grain_like(still, 0.05, rng) for _ in range(17)]
    frames = film_of([still + grain for grain in noise], [still] * 17, [1] * 17)
    halves = (
        replace(frame, crops=tuple(replace(crop, crop=replace(crop.crop, share=0.5)) for crop in frame.crops))
        for frame in frames
    )
    for restored, grain in zip(results(steady(halves, 4, repainted=True)), noise, strict=True):
        left = (restored - still) / 2
        assert left.std() < 0.12 * grain.std()


def test_a_head_that_moves_keeps_its_detail(rng: np.random.Generator) -> None:
    """Neighbours are brought along the flow: their mean is as sharp as one of them, and its noise is less."""
    size = 128
    face = cv2.GaussianBlur(rng.standard_normal((size + 40, size + 40, 3)).astype(np.float32), (0, 0), 2.5)
    clean = [np.asarray(4 * face[20 : 20 + size, 2 * index : 2 * index + size]) for index in range(9)]
    noisy = [(picture + 0.05 * rng.standard_normal(picture.shape)).astype(np.float32) for picture in clean]
    steadied = results(steady(film_of(noisy, noisy, [1] * 9), 2))
    inside = (slice(40, 88), slice(40, 88))
    for before, after, wanted in list(zip(noisy, steadied, clean, strict=True))[2:-2]:
        assert np.abs(after - wanted)[inside].mean() < 0.7 * np.abs(before - wanted)[inside].mean()
