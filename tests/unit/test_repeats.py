"""Films carried over to another rate show frames twice: that grain does not change there makes it no detail."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import skimage.data

from gfpvideo.composite.weigh import weigh
from gfpvideo.frames import CroppedFrame, Samples
from gfpvideo.pixels.color import FloatImage
from helpers import crop_of, cropped_frame, frame_of

SIDE = 256
GRAIN = 12.0


@pytest.fixture(scope="module")
def face() -> FloatImage:
    cut = cv2.resize(skimage.data.astronaut()[:210, 120:330], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cut / 127.5 - 1, np.float32)


def film(face: FloatImage, repeats: str, grain: float = GRAIN) -> Iterator[CroppedFrame]:
    """24 frames of the face, its grain new in each, or in every second one, as ``repeats`` says by turns."""
    rng, index = np.random.default_rng(0), 0
    while index < 24:
        for times in map(int, repeats):
            noise = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE), np.float32), (0, 0), 0.7)[..., None]
            grainy = np.clip(face + grain / 127.5 * noise / noise.std(), -1, 1).astype(np.float32)
            levels = np.rint((grainy + 1) * 127.5).astype(np.uint8)
            for _ in range(times):
                planes = [np.ascontiguousarray(levels[..., channel]) for channel in range(3)]
                yield cropped_frame(frame_of(planes, Samples("rgb", 8, full_range=True), index), crop_of(grainy))
                index += 1


@pytest.mark.parametrize("repeats", ["1", "12", "2", "3"])
def test_grain_that_stands_twice_is_grain(repeats: str, face: FloatImage) -> None:
    crops = [item.crops[0] for item in weigh(film(face, repeats), 10)]
    assert min(crop.share for crop in crops) > 0.9
    assert min(crop.damage for crop in crops) > 0.9
    assert any(crop.repeated for crop in crops) == (repeats != "1")


def test_a_good_face_that_stands_twice_needs_no_more_than_once(face: FloatImage) -> None:
    """Whatever it is measured against: light noise is what there is."""
    shares = {
        repeats: [item.crops[0].share for item in weigh(film(face, repeats, grain=0.6), 10)] for repeats in ("1", "2")
    }
    assert max(shares["2"]) <= max(shares["1"]) + 0.05
