"""Affine maps, and resampling without aliasing or shift."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.faces.align import FFHQ_512, crop_rect, cut, template
from gfpvideo.frames import Face, Samples
from gfpvideo.pixels.geometry import compose, invert, local, move, resample, similarity_transform
from helpers import frame_of, scale_of, smooth_picture

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.1, 10)
shifts = st.floats(-500, 500)


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@given(angles, scales, shifts, shifts)
def test_a_similarity_is_recovered(angle: float, scale: float, x: float, y: float) -> None:
    truth = similarity(angle, scale, x, y)
    found = similarity_transform(FFHQ_512, move(truth, FFHQ_512))
    assert np.allclose(found, truth, atol=1e-6 * (1 + scale) * 500)
    assert scale_of(found) == pytest.approx(scale)


@given(angles, scales, shifts, shifts)
def test_an_inverse_undoes_its_map(angle: float, scale: float, x: float, y: float) -> None:
    affine = similarity(angle, scale, x, y)
    assert np.allclose(compose(invert(affine), affine), [[1, 0, 0], [0, 1, 0]], atol=1e-6 * 500 / scale)


def test_the_best_similarity_beats_its_neighbours(rng: np.random.Generator) -> None:
    target = FFHQ_512 + rng.normal(0, 8, (5, 2))
    best = similarity_transform(FFHQ_512, target)

    def error(affine: np.ndarray) -> float:
        return float(np.square(move(affine, FFHQ_512) - target).sum())

    for _ in range(50):
        nudge = similarity(rng.normal(0, 0.01), 1 + rng.normal(0, 0.01), rng.normal(0, 0.5), rng.normal(0, 0.5))
        assert error(compose(nudge, best)) >= error(best)


def test_points_that_coincide_are_refused() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.zeros((5, 2)), FFHQ_512)


def test_template_scales_about_pixel_corners() -> None:
    """Centres of pixels lie at whole numbers, so halving the size maps 0.5 to 0, not 0 to 0."""
    assert np.allclose(template(256), (FFHQ_512 - 0.5) / 2)
    assert np.array_equal(template(512), FFHQ_512)


def test_shrinking_does_not_alias() -> None:
    """A fine checkerboard must average out; point sampling would turn it into stripes of full contrast."""
    board = np.indices((400, 400)).sum(axis=0) % 2
    picture = np.repeat(board[..., None], 3, axis=2).astype(np.float32)
    small = resample(picture, similarity(0.2, 0.23, 10, 5), (90, 90), cv2.BORDER_REFLECT_101)
    assert np.abs(small - 0.5).max() < 0.03


def test_shrinkage_grows_continuously() -> None:
    """A slow zoom must not jump in sharpness when the scale crosses 1 or any other value."""
    picture = np.random.default_rng(1).uniform(0, 1, (120, 120, 3)).astype(np.float32)
    deviations = [
        float(resample(picture, similarity(0.3, scale, 8, 8), (60, 60), cv2.BORDER_REFLECT_101).std())
        for scale in np.linspace(0.5, 1.2, 71)
    ]
    assert np.abs(np.diff(deviations)).max() < 0.03


@pytest.mark.parametrize("scale", [0.35, 0.7, 1.0, 1.6, 3.0])
def test_there_and_back_keeps_the_picture_in_place(scale: float, rng: np.random.Generator) -> None:
    picture = smooth_picture(rng, 200, 200)
    affine = similarity(0.35, scale, 30 * scale, -40 * scale)
    size = int(260 * scale)
    there = resample(picture, affine, (size, size), cv2.BORDER_REFLECT_101)
    back = resample(there, invert(affine), (200, 200), cv2.BORDER_CONSTANT)
    middle = slice(80, 120)
    assert np.abs(back - picture)[middle, middle].max() < 0.03


def test_a_crop_shows_the_face_at_the_template(rng: np.random.Generator) -> None:
    """Dots painted at the landmarks must come out at the template's positions, mirrored storage or not."""
    truth = similarity(0.4, 0.3, 60, 20)
    landmarks = move(truth, FFHQ_512)
    for flip in (False, True):
        y, x = np.mgrid[0:200, 0:260]
        shown = (259 - landmarks[:, 0]) if flip else landmarks[:, 0]
        light = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / 8) for a, b in zip(shown, landmarks[:, 1], strict=True))
        plane = np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)
        frame = frame_of([plane] * 3, Samples("rgb", 8, full_range=True))
        if flip:
            frame = replace(frame, to_display=np.array([[-1.0, 0.0, 259.0], [0.0, 1.0, 0.0]]))
        crop = cut(frame, Face(1, landmarks, False), template(256), 256)
        assert crop is not None
        for x0, y0 in template(256):
            window = crop.source[int(y0) - 12 : int(y0) + 13, int(x0) - 12 : int(x0) + 13, 0] + 1
            rows, columns = np.mgrid[int(y0) - 12 : int(y0) + 13, int(x0) - 12 : int(x0) + 13]
            centre = (window * columns).sum() / window.sum(), (window * rows).sum() / window.sum()
            assert np.hypot(centre[0] - x0, centre[1] - y0) < 0.3


def test_crop_rectangle_covers_the_crop() -> None:
    to_crop = similarity(0.5, 2.0, -30, 10)
    rect = crop_rect(to_crop, 64)
    inside = move(local(to_crop, rect), np.array([[0.0, 0.0], [rect.width - 1.0, rect.height - 1.0]]))
    assert inside.shape == (2, 2)
    corners = move(invert(to_crop), np.array([[0, 0], [63, 0], [0, 63], [63, 63]], float))
    assert rect.left <= corners[:, 0].min()
    assert rect.right > corners[:, 0].max()
    assert rect.top <= corners[:, 1].min()
    assert rect.bottom > corners[:, 1].max()


def test_a_face_outside_the_picture_is_left_out() -> None:
    frame = frame_of([np.zeros((50, 50), np.uint8)], Samples("gray", 8))
    assert cut(frame, Face(1, FFHQ_512 + 2000, False), template(256), 256) is None
