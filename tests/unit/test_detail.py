"""A restoration of a good film has at least its source's fine detail; of a damaged one it keeps what it took away."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data

from gfpvideo.composite.detail import detailed
from gfpvideo.frames import RestoredCrop
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.regions import face_mask
from helpers import crop_of

SIZE = 128


@pytest.fixture
def sharp() -> FloatImage:
    return (skimage.data.astronaut()[60 : 60 + SIZE, 160 : 160 + SIZE] / 127.5 - 1).astype(np.float32)


def smooth(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)


def mixed(source: FloatImage, made: FloatImage, share: float) -> FloatImage:
    return np.asarray(source + share * (made - source), np.float32)


def restored(source: FloatImage, made: FloatImage, share: float, damage: float) -> FloatImage:
    """What is shown of a restoration, after the stage."""
    crop = replace(crop_of(source, share=share), damage=damage)
    return mixed(source, detailed(RestoredCrop(crop, made, face_mask(SIZE))).restored, share)


def detail(picture: FloatImage) -> float:
    """Variance of the Laplacian."""
    return float(cv2.Laplacian(picture.mean(axis=2), cv2.CV_32F)[8:-8, 8:-8].var())


@pytest.mark.parametrize("share", [1.0, 0.4, 0.05])
def test_a_good_film_keeps_its_detail(share: float, sharp: FloatImage) -> None:
    assert detail(mixed(sharp, smooth(sharp), share)) < 0.95 * detail(sharp)
    assert detail(restored(sharp, smooth(sharp), share, damage=0.0)) > 0.97 * detail(sharp)


def test_detail_that_is_another_is_no_substitute_for_what_is_lost_in_mixing(sharp: FloatImage) -> None:
    """Two pictures as sharp as each other, mixed, are softer than either."""
    other = np.asarray(smooth(sharp) + (sharp - smooth(sharp))[:, ::-1], np.float32)
    assert detail(mixed(sharp, other, 0.5)) < 0.7 * detail(sharp)
    assert detail(restored(sharp, other, 0.5, damage=0.0)) > 0.95 * detail(sharp)


def test_what_is_damage_does_not_come_back(sharp: FloatImage, rng: np.random.Generator) -> None:
    noisy = (sharp + 0.1 * rng.standard_normal(sharp.shape)).astype(np.float32)
    assert np.array_equal(restored(noisy, smooth(sharp), 1.0, damage=1.0), mixed(noisy, smooth(sharp), 1.0))
    half, none = (detail(restored(noisy, smooth(sharp), 1.0, damage)) for damage in (0.5, 0.0))
    assert detail(smooth(sharp)) < half < none


def test_a_sharper_restoration_stays_as_it_is(sharp: FloatImage) -> None:
    crop = RestoredCrop(replace(crop_of(smooth(smooth(sharp))), damage=0.0), sharp, face_mask(SIZE))
    changed = np.abs(detailed(crop).restored - sharp)
    assert changed.mean() < 0.002
