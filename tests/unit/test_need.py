"""How much of its restoration a face gets."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from gfpvideo.composite.blocks import block_steps
from gfpvideo.composite.weigh import (
    asymmetry,
    changing_noise,
    fine_detail,
    fine_noise,
    frame_grain,
    need_and_damage,
    sharpness,
    weigh,
)
from gfpvideo.faces.align import template
from gfpvideo.frames import Crop, CroppedFrame, Frame, Rect, Samples, Shape
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.geometry import resample
from gfpvideo.train.degrade import film_grain, jpeg
from helpers import crop_of, cropped_frame, frame_of

SIZE = 256


@pytest.fixture(scope="module")
def face() -> FloatImage:
    """A sharp face, about as FFHQ aligns it."""
    portrait = skimage.data.astronaut()[0:200, 124:324]
    return (cv2.resize(portrait, (SIZE, SIZE), interpolation=cv2.INTER_AREA) / 127.5 - 1).astype(np.float32)


def coarse(face: FloatImage, factor: int) -> FloatImage:
    small = cv2.resize(face, (SIZE // factor, SIZE // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.float32)


def need(crop: Crop, min_face: float, before: FloatImage | None = None, steps: float = 0.0, times: int = 1) -> float:
    earlier = None if before is None else fine_detail(before)
    return need_and_damage(crop, fine_detail(crop.luma), min_face, earlier, steps, times)[0]


def noise_of(one: FloatImage, other: FloatImage) -> float:
    return changing_noise(one, fine_detail(one), fine_detail(other))


def sharp(luma: FloatImage, noise: float = 0.0) -> float:
    return sharpness(luma, fine_detail(luma), noise)


def needs(source: FloatImage, landmarks: np.ndarray | None = None, min_face: float = 10) -> float:
    return need(crop_of(source, landmarks=landmarks), min_face)


def test_blur_makes_a_face_need_more(face: FloatImage) -> None:
    found = [needs(picture) for picture in (face, coarse(face, 2), coarse(face, 6))]
    assert found[0] < 0.5
    assert found[0] <= found[1] <= found[2] == 1.0


def test_noise_makes_a_sharp_face_need_restoring(face: FloatImage, rng: np.random.Generator) -> None:
    grain = rng.standard_normal(face.shape[:2])[..., None].astype(np.float32)
    assert needs((face + 10 / 127.5 * grain).astype(np.float32)) == 1.0


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6, 3.0])
def test_noise_is_measured_and_does_not_pass_for_sharpness(
    scale: float, face: FloatImage, rng: np.random.Generator
) -> None:
    """Whatever the crop is enlarged by: from one frame if the noise is white, from two whatever it is."""
    luma, _ = rgb_to_ycc(coarse(face, 4))
    side = round(SIZE / scale) + 2
    to_crop = np.array([[scale, 0, 0], [0, scale, 0]])
    noises = [0.1 * rng.standard_normal((side, side), dtype=np.float32) for _ in range(2)]
    one, other = (luma + resample(noise, to_crop, (SIZE, SIZE), cv2.BORDER_REFLECT_101) for noise in noises)
    assert sharp(one, noise_of(one, other)) == pytest.approx(sharp(luma), abs=0.08)
    assert sharp(one, fine_noise(one, scale)) < sharp(luma) + 0.15
    assert sharp(one) > sharp(luma) + 0.12
    assert noise_of(one, one) == 0.0


def test_a_bearded_head_that_nods_is_not_noisy(face: FloatImage, rng: np.random.Generator) -> None:
    """Most of it never lies on itself, but its skin tells; where there is noise, skin shows that as well."""
    bearded = np.asarray(cv2.GaussianBlur(face, (0, 0), 12), np.float32)
    bearded[100:] += 0.05 * rng.standard_normal((SIZE - 100, SIZE, 1), dtype=np.float32)
    nodded = np.asarray(np.roll(bearded, 1, axis=0), np.float32)
    noise = [0.05 * rng.standard_normal(face.shape, dtype=np.float32) for _ in range(2)]
    pairs = ((bearded, nodded), (bearded + noise[0], nodded + noise[1]), (bearded + noise[0], bearded + noise[1]))
    moved, aged, aged_still = (
        noise_of(*(rgb_to_ycc(np.asarray(picture, np.float32))[0] for picture in pair)) for pair in pairs
    )
    assert moved < 0.4 * aged
    assert aged == pytest.approx(aged_still, rel=0.2)


def test_what_is_clipped_does_not_hide_noise(face: FloatImage, rng: np.random.Generator) -> None:
    """A face half in shadow: black has no noise, and says nothing of the rest."""
    noise = [(8 / 127.5 * rng.standard_normal(face.shape)).astype(np.float32) for _ in range(2)]
    one, other = (rgb_to_ycc(np.asarray(face + each, np.float32))[0] for each in noise)
    lit = noise_of(one, other)
    for luma in (one, other):
        luma[:, : SIZE // 3] = -1
    assert noise_of(one, other) == pytest.approx(lit, rel=0.15)


@pytest.mark.parametrize(("deviation", "expected"), [(0, 0.0), (3, 0.0), (10, 1.0)])
def test_noise_that_a_coarse_crop_averages_away_is_seen_in_the_frame(
    deviation: float, expected: float, face: FloatImage, rng: np.random.Generator
) -> None:
    """A sharp face three times as large as its crop; strong noise is noticed, its own detail is not taken for any."""
    large = cv2.resize(rgb_to_ycc(face)[0], (768, 768), interpolation=cv2.INTER_CUBIC) * 127.5 + 127.5
    plane = np.clip(large + deviation * rng.standard_normal(large.shape), 0, 255).astype(np.uint8)
    crop = replace(crop_of(face), rect=Rect(0, 0, 768, 768), to_crop=np.array([[1 / 3, 0, 0], [0, 1 / 3, 0]]))
    frame = frame_of([plane], Samples("gray", 8, full_range=True))
    assert frame_grain(frame, crop) == pytest.approx(expected, abs=0.05)
    fine = fine_detail(crop.luma)
    assert need_and_damage(crop, fine, 10, fine, grainy=1.0) == (1.0, 1.0)


def test_a_turned_face_fades_out(face: FloatImage) -> None:
    blurred, shares = coarse(face, 6), []
    for turn in (0.0, 0.35, 0.5):
        points = template(SIZE).copy()
        points[2, 0] += turn * (points[1, 0] - points[0, 0])
        shares.append(needs(blurred, points))
        assert asymmetry(crop_of(blurred, landmarks=points)) == pytest.approx(2 * turn, abs=0.05)
    assert shares[0] == 1.0
    assert 0 < shares[1] < 1
    assert shares[2] < 0.01


def test_tiny_faces_fade_in(face: FloatImage) -> None:
    blurred, at_100 = coarse(face, 6), template(SIZE) * 100 / SIZE
    shares = [needs(blurred, at_100, least) for least in (0, 15, 20, 30)]
    assert shares[0] == shares[1] == 1.0
    assert 0 < shares[2] < 1
    assert shares[3] == 0.0


def test_small_faces_get_more_where_the_picture_is_enlarged(face: FloatImage) -> None:
    """They are seen better there; the least size stays where it is, so that faces still fade in from it."""
    crop = crop_of(coarse(face, 6), landmarks=template(SIZE) * 100 / SIZE)
    shares = [need(crop, 23, times=times) for times in (1, 2, 4)]
    assert 0 < shares[0] < shares[1] < shares[2] <= 1
    assert all(need(crop, 30, times=times) == 0 for times in (1, 2, 4))


def test_shares_change_smoothly_along_a_track(face: FloatImage) -> None:
    """A face that suddenly turns: the share falls over frames, and reaches nothing, where the generator is spared."""
    blurred, turned = coarse(face, 6), template(SIZE).copy()
    turned[2, 0] += 0.5 * (turned[1, 0] - turned[0, 0])

    def frames() -> Iterator[CroppedFrame]:
        for index in range(30):
            frame = frame_of([np.zeros((8, 8), np.uint8)] * 3, Samples("rgb", 8, full_range=True), index)
            yield cropped_frame(frame, crop_of(blurred, landmarks=turned if index >= 15 else None))

    shares = np.array([frame.crops[0].share for frame in weigh(frames(), 10)])
    assert len(shares) == 30
    assert np.abs(np.diff(shares)).max() < 0.1
    assert (np.diff(shares) <= 1e-9).all()
    assert shares[0] == 1.0
    assert shares[-1] == 0.0
    other = [replace(frame, crops=()) for frame in frames()]
    assert [len(frame.crops) for frame in weigh(iter(other), 10)] == [0] * 30


@pytest.mark.parametrize("kind", ["film grain", "print", "grain and JPEG"])
def test_coarse_noise_of_a_still_does_not_pass_for_sharpness(
    kind: str, face: FloatImage, rng: np.random.Generator
) -> None:
    """A single picture with grain as coarse as detail: it needs restoring, though it looks sharp by its energy."""
    small = np.asarray(cv2.resize((face + 1) / 2, (150, 150), interpolation=cv2.INTER_AREA), np.float32)
    if kind == "print":
        across, down = np.meshgrid(np.arange(150), np.arange(150))
        dots = np.sin(across * 2.0 + down * 0.2) * np.sin(down * 2.0 - across * 0.2)
        aged = np.clip(small + 0.08 * dots[..., None].astype(np.float32), 0, 1)
    else:
        aged = film_grain(small, 12 / 255, 1.0, rng)
        aged = jpeg(aged, 60) if kind == "grain and JPEG" else aged
    to_crop = np.array([[SIZE / 150, 0, 0], [0, SIZE / 150, 0]])
    shown = resample(np.asarray(aged * 2 - 1, np.float32), to_crop, (SIZE, SIZE), cv2.BORDER_REFLECT_101)
    assert needs(np.clip(shown, -1, 1)) > 0.9


def frame_shown(picture: FloatImage) -> Frame:
    """A picture in [-1, 1] as a frame of 8 bits."""
    levels = np.rint((picture + 1) * 127.5).astype(np.uint8)
    return frame_of([np.ascontiguousarray(levels[..., place]) for place in range(3)], Samples("rgb", 8))


def compressed(face: FloatImage, quality: int) -> FloatImage:
    return np.asarray(jpeg(np.asarray((face + 1) / 2, np.float32), quality) * 2 - 1, np.float32)


def test_blocks_make_a_sharp_face_need_restoring(face: FloatImage) -> None:
    """Steps between blocks pass for sharpness: a single picture, or a film of such pictures."""
    needs = {}
    for quality in (95, 85, 30, 10):
        shown = compressed(face, quality)
        one = cropped_frame(frame_shown(shown), crop_of(shown))
        (still,) = weigh(iter([one]), 10)
        *_, film = weigh(iter([one] * 5), 10)
        needs[quality] = still.crops[0].share, film.crops[0].share
    (clean,) = weigh(iter([cropped_frame(frame_shown(face), crop_of(face))]), 10)
    assert max(abs(needs[quality][0] - clean.crops[0].share) for quality in (95, 85)) < 0.1
    assert min(needs[30] + needs[10]) > 0.9


def test_steps_are_seen_wherever_their_raster_starts(face: FloatImage) -> None:
    """Whatever the picture was cut by since, in any format; grain, stripes and a sharp picture have none."""
    blocky = compressed(face, 20)
    whole = block_steps(frame_shown(blocky), crop_of(blocky))
    part = np.ascontiguousarray(blocky[5:, 3:-1])[:252, :252]
    assert block_steps(frame_shown(part), crop_of(part)) == pytest.approx(whole, abs=0.4)
    luma = (np.rint((blocky[..., 1] + 1) * 127.5) * 4 * 64).astype(np.uint16)
    deep = frame_of([luma], Samples("gray", 10, shift=6))
    assert block_steps(deep, crop_of(blocky)) == pytest.approx(whole, rel=0.02)
    stripes = face + np.where(np.arange(SIZE) % 8 == 0, 0.1, 0.0).astype(np.float32)[:, None]
    noisy = face + np.random.default_rng(1).normal(0, 0.1, face.shape).astype(np.float32)
    assert whole > 2
    for other in (face, stripes, noisy):
        assert block_steps(frame_shown(np.clip(other, -1, 1)), crop_of(other)) < 0.3


def test_steps_that_the_crop_is_too_small_to_show_are_no_reason(face: FloatImage) -> None:
    """A face far larger than the crop: its blocks are a pixel or two there, and a restoration would take detail."""
    shown = crop_of(face)
    far = replace(shown, to_crop=np.array([[0.2, 0, 0], [0, 0.2, 0]]))
    assert need(far, 10, face[..., 1], steps=3.0) < need(shown, 10, face[..., 1], steps=3.0) == 1.0


@pytest.mark.parametrize("number", [901, 917, 940, 966, 989])
def test_clean_portraits_get_no_more_for_having_been_compressed_well(number: int, aligned_faces: Path) -> None:
    """Held-out faces, 300 pixels wide: at quality 10 to 30 nearly all of it, at 90 and above what they got before."""
    picture = cv2.imread(str(aligned_faces / f"{number}.jpg"))
    assert picture is not None
    small = np.asarray(cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA) / 255, np.float32)
    shares = {}
    for quality in (None, 90, 30, 20, 10):
        levels = small if quality is None else jpeg(small, quality)
        shown = cv2.resize(levels * 2 - 1, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        crop = crop_of(np.asarray(shown, np.float32))
        scale = SIZE / 300
        crop = replace(crop, to_crop=np.array([[scale, 0, 0], [0, scale, 0]]), rect=Rect(0, 0, 300, 300))
        steps = block_steps(frame_shown(np.asarray(levels * 2 - 1, np.float32)), crop)
        shares[quality] = need(crop, 10), need(crop, 10, steps=steps)
    assert all(shares[quality][1] == shares[quality][0] for quality in (None, 90))
    assert min(shares[quality][1] for quality in (30, 20, 10)) > 0.9


def test_a_face_that_cannot_be_placed_is_left_alone(face: FloatImage) -> None:
    """Over time: one doubtful frame changes little, a track of them is hopeless, and none of its crops runs."""
    blurred = coarse(face, 6)

    def shares(trusts: list[float]) -> list[tuple[float, bool]]:
        frames = []
        for index, trust in enumerate(trusts):
            crop = replace(crop_of(blurred), shape=Shape(np.zeros((1, 2)), 0.0, trust))
            frames.append(cropped_frame(frame_of([np.zeros((4, 4), np.uint8)], Samples("gray", 8), index), crop))
        done = weigh(iter(frames), 10)
        return [(frame.crops[0].share, frame.crops[0].hopeless) for frame in done]

    assert shares([1.0] * 20) == [(1.0, False)] * 20
    assert shares([0.1] * 20) == [(0.0, True)] * 20
    once = shares([1.0] * 10 + [0.0] + [1.0] * 10)
    assert min(share for share, _ in once) > 0.9
    passing = shares([1.0] * 12 + [0.0] * 5 + [1.0] * 12)  # an arm, say, in a long track of a face
    assert passing[0] == passing[-1] == (1.0, False)
    assert passing[14] == (0.0, True)
    assert max(abs(one - other) for (one, _), (other, _) in pairwise(passing)) < 0.5
    falling = [share for share, _ in shares([1.0] * 15 + [0.0] * 15)]
    assert falling[0] == 1.0
    assert falling[-1] == 0.0
    assert max(abs(one - other) for one, other in pairwise(falling)) < 0.5


def test_faces_get_all_of_it_on_request_unless_they_are_hopeless(face: FloatImage) -> None:
    """Without adapting, a sharp face is restored whole, and one that cannot be placed still not at all."""
    frame = frame_of([np.zeros((SIZE, SIZE), np.uint8)], Samples("gray", 8))
    placeless = replace(crop_of(face, 2), shape=Shape(np.zeros((1, 2)), 0.0, 0.1))
    crops = [crop_of(face), placeless]
    frames = [cropped_frame(frame, *crops)] * 20
    wanted = [(1.0, False), (0.0, True)]
    for done in weigh(iter(frames), 10, adapt=False):
        assert [(crop.share, crop.hopeless) for crop in done.crops] == wanted
    assert crops[0].share > next(weigh(iter(frames), 10)).crops[0].share


def test_the_pose_says_what_is_seen_from_the_side(face: FloatImage) -> None:
    blurred = crop_of(coarse(face, 6))
    found = [
        need(replace(blurred, shape=Shape(np.zeros((1, 2)), np.radians(yaw), 1.0)), 10) for yaw in (0, -45, 45, 70)
    ]
    assert found[0] == 1.0
    assert 0 < found[1] == found[2] < 1
    assert found[3] == 0.0
