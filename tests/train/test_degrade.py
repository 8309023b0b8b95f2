"""Degradation: repeatable, within range, of the announced strength; pairs and boxes that fit each other."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from gfpvideo.errors import InputError, OptionError
from gfpvideo.faces.align import template
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.train.data import (
    COMPONENT_FILE,
    AgedFaces,
    boxes_around,
    jittered,
    load_faces,
    moved_boxes,
    training_faces,
)
from gfpvideo.train.degrade import (
    AGEINGS,
    Degradation,
    blur,
    chroma_blur,
    degrade,
    film_grain,
    interlacing_remains,
    noise,
    paper_degradation,
)
from gfpvideo.train.gather_options import Stills
from gfpvideo.train.options import Data, TrainOptions
from helpers import psnr

STRONG = Degradation(grey=0.2, jitter=0.3, recode=0.3, film=0.5, tape=0.5)


@pytest.fixture(scope="module")
def face() -> FloatImage:
    portrait = skimage.data.astronaut()[20:220, 124:324]
    return (cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA) / 255).astype(np.float32)


@pytest.mark.parametrize("name", AGEINGS)
def test_every_ageing_is_repeatable_and_in_range(name: str, face: FloatImage) -> None:
    before = face.copy()
    once, again = (AGEINGS[name](face, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(once, again)
    assert once.shape == face.shape
    assert once.dtype == np.float32
    assert 0 <= once.min() <= once.max() <= 1
    assert np.array_equal(face, before)
    assert 15 < psnr(once, face, 1.0) < 60


@pytest.mark.parametrize("seed", range(12))
def test_pairs_are_repeatable_and_aged(seed: int, face: FloatImage) -> None:
    aged, target = degrade(face, STRONG, np.random.default_rng(seed))
    again, _ = degrade(face, STRONG, np.random.default_rng(seed))
    assert np.array_equal(aged, again)
    assert aged.shape == target.shape == face.shape
    assert aged.dtype == target.dtype == np.float32
    assert psnr(aged, target, 1.0) < 45


def test_noise_has_the_announced_deviation() -> None:
    grey = np.full((200, 200, 3), 0.5, np.float32)
    for seed in range(4):
        assert noise(grey, 0.05, np.random.default_rng(seed)).std() == pytest.approx(0.05, rel=0.03)
    assert film_grain(grey, 0.05, 1.0, np.random.default_rng(1)).std() == pytest.approx(0.05, rel=0.03)


def test_blur_has_the_announced_width() -> None:
    """The variance of a blurred dot is that of the kernel, along its longer axis."""
    dot = np.zeros((512, 512, 3), np.float32)
    dot[256, 256] = 1
    y, x = np.mgrid[0:512, 0:512] - 256
    for seed in range(6):
        spread = blur(dot, 5.0, np.random.default_rng(seed))[..., 0]
        moments = np.array([[(spread * a * b).sum() for a in (x, y)] for b in (x, y)])
        assert spread.sum() == pytest.approx(1, abs=1e-4)
        assert np.sqrt(np.linalg.eigvalsh(moments)[-1]) == pytest.approx(5.0, rel=0.03)


def test_the_mildest_settings_change_almost_nothing(face: FloatImage) -> None:
    mild = Degradation(blur=(0.01, 0.01), shrink=(1, 1), noise=(0, 0), jpeg=(100, 100), grey=0, jitter=0)
    assert psnr(paper_degradation(face, mild, np.random.default_rng(1)), face, 1.0) > 38


def test_worse_settings_are_worse(face: FloatImage) -> None:
    def quality(factor: float) -> float:
        settings = Degradation(
            blur=(factor, factor),
            shrink=(factor, factor),
            noise=(factor, factor),
            jpeg=(100 - 5 * factor, 100 - 5 * factor),
        )
        return psnr(paper_degradation(face, settings, np.random.default_rng(1)), face, 1.0)

    found = [quality(factor) for factor in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)


def test_greyscale_changes_the_target_as_well(face: FloatImage) -> None:
    settings = Degradation(grey=1.0, jitter=0.0)
    aged, target = degrade(face, settings, np.random.default_rng(1))
    assert np.ptp(target, axis=2).max() < 1e-5
    assert np.abs(rgb_to_ycc(aged)[1]).mean() < 0.02


def test_fading_stays_in_the_target_unless_asked_otherwise(face: FloatImage) -> None:
    still = Degradation(
        blur=(0.01, 0.01), shrink=(1, 1), noise=(0, 0), jpeg=(100, 100), grey=0, jitter=0, film=1.0, keep_light=True
    )
    aged, target = degrade(face, still, np.random.default_rng(2))
    assert np.abs(aged.mean(axis=(0, 1)) - target.mean(axis=(0, 1))).max() < 0.02
    assert np.abs(target.mean(axis=(0, 1)) - face.mean(axis=(0, 1))).max() > 0.02


def test_tape_smears_colour_and_keeps_light(face: FloatImage) -> None:
    smeared = chroma_blur(face, 4.0, 2)
    assert np.abs(rgb_to_ycc(smeared)[0] - rgb_to_ycc(face)[0]).mean() < 0.002
    assert np.abs(rgb_to_ycc(smeared)[1][1] - rgb_to_ycc(face)[1][1]).mean() > 0.004


def test_interlacing_touches_every_second_line(face: FloatImage) -> None:
    combed = interlacing_remains(face, 2)
    assert np.array_equal(combed[::2], face[::2])
    assert np.array_equal(combed[1::2, 2:], face[1::2, :-2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a broken one and a text."""
    for number in (1, 2, 30):
        portrait = np.roll(skimage.data.astronaut(), number, axis=1)[..., ::-1]
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), portrait)
    (tmp_path / "4.jpg").write_bytes(b"broken")
    (tmp_path / "notes.txt").write_text("left alone")
    return tmp_path


