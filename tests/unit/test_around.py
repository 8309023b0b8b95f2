"""What lies around a face gets what was gathered of it, and nothing of the generator's."""

from dataclasses import replace

import numpy as np
import pytest

from gfpvideo.composite.around import surround, surrounded
from gfpvideo.composite.paste import pasted
from gfpvideo.frames import RestoredCrop, Samples
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.regions import border_fade, face_mask, head_fade
from gfpvideo.temporal.believe import believe, weigh_belief
from helpers import frame_of, generated_frame, restored_crop

SIZE = 64
SOURCE, GATHERED, MADE = 0.0, 0.25, 0.5


def flat(value: float) -> FloatImage:
    return np.full((SIZE, SIZE, 3), value, np.float32)


@pytest.fixture
def crop() -> RestoredCrop:
    made = restored_crop(flat(SOURCE), flat(MADE), face_mask(SIZE))
    return replace(made, crop=replace(made.crop, gathered=flat(GATHERED)), around=flat(GATHERED))


def changed(crop: RestoredCrop) -> FloatImage:
    """(S, S) what is added to the source."""
    return np.asarray((crop.mask[..., None] * (crop.restored - crop.crop.source))[..., 0], np.float32)


def test_the_face_stays_restored_and_its_surroundings_become_gathered(crop: RestoredCrop) -> None:
    added = changed(surrounded(crop))
    face, wide = face_mask(SIZE), head_fade(SIZE)
    assert np.allclose(added[face == 1], MADE - SOURCE, atol=1e-6)
    assert wide[face == 0].max() > 0.5
    assert np.allclose(added[face == 0], wide[face == 0] * (GATHERED - SOURCE), atol=1e-6)
    assert np.allclose(added, face * (MADE - GATHERED) + np.maximum(face, wide) * (GATHERED - SOURCE), atol=1e-6)


def test_it_fades_to_nothing_before_the_border() -> None:
    for size in (64, 256, 512):
        fade = head_fade(size)
        assert (fade <= border_fade(size)).all()
        assert max(fade[0].max(), fade[-1].max(), fade[:, 0].max(), fade[:, -1].max()) == 0
        assert np.abs(np.diff(fade, axis=0)).max() < 16 / size  # no edge that one could see


def test_where_another_face_lies_that_face_goes_first(crop: RestoredCrop) -> None:
    other = np.zeros((SIZE, SIZE), np.float32)
    other[:, 48:] = 1.0
    added = changed(surrounded(crop, [other]))
    assert np.allclose(added[:, 48:], (face_mask(SIZE) * (MADE - SOURCE))[:, 48:], atol=1e-6)
    assert np.allclose(added[:, :48], changed(surrounded(crop))[:, :48], atol=1e-6)


def test_the_same_place_of_the_frame_is_meant(crop: RestoredCrop) -> None:
    """Two faces of one frame: a crop twice as large sees the other where it lies."""
    to_crop = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    near = replace(crop, crop=replace(crop.crop, to_crop=to_crop))
    far = replace(crop, crop=replace(crop.crop, to_crop=np.array([[1.0, 0, -40], [0, 1.0, 0]])))
    frame = generated_frame(
        frame_of([np.zeros((64, 128), np.uint8)] * 3, Samples("rgb", 8, full_range=True)), near, far
    )
    (made,) = surround(iter([frame]))
    assert np.allclose(made.crops[0].mask[:, :30], surrounded(near).mask[:, :30], atol=1e-3)
    assert made.crops[0].mask[32, 60] == pytest.approx(face_mask(SIZE)[32, 60], abs=1e-3)  # deep in the other face
    assert surrounded(near).mask[32, 60] > 0.1 + made.crops[0].mask[32, 60] or head_fade(SIZE)[32, 60] < 0.1


def test_nothing_surrounds_what_was_not_gathered(crop: RestoredCrop) -> None:
    """Photographs, tracks of one frame, and whoever wants it so."""
    alone = replace(crop, around=None)
    frame = generated_frame(frame_of([np.zeros((64, 64), np.uint8)] * 3, Samples("rgb", 8, full_range=True)), alone)
    (made,) = surround(iter([frame]))
    assert made.crops == (alone,)
    asked = replace(frame, crops=(crop,))
    (left,) = surround(iter([asked]), on=False)
    assert left is asked


def test_surroundings_are_believed_as_far_as_what_was_gathered_is(crop: RestoredCrop) -> None:
    frame = generated_frame(frame_of([np.zeros((64, 64), np.uint8)] * 3, Samples("rgb", 8, full_range=True)), crop)
    half = np.full((2, SIZE, SIZE), 0.5, np.float32)
    for judge, expected in ((lambda seen: half, (SOURCE + GATHERED) / 2), (None, GATHERED)):
        (made,) = believe(weigh_belief(iter([frame]), judge))
        assert made.crops[0].around == pytest.approx(np.full((SIZE, SIZE, 3), expected))


def test_the_picture_gets_both(crop: RestoredCrop) -> None:
    planes = [np.full((SIZE, SIZE), 128, np.uint8)] * 3
    frame = generated_frame(frame_of(planes, Samples("rgb", 8, full_range=True)), crop)
    (bare,), (wide,) = (pasted(next(surround(iter([frame]), on=on)), 1.0, "model").patches for on in (False, True))
    corner = (SIZE // 2, SIZE // 16 + 3)
    changes = [int(patch.components[0][corner]) - 128 for patch in (bare, wide)]
    assert changes[0] <= changes[1]
    assert np.array_equal(bare.components[0][30:36, 30:36], wide.components[0][30:36, 30:36])
