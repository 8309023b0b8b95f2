"""Arithmetic on pictures: what a share of 0 and 1 means, and where planes lie."""

import numpy as np

from gfpvideo.pixels.mix import channels_of, median, mixed, picture_of, planes_of, times
from helpers import smooth_picture


def test_a_share_of_nothing_changes_no_bit(rng: np.random.Generator) -> None:
    own, other = (smooth_picture(rng, 8, 12).astype(np.float32) for _ in range(2))
    share = np.zeros((8, 12), np.float32)
    share[:, 6:], share[:, 9:] = 0.25, 1
    made = mixed(own, other, share)
    assert np.array_equal(made[:, :6], own[:, :6])
    assert np.allclose(made[:, 6:9], 0.75 * own[:, 6:9] + 0.25 * other[:, 6:9], atol=1e-6)
    assert np.allclose(made[:, 9:], other[:, 9:], atol=1e-6)
    assert np.allclose(times(own, share), own * share[..., None])


def test_planes_lie_in_the_order_of_their_pictures(rng: np.random.Generator) -> None:
    one, two = (smooth_picture(rng, 8, 12).astype(np.float32) for _ in range(2))
    alone = np.ascontiguousarray(two[..., 1])
    planes = planes_of(one, alone, two)
    assert np.array_equal(planes, np.concatenate([one, alone[..., None], two], axis=2).transpose(2, 0, 1))
    assert all(np.array_equal(plane, wanted) for plane, wanted in zip(channels_of(two), planes[4:], strict=True))
    assert np.array_equal(picture_of(planes[4:]), two)


def test_the_middle_value_is_as_large_as_half_of_all(rng: np.random.Generator) -> None:
    odd = rng.standard_normal((7, 9)).astype(np.float32)
    assert median(odd) == np.median(odd)
    assert median(np.array([4, 1, 3, 2], np.float32)) == 3