def test_unreadable_pictures_are_counted(folder: Path) -> None:
    faces = load_faces(folder, 64)
    assert len(faces.pictures) == 3
    assert faces.skipped == 1
    assert faces.pictures[0].shape == (64, 64, 3)
    assert len(load_faces(folder, 64, range(1, 10)).pictures) == 2
    with pytest.raises(InputError, match="no readable aligned faces"):
        load_faces(folder, 64, range(500, 600))


def test_further_folders_are_drawn_from_as_their_shares_say(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Flat pictures, so that a drawn one tells its folder; of the further folder the second to third, by number."""
    other, grey = tmp_path_factory.mktemp("other"), {"1": 10, "9": 90, "10": 100, "11": 110}
    for name, level in grey.items():
        assert cv2.imwrite(str(other / f"{name}.png"), np.full((64, 64, 3), level, np.uint8))
    further = Stills(folder=other, share=0.25, take=(2, 3))
    faces = training_faces(Data(folder=folder, further=(further,)), 64)
    assert (len(faces.pictures), len(faces.boxes), faces.skipped) == (5, 5, 1)
    assert [int(picture.mean()) for picture in faces.pictures[3:]] == [90, 100]
    assert faces.chances == pytest.approx([0.8 / 3] * 3 + [0.1] * 2)
    drawn = AgedFaces(faces, Degradation(), seed=0, length=200)
    flat = [float(drawn[index][1].std()) < 0.01 for index in range(200)]
    assert 0.12 < np.mean(flat) < 0.28
    with pytest.raises(OptionError, match="pictures 3 to 5 are asked for, and there are 4"):
        training_faces(Data(folder=folder, further=(further.model_copy(update={"take": (3, 5)}),)), 64)
    with pytest.raises(InputError, match=f"{other / 'none'}: the folder cannot be read"):
        training_faces(Data(folder=other / "none"), 64)


def test_one_end_of_the_numbers_may_be_left_open(folder: Path) -> None:
    """Pictures 1, 2 and 30: what is held out must not be learnt from because nobody said where to begin."""
    counts = [len(training_faces(Data(folder=folder, first=first, last=last), 64).pictures)
              for first, last in ((None, 2), (2, None), (2, 2), (None, None))]  # fmt: skip
    assert counts == [2, 2, 1, 3]


@pytest.mark.parametrize("wrong", [{"blur": (0.0, 3.0)}, {"shrink": (0.5, 2.0)}, {"jpeg": (90.0, 60.0)}])
def test_ranges_that_cannot_be_drawn_from_are_refused(wrong: dict[str, tuple[float, float]]) -> None:
    (name,) = wrong
    values = {"data": {"folder": "."}, "degradation": wrong}
    with pytest.raises(OptionError, match=f"a.toml: option degradation.*{name} wants its least and its largest"):
        TrainOptions.parse(values, Path("a.toml"))


def test_numbers_to_take_are_counted_from_one() -> None:
    for take in ((0, 3), (3, 2)):
        with pytest.raises(ValueError, match="counted from 1"):
            Stills(folder=Path(), share=1, take=take)


def test_items_depend_on_seed_and_index_alone(folder: Path) -> None:
    faces = load_faces(folder, 64)
    one, other = (AgedFaces(faces, STRONG, seed=seed, length=50) for seed in (1, 2))
    backwards = {index: one[index] for index in reversed(range(5))}
    for index in range(5):
        assert all((a == b).all() for a, b in zip(one[index], backwards[index], strict=True))
        assert not (one[index][0] == other[index][0]).all()
    aged, clean, boxes = one[0]
    assert aged.shape == clean.shape == (3, 64, 64)
    assert -1 <= float(aged.min()) <= float(aged.max()) <= 1
    assert boxes.shape == (3, 4)
    with pytest.raises(IndexError):
        one[50]


def test_boxes_beside_the_faces_are_used(folder: Path) -> None:
    """They are given in pixels of the files, and come out in pixels of the training size."""
    box = [[100.0, 200.0, 180.0, 280.0]] * 3
    content = {"size": 512, "boxes": {"2.png": box}}
    (folder / COMPONENT_FILE).write_text(json.dumps(content))
    faces = load_faces(folder, 64)
    usual = boxes_around(template(64), 64)
    scaled = (np.array(box) + 0.5) / 8 - 0.5
    assert [np.allclose(boxes, usual) for boxes in faces.boxes] == [True, False, True]
    assert np.allclose(faces.boxes[1], scaled)
    for wrong in ("{", "{}", '{"size": 512, "boxes": {"2.png": [1, 2]}}', '{"size": 512, "boxes": [1]}'):
        (folder / COMPONENT_FILE).write_text(wrong)
        with pytest.raises(InputError, match=COMPONENT_FILE):
            load_faces(folder, 64)


def test_raster_noise_is_finer_than_that_of_a_small_picture() -> None:
    """With ``raster`` the noise is added after enlarging: neighbouring pixels are then independent."""
    grey = np.full((128, 128, 3), 0.5, np.float32)
    correlation = {}
    for raster in (0.0, 1.0):
        settings = Degradation(shrink=(4.0, 4.0), noise=(15.0, 15.0), jpeg=(100.0, 100.0), raster=raster)
        noisy = paper_degradation(grey, settings, np.random.default_rng(3))[..., 1] - 0.5
        correlation[raster] = float((noisy[:, 1:] * noisy[:, :-1]).mean() / np.square(noisy).mean())
    assert correlation[0.0] > 0.6
    assert abs(correlation[1.0]) < 0.1


def test_gentle_damage_stays_in_the_lower_third_of_its_ranges(face: FloatImage) -> None:
    """One third of the noise, over many draws: the largest deviation is below what ordinary damage reaches."""
    grey = np.full_like(face, 0.5)
    deviations = {}
    for gentle in (0.0, 1.0):
        settings = Degradation(shrink=(1.0, 1.0), noise=(0.0, 15.0), jpeg=(100.0, 100.0), gentle=gentle)
        drawn = [paper_degradation(grey, settings, np.random.default_rng(seed)) for seed in range(40)]
        deviations[gentle] = max(float(picture.std()) for picture in drawn) * 255
    assert deviations[1.0] < 5.5
    assert deviations[0.0] > 12


@pytest.mark.parametrize("seed", range(8))
def test_boxes_follow_the_components(seed: int) -> None:
    """Dots painted at eyes and mouth must lie in the middle of their boxes, mirrored or not; left stays left."""
    size = 256
    picture = np.zeros((size, size, 3), np.float32)
    points = template(size)
    places = [points[0], points[1], points[3:].mean(axis=0)]
    y, x = np.mgrid[0:size, 0:size]
    for channel, (a, b) in enumerate(places):
        picture[..., channel] = np.exp(-((x - a) ** 2 + (y - b) ** 2) / 18)
    warped, affine = jittered(picture, np.random.default_rng(seed))
    boxes = moved_boxes(boxes_around(points, size), affine)
    mirrored = np.linalg.det(affine[:, :2]) < 0
    for channel, number in enumerate((1, 0, 2) if mirrored else (0, 1, 2)):
        light = warped[..., channel]
        centre = np.array([(light * x).sum(), (light * y).sum()]) / light.sum()
        box = boxes[number]
        assert np.abs(centre - [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]).max() < 1.0
    assert boxes[0, 0] < boxes[1, 0]
