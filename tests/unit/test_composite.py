"""Restored faces go back without a border, without a colour shift, and nowhere else."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from gfpvideo.composite.light import chroma_share, source_light
from gfpvideo.composite.paste import pasted
from gfpvideo.faces.align import FFHQ_512, cut, template
from gfpvideo.frames import Face, GeneratedFrame, Rect, RestoredCrop, Samples
from gfpvideo.pixels.color import Components, FloatImage, read_rgb, rgb_to_ycc
from gfpvideo.pixels.geometry import similarity_transform
from gfpvideo.pixels.patches import patched
from gfpvideo.pixels.regions import face_mask
from helpers import frame_of, generated_frame, smooth_picture

SIZE = 256
YUV = Samples("yuv", 8, subsampling=(2, 2), siting=(0, 0.5))
GRAY = Samples("gray", 8, full_range=True)


def cropped(
    planes: list[np.ndarray], samples: Samples, change: FloatImage | float, scale: float = 0.35
) -> GeneratedFrame:
    """A frame with one face, restored to its source plus ``change``."""
    frame = frame_of(planes, samples)
    crop = cut(frame, Face(3, FFHQ_512 * scale + 20, False), template(SIZE), SIZE)
    assert crop is not None
    restored = (crop.source + np.float32(change)).astype(np.float32)
    return generated_frame(frame, RestoredCrop(crop, restored, face_mask(SIZE)))


def pasted_planes(work: GeneratedFrame, strength: float, color: Literal["source", "model"]) -> Components:
    """The samples of a frame with its faces restored."""
    return patched(pasted(work, strength, color))


def yuv_planes(level: int = 120) -> list[np.ndarray]:
    return [np.full((220, 240), level, np.uint8), *(np.full((110, 120), 128, np.uint8) for _ in range(2))]


def test_the_mask_fades_to_nothing_before_the_border() -> None:
    mask = face_mask(SIZE)
    assert mask.max() == 1
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.05
    assert np.abs(np.diff(mask, axis=1)).max() < 0.05
    for x, y in template(SIZE):
        assert mask[round(y), round(x)] > 0.95


@pytest.mark.parametrize("color", ["source", "model"])
def test_a_restoration_that_changes_nothing_changes_no_sample(color: Literal["source", "model"]) -> None:
    random = np.random.default_rng(1)
    planes = [plane + random.integers(-9, 9, plane.shape).astype(np.uint8) for plane in yuv_planes()]
    work = cropped(planes, YUV, 0.0, scale=0.51)
    crop = replace(work.crops[0], crop=replace(work.crops[0].crop, damage=0.0))
    restored = pasted(replace(work, crops=(crop,)), 1.0, color)
    assert all(np.array_equal(a, b) for a, b in zip(patched(restored), planes, strict=True))


def noisy(side: int = 560) -> np.ndarray:
    """A grey plane with white noise of deviation 6."""
    return (120 + np.random.default_rng(1).normal(0, 6, (side, side))).astype(np.uint8)


def as_flat(work: GeneratedFrame, damage: float = 1.0) -> GeneratedFrame:
    """Its face, of which so much is damage, restored to a flat grey."""
    (made,) = work.crops
    flat = np.full((SIZE, SIZE, 3), 120 / 127.5 - 1, np.float32)
    return replace(work, crops=(replace(made, crop=replace(made.crop, damage=damage), restored=flat),))


def at_the_nose(work: GeneratedFrame) -> tuple[slice, slice]:
    """Rows and columns in the middle of its face."""
    x, y = np.rint(work.crops[0].crop.face.landmarks[2]).astype(int)
    return slice(y - 8, y + 8), slice(x - 8, x + 8)


@pytest.mark.parametrize("scale", [0.2, 0.35, 0.5, 0.9])
def test_noise_at_the_limit_of_the_raster_goes_with_the_rest(scale: float) -> None:
    """Restored to a flat grey, a noisy face must come out flat, whether its crop is finer than the frame or coarser."""
    work = as_flat(cropped([noisy()], GRAY, 0.0, scale))
    here = at_the_nose(work)
    assert work.frame.components[0][here].std() > 5
    assert pasted_planes(work, 1.0, "model")[0][here].std() < 0.6


def test_a_face_of_many_times_the_crops_size_keeps_its_grain() -> None:
    """It would be soft without: the crop holds a sixteenth of its pixels."""
    work = as_flat(cropped([noisy(1300)], GRAY, 0.0, 2.2))
    here = at_the_nose(work)
    assert pasted_planes(work, 1.0, "model")[0][here].std() > 0.9 * work.frame.components[0][here].std()


def test_a_face_that_is_to_have_the_films_grain_keeps_what_its_crop_does_not_hold() -> None:
    """Where the crop is clearly finer the restoration has all of it; else the frame's own stays."""
    kept = {}
    for scale in (0.2, 0.6):
        work = as_flat(cropped([noisy()], GRAY, 0.0, scale))
        shown = patched(pasted(work, 1.0, "model", keep_grain=True))[0]
        kept[scale] = shown[at_the_nose(work)].std() / work.frame.components[0][at_the_nose(work)].std()
    assert kept[0.2] < 0.15
    assert kept[0.6] > 0.4


