"""What is finest in a face is the face's own where its neighbours show it as well, and damage where they do not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data

from gfpvideo.composite.weigh import fine_detail
from gfpvideo.frames import CroppedFrame
from gfpvideo.networks.over_time import network_over_time
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.geometry import resample
from gfpvideo.stages.reach import Reach
from gfpvideo.temporal.confirm import again, confirm, confirmed, damage, reach, spread
from gfpvideo.temporal.gather import gather
from helpers import crop_of, write_film
from moving import SIZE, film_of, shifted

FACE = (skimage.data.astronaut()[10 : 10 + SIZE, 96 : 96 + SIZE] / 127.5 - 1).astype(np.float32)


def looking_around(count: int) -> list[FloatImage]:
    return [shifted(FACE, 0.8 * np.sin(index / 3), 0.5 * np.cos(index / 4)) for index in range(count)]


def softened(picture: FloatImage, deviation: float) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation), np.float32)


def nodding(count: int) -> list[FloatImage]:
    """As much as a codec cannot just carry along."""
    pictures = []
    for index in range(count):
        centre, angle, scale = (SIZE / 2, SIZE / 2), 6 * np.sin(index / 5), 1 + 0.04 * np.sin(index / 7)
        turn = np.asarray(cv2.getRotationMatrix2D(centre, angle, scale), np.float64)
        turn[:, 2] += 3 * np.sin(index / 3), 2 * np.cos(index / 4)
        pictures.append(np.asarray(resample(FACE, turn, (SIZE, SIZE), cv2.BORDER_REFLECT_101), np.float32))
    return pictures


def coded(pictures: Sequence[FloatImage], path: Path, rate_factor: int) -> list[FloatImage]:
    """What H.264 leaves of them."""
    levels = [np.rint((picture + 1) * 127.5).clip(0, 255).astype(np.uint8) for picture in pictures]
    options = {"crf": str(rate_factor), "preset": "veryfast"}
    write_film(path, levels, codec="libx264", pix_fmt="yuv420p", options=options)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [(frame / np.float32(127.5) - 1).astype(np.float32) for frame in frames]


def looks(film: Sequence[CroppedFrame], alone: float) -> list[CroppedFrame]:
    """The film with what one sees of its damage without neighbours."""
    return [replace(frame, crops=tuple(replace(crop, damage=alone) for crop in frame.crops)) for frame in film]


def damages(film: Sequence[CroppedFrame], gathered: Sequence[FloatImage], alone: float = 0.0) -> list[float]:
    """After the stage, if this had been gathered."""
    frames = [
        replace(frame, crops=tuple(replace(crop, gathered=seen) for crop in frame.crops))
        for frame, seen in zip(looks(film, alone), gathered, strict=True)
    ]
    return [crop.damage for frame in confirm(iter(frames), on=True) for crop in frame.crops]


def test_what_a_codec_leaves_is_told_from_a_good_film(tmp_path: Path) -> None:
    """With the network that ships."""
    network = network_over_time("gather", SIZE)
    clean = nodding(16)
    shares = {}
    for name, pictures in (("clean", clean), ("coded", coded(clean, tmp_path / "coded.mp4", 36))):
        film = gather(iter(looks(film_of(pictures), 0.0)), network)
        shares[name] = [crop.damage for frame in confirm(film, on=True) for crop in frame.crops]
    assert max(shares["clean"]) < 0.02
    assert np.mean(shares["coded"]) > 0.8


def test_noise_that_neighbours_show_as_well_is_none() -> None:
    film = looking_around(12)
    assert max(damages(film_of(film), film, alone=0.7)) < 0.02


def test_noise_that_they_do_not_show_stays_noise(rng: np.random.Generator) -> None:
    noisy = [(picture + 0.06 * rng.standard_normal(picture.shape)).astype(np.float32) for picture in looking_around(12)]
    assert min(damages(film_of(noisy), looking_around(12), alone=0.7)) > 0.98


def test_without_neighbours_nothing_is_known() -> None:
    film = looking_around(6)
    alone = looks(film_of(film), 0.3)
    assert list(confirm(iter(alone), on=True)) == alone
    soft = [softened(picture, 2.0) for picture in film]
    assert next(confirm(iter(looks(film_of(film), 0.3)), on=False)).crops[0].damage == 0.3
    assert min(damages(film_of(film), soft, alone=0.3)) > 0.9


@pytest.mark.parametrize("alone", [0.0, 0.4, 0.9])
def test_where_all_is_fast_nothing_is_known(alone: float) -> None:
    """Neighbours that are far away are blurred on their way: what they lack may well be there."""
    still, fast = ([shifted(FACE, step * index, 0) for index in range(10)] for step in (0.0, 12.0))
    for seen in (fast, [softened(picture, 2.0) for picture in fast]):
        assert damages(film_of(fast), seen, alone) == pytest.approx([alone] * 10, abs=0.02)
    assert min(damages(film_of(still), [softened(picture, 2.0) for picture in still], alone)) > 0.9
    assert max(damages(film_of(still), still, alone)) < 0.1


def test_the_face_may_be_still_before_a_background_that_is_not() -> None:
    film = []
    for index in range(10):
        moved = shifted(FACE, 12.0 * index, 0)
        moved[40:220, 40:216] = FACE[40:220, 40:216]
        film.append(moved)
    assert max(damages(film_of(film), film, alone=0.8)) < 0.1


@pytest.mark.parametrize("alone", [0.9, 1.0])
def test_nothing_switches_where_noise_is_sure(alone: float) -> None:
    film = looking_around(12)
    frames = [
        replace(frame, crops=(replace(frame.crops[0], gathered=seen, damage=alone if index < 6 else 0.999),))
        for index, (frame, seen) in enumerate(zip(film_of(film), film, strict=True))
    ]
    found = [frame.crops[0].damage for frame in confirm(iter(frames), on=True)]
    assert np.abs(np.diff(found)).max() < 0.01


def test_a_jerk_does_not_switch_anything() -> None:
    film = looking_around(12)
    seen = [*film]
    seen[6] = softened(film[6], 2.0)
    assert max(damages(film_of(film), seen)) < 0.1


def test_tracks_are_looked_at_each_by_itself() -> None:
    film = looking_around(12)
    soft = [softened(picture, 2.0) for picture in film]
    found = damages(film_of(film, [1] * 6 + [2] * 6), [*film[:6], *soft[6:]])
    assert max(found[:6]) < 0.02
    assert min(found[6:]) > 0.9


def test_a_frame_depends_on_as_many_as_it_says() -> None:
    radius = reach(on=True).back
    assert reach(on=True) == Reach(radius, radius)
    assert reach(on=False) == Reach()
    film = looking_around(2 * radius + 3)
    seen = [softened(picture, 0.45) for picture in film]
    whole = damages(film_of(film), seen, alone=0.7)
    for changed in (0, len(film) - 1):
        other = [softened(film[changed], 2.0) if index == changed else seen[index] for index in range(len(film))]
        differ = np.flatnonzero(np.array(damages(film_of(film), other, alone=0.7)) != np.array(whole))
        assert np.abs(differ - changed).max() == radius


def test_large_crops_are_judged_like_small_ones() -> None:
    gathered = softened(FACE, 0.6)
    small = confirmed(replace(crop_of(FACE), gathered=gathered))
    source, seen = (np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1) for picture in (FACE, gathered))
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5]], np.float64)
    assert confirmed(replace(crop_of(source), gathered=seen, to_crop=twice)) == pytest.approx(small, abs=1e-5)


def test_crops_finer_than_their_frames_are_judged_more_strictly() -> None:
    crop = replace(crop_of(FACE), gathered=FACE)
    found = [
        confirmed(replace(crop, to_crop=np.array([[scale, 0, 0], [0, scale, 0]])))
        for scale in (0.7, 1.0, 1.5, 2.0, 3.0)
    ]
    assert found[0] == found[1] > found[2] > found[3] == found[4] == pytest.approx(found[0] - 0.09)


def test_measures(rng: np.random.Generator) -> None:
    luma = rgb_to_ycc(FACE)[0]
    assert again(luma, luma) == pytest.approx(1)
    assert again(luma, 0.4 * luma) == pytest.approx(0.4, abs=1e-5)
    assert again(luma, np.zeros_like(luma)) == 0
    assert again(np.zeros_like(luma), luma) == 0
    white = rng.standard_normal(luma.shape).astype(np.float32)
    assert spread(white) == pytest.approx(0.6745, abs=0.02)  # the median of a normal deviate
    assert spread(fine_detail(luma)) < 0.5
    assert spread(np.zeros_like(luma)) == 0
    assert [damage(0.6, found) for found in (0.5, 1.2)] == [1, 0]
    assert damage(0.6, 0.957) == pytest.approx(0.6)
    assert damage(0.0, 0.932) == pytest.approx(0.5)