def test_what_is_finest_in_a_film_without_damage_stays() -> None:
    work = as_flat(cropped([noisy()], GRAY, 0.0, 0.9), damage=0.0)
    here = at_the_nose(work)
    assert pasted_planes(work, 1.0, "model")[0][here].std() > 0.7 * work.frame.components[0][here].std()


def test_detail_finer_than_the_crop_outlives_the_noise_around_it() -> None:
    """Lashes that a crop of half the frame's raster cannot hold, on noisy skin: the noise goes, the lashes stay."""
    plane = noisy()
    rows, columns = at_the_nose(cropped([plane], GRAY, 0.0, 0.9))
    plane[rows.start + 6 : rows.start + 10, columns][:, ::2] = 20
    work = cropped([plane], GRAY, 0.0, 0.9)
    shown = pasted_planes(work, 1.0, "model")[0]

    def contrast(planes: np.ndarray) -> float:
        return float(np.abs(np.diff(planes[rows.start + 6 : rows.start + 10, columns].astype(int), axis=1)).mean())

    assert contrast(shown) > 0.8 * contrast(plane)
    away = (slice(rows.start - 40, rows.start - 24), columns)
    assert shown[away].std() < 0.6 * plane[away].std()


def test_what_the_crop_cannot_hold_stays_where_the_source_is_kept() -> None:
    """What a finer crop cannot hold of the raster stays as it is, where nothing is replaced."""
    plane = noisy()
    work = cropped([plane], GRAY, 0.0)
    half = np.zeros((SIZE, SIZE), np.float32)
    half[:, SIZE // 2 :] = 1
    kept = replace(work.crops[0], replaced=half)
    x, y = np.rint(kept.crop.face.landmarks[2]).astype(int)
    after, before = (
        planes[0].astype(int) for planes in (pasted_planes(replace(work, crops=(kept,)), 1.0, "model"), [plane])
    )
    around = slice(y - 8, y + 8)
    assert np.array_equal(after[around, x - 20 : x - 4], before[around, x - 20 : x - 4])
    assert after[around, x + 4 : x + 20].std() < 0.8 * before[around, x + 4 : x + 20].std()


def test_the_decoded_frame_is_not_written_to() -> None:
    work = cropped(yuv_planes(), YUV, _detail())
    before = [plane.copy() for plane in work.frame.components]
    restored = pasted(work, 1.0, "source")
    assert not np.array_equal(patched(restored)[0], before[0])
    assert all(np.array_equal(a, b) for a, b in zip(work.frame.components, before, strict=True))


def test_only_the_reported_rectangle_is_touched() -> None:
    work = cropped(yuv_planes(), YUV, _detail(), scale=0.2)
    restored = pasted(work, 1.0, "model")
    ((number, rect),) = restored.touched
    assert number == 3
    changed = patched(restored)[0] != work.frame.components[0]
    rows, columns = np.nonzero(changed)
    assert rect.top <= rows.min() <= rows.max() < rect.bottom
    assert rect.left <= columns.min() <= columns.max() < rect.right


def test_a_flat_wall_shows_no_border() -> None:
    """The worst case for a visible box: a flat picture, a generator that makes everything brighter."""
    work = cropped(yuv_planes(), YUV, 0.3)
    kept = pasted_planes(work, 1.0, "source")[0].astype(int)
    assert np.abs(kept - 120).max() <= 1
    taken = pasted_planes(work, 1.0, "model")[0].astype(int)
    assert taken.max() > 145
    assert np.abs(np.diff(taken, axis=0)).max() <= 2
    assert np.abs(np.diff(taken, axis=1)).max() <= 2


def test_light_and_colour_stay_the_sources() -> None:
    """A generator that warms and darkens the whole face, and also adds detail: only the detail goes through."""
    random = np.random.default_rng(4)
    source = smooth_picture(random, SIZE, SIZE) * 2 - 1
    cast = np.broadcast_to(np.array([0.1, -0.05, -0.2], np.float32), source.shape)
    kept = source_light(_detail() + cast, source, face_mask(SIZE))
    core = face_mask(SIZE) > 0.5
    assert np.abs(kept[core].mean(axis=0)).max() < 0.01
    assert np.corrcoef(kept[core].mean(axis=1), _detail()[core].mean(axis=1))[0, 1] > 0.97


def _detail() -> FloatImage:
    """Zero-mean texture of a few pixels' period, with some colour of its own."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    luma = 0.25 * np.sin(x / 1.9) * np.cos(y / 2.3)
    return np.dstack([luma, luma * 0.8, luma * 1.1]).astype(np.float32)


@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.84, 0.62)])
def test_monochrome_film_gets_no_colour(tint: tuple[float, float, float]) -> None:
    """Grey and sepia: the generator's pink cheeks stay out, its detail comes in."""
    random = np.random.default_rng(5)
    grey = smooth_picture(random, SIZE, SIZE)[..., :1]
    source = ((grey * np.array(tint, np.float32)) * 2 - 1).astype(np.float32)
    cheeks = _detail() * np.array([1.2, 0.5, 0.3], np.float32)
    kept = source_light(cheeks, source, face_mask(SIZE))
    _, chroma = rgb_to_ycc(kept)
    assert chroma_share(source, face_mask(SIZE)) == 0
    assert max(np.abs(plane).max() for plane in chroma) < 1e-6
    assert np.abs(kept).max() > 0.05


def test_colour_film_gets_its_colour() -> None:
    source = smooth_picture(np.random.default_rng(6), SIZE, SIZE) * 2 - 1
    assert chroma_share(source, face_mask(SIZE)) == 1


def test_grey_frames_keep_neutral_chroma() -> None:
    y, x = np.mgrid[0:220, 0:240]
    planes = [(120 + 40 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8), *yuv_planes()[1:]]
    restored = pasted(cropped(planes, YUV, _detail() * np.array([1, -0.5, 0.3], np.float32)), 1.0, "source")
    assert not np.array_equal(patched(restored)[0], planes[0])
    assert all((plane == 128).all() for plane in patched(restored)[1:])


def test_strength_scales_the_change() -> None:
    work = cropped(yuv_planes(), YUV, 0.4)
    full, half = (pasted_planes(work, strength, "model")[0].astype(int) - 120 for strength in (1.0, 0.5))
    assert np.abs(full - 2 * half).max() <= 1
    assert pasted(work, 0.0, "model").touched == ()


@pytest.mark.parametrize("apart", [12, 50])
def test_faces_that_overlap_share_what_both_cover(apart: int) -> None:
    """Cheek to cheek, a pixel under two masks is changed once, not twice; elsewhere each face gets all of its own."""
    frame = frame_of(yuv_planes(), YUV)
    crops = []
    for number, shift in ((1, 10), (2, 10 + apart)):
        crop = cut(frame, Face(number, FFHQ_512 * 0.3 + shift, False), template(SIZE), SIZE)
        assert crop is not None
        crops.append(RestoredCrop(crop, crop.source + np.float32(0.3), face_mask(SIZE)))
    restored = pasted(generated_frame(frame, *crops), 1.0, "model")
    assert [number for number, _ in restored.touched] == [1, 2]
    alone = [pasted_planes(generated_frame(frame, crop), 1.0, "model")[0].astype(int) - 120 for crop in crops]
    together = patched(restored)[0].astype(int) - 120
    full = max(change.max() for change in alone)
    assert together.max() <= full + 1
    assert np.abs(together - np.minimum(alone[0] + alone[1], full)).max() <= 2
    assert (together[(alone[0] == full) & (alone[1] == full)] >= full - 1).all()


def test_detail_that_the_crop_cannot_hold_stays() -> None:
    """A face twice as large as the crop: what the generator never saw must survive in the frame."""
    random = np.random.default_rng(8)
    plane = (120 + random.integers(-30, 30, (700, 700))).astype(np.uint8)
    work = cropped([plane], GRAY, 0.0, scale=1.2)
    (made,) = work.crops
    assert made.crop.rect.width > 2 * SIZE
    good = replace(made, crop=replace(made.crop, damage=0.0))
    restored = pasted(replace(work, crops=(good,)), 1.0, "source")
    assert np.array_equal(patched(restored)[0], plane)


def test_a_turned_face_is_pasted_where_it_was(rng: np.random.Generator) -> None:
    """The change must land exactly where the crop came from, also when the face lies on its side."""
    angle = np.radians(75)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (FFHQ_512 - 256) * 0.4 @ turn.T + 128
    picture = np.rint(smooth_picture(rng, 256, 256) * 255).astype(np.uint8)
    frame = frame_of([picture[..., index] for index in range(3)], Samples("rgb", 8, full_range=True))
    crop = cut(frame, Face(1, landmarks, False), template(SIZE), SIZE)
    assert crop is not None
    dot = np.zeros((SIZE, SIZE, 3), np.float32)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    nose = template(SIZE)[2]
    dot += (0.8 * np.exp(-((x - nose[0]) ** 2 + (y - nose[1]) ** 2) / 40))[..., None]
    lit = RestoredCrop(crop, crop.source + dot, face_mask(SIZE))
    restored = pasted(generated_frame(frame, lit), 1.0, "model")
    everything = Rect(0, 0, 256, 256)
    difference = (read_rgb(patched(restored), frame.samples, everything) - picture / 255)[..., 1]
    rows, columns = np.mgrid[0:256, 0:256]
    centre = np.array([(difference * columns).sum(), (difference * rows).sum()]) / difference.sum()
    to_crop = similarity_transform(landmarks, template(SIZE))
    expected = np.linalg.solve(to_crop[:, :2], nose - to_crop[:, 2])
    assert np.abs(centre - expected).max() < 0.25
