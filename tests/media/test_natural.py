"""Restored faces look natural: steady, on time, in the source's colour, without a border."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

import gfpvideo
from gfpvideo.frames import Rect
from gfpvideo.restoration.events import FrameDone
from helpers import write_film

Picture = NDArray[np.uint8]
ALONE: dict[str, Any] = {
    "gather": False, "believe": False, "detect_every": 1, "smooth": False, "steady": 0, "adapt": False, "lag": 0,
    "max_gap": 0, "every": "1",
}  # fmt: skip
EYES = ((101, 122), (103, 167))
"""Rows and columns of the middle of the eyes in :func:`portrait`."""
MOUTH = (143, 141)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    """A face of 100 pixels, a little soft."""
    face = skimage.data.astronaut()[0:240, 80:320]
    soft = cv2.GaussianBlur(face, (0, 0), 1.5)
    return np.asarray(soft, np.uint8)


def restored_film(
    folder: Path, pictures: list[Picture], **options: Any
) -> tuple[list[NDArray[np.float32]], list[list[Rect]]]:
    """Restore pictures as a film without loss; RGB frames, and the rectangles that were touched in each."""
    source, target = folder / "source.mkv", folder / "target.mkv"
    write_film(source, pictures, codec="libx264rgb", pix_fmt="rgb24", options={"qp": "0"})
    rects: list[list[Rect]] = []

    def note(progress: FrameDone) -> None:
        rects.append([rect for _, rect in progress.restored.touched])

    values = {"codec": "libx264rgb", "crf": 0, "overwrite": True, **options}
    gfpvideo.restore(source, target, gfpvideo.RestoreOptions.parse(values), on_frame=note)
    with av.open(str(target)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(np.float32) for frame in container.decode(video=0)]
    assert len(frames) == len(rects) == len(pictures)
    return frames, rects


def noisy(picture: Picture, deviation: float, seed: int) -> Picture:
    grain = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def inside(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """The middle of the face."""
    return frame[90:150, 115:170]


@pytest.mark.slow
def test_a_still_face_with_fresh_noise_is_steady(portrait: Picture, tmp_path: Path) -> None:
    pictures = [noisy(portrait, 6, seed) for seed in range(48)]
    change = {}
    for name, options in (("alone", ALONE), ("default", {})):
        frames, _ = restored_film(tmp_path, pictures, **options)
        differences = [np.abs(inside(b) - inside(a)).mean() for a, b in itertools.pairwise(frames)]
        change[name] = float(np.mean(differences[12:-12]))
    assert change["default"] <= 0.35 * change["alone"]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 1.4, 2.0])
def test_noise_leaves_faces_of_any_size(scale: float, portrait: Picture, tmp_path: Path) -> None:
    """Faces smaller than the generator's crop, as large and larger: nothing of the noise stays in its finest band."""
    large = np.asarray(cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    pictures = [noisy(large, 12, seed) for seed in range(16)]
    frames, _ = restored_film(tmp_path, pictures)
    left = np.mean([_fine(after, scale) for after in frames])
    assert left < 0.08 * np.mean([_fine(before.astype(np.float32), scale) for before in pictures])


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_good_film_loses_no_detail(scale: float, tmp_path: Path) -> None:
    """Do no harm: a head that moves in a film that needs no restoration is as sharp as before, all the time."""
    face = cv2.resize(skimage.data.astronaut()[0:240, 80:320], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    shifts = [np.array([[1.0, 0, 4 * np.sin(index / 4)], [0, 1, 2 * np.cos(index / 5)]]) for index in range(30)]
    moved = [cv2.warpAffine(face, shift, face.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101) for shift in shifts]
    frames, _ = restored_film(tmp_path, [np.asarray(picture, np.uint8) for picture in moved], deinterlace=False)
    detail = [
        (_fine(after, scale), _fine(before.astype(np.float32), scale))
        for after, before in zip(frames, moved, strict=True)
    ]
    for start in (0, 10, 20):
        after, before = np.mean(detail[start : start + 10], axis=0)
        assert after >= 0.97 * before


def _fine(picture: NDArray[np.float32], scale: float) -> float:
    """Variance of the Laplacian in the middle of the face."""
    rows, columns = (slice(round(low * scale), round(high * scale)) for low, high in ((90, 150), (105, 175)))
    return float(cv2.Laplacian(picture.mean(axis=2), cv2.CV_32F)[rows, columns].var())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda picture: _ellipse(_ellipse(picture, EYES[0], (9, 6), 170), EYES[1], (9, 6), 170), EYES[0]),
        (lambda picture: _ellipse(picture, MOUTH, (14, 9), 25), MOUTH),
    ],
    ids=["blink", "open mouth"],
)
def test_what_moves_keeps_its_timing(
    change: Callable[[Picture], Picture], place: tuple[int, int], portrait: Picture, tmp_path: Path
) -> None:
    """Lids close, or the mouth opens, for three frames: the restored film changes in the same ones, as far as alone."""
    moved = change(portrait)
    pictures = [noisy(moved if 20 <= index < 23 else portrait, 3, index) for index in range(36)]
    courses = {}
    for name, options in (("alone", ALONE), ("default", {})):
        frames, _ = restored_film(tmp_path, pictures, **options)
        row, column = place
        levels = [float(frame[row - 2 : row + 3, column - 2 : column + 3].mean()) for frame in frames]
        courses[name] = np.array(levels) - np.median(levels)
    course = np.abs(courses["default"])
    assert set(np.flatnonzero(course > 0.5 * course.max())) == {20, 21, 22}
    ratio = np.abs(courses["default"][20:23]).mean() / np.abs(courses["alone"][20:23]).mean()
    assert 0.8 < ratio < 1.25


def _ellipse(picture: Picture, centre: tuple[int, int], axes: tuple[int, int], shade: int) -> Picture:
    drawn = picture.copy()
    cv2.ellipse(drawn, (centre[1], centre[0]), axes, 0, 0, 360, (shade,) * 3, -1, cv2.LINE_AA)
    return drawn


@pytest.mark.slow
def test_mean_colour_stays_and_grey_stays_grey(portrait: Picture, tmp_path: Path) -> None:
    grey = np.asarray(np.repeat(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2), np.uint8)
    for picture in (portrait, grey):
        frames, rects = restored_film(tmp_path, [picture] * 12)
        assert all(rects)
        before, after = (
            np.asarray(cv2.cvtColor((frame / 255).astype(np.float32), cv2.COLOR_RGB2LAB), np.float32)
            for frame in (picture, frames[6])
        )
        shift = (inside(after) - inside(before)).mean(axis=(0, 1))
        assert np.abs(shift[1:]).max() < 1.0
        if picture is grey:
            assert np.abs(after[..., 1:]).max() < 1.0


def test_a_flat_wall_shows_no_border(portrait: Picture, tmp_path: Path) -> None:
    """Around the face, whatever is changed is changed without a step of more than one grey level."""
    wall = np.full((360, 360, 3), 150, np.uint8)
    mask = np.zeros((240, 240), np.float32)
    cv2.ellipse(mask, (143, 118), (45, 60), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    wall[60:300, 60:300] = np.rint(portrait * mask + 150 * (1 - mask)).astype(np.uint8)
    frames, rects = restored_film(tmp_path, [wall] * 12)
    (rect,) = rects[6]
    change = (frames[6] - wall).mean(axis=2)
    assert np.abs(change).max() > 3
    flat = cv2.dilate((np.abs(wall.astype(int) - 150).max(axis=2) > 0).astype(np.uint8), np.ones((9, 9))) == 0
    for axis in (0, 1):
        steps = np.abs(np.diff(change, axis=axis))
        both = flat[1:] & flat[:-1] if axis == 0 else flat[:, 1:] & flat[:, :-1]
        assert steps[both].max() <= 1.0
    edge = change[rect.top : rect.bottom, rect.left : rect.right]
    assert max(np.abs(side).max() for side in (edge[0], edge[-1], edge[:, 0], edge[:, -1])) == 0


@pytest.mark.slow
def test_a_hand_before_the_face_is_not_turned_into_a_face(portrait: Picture, tmp_path: Path) -> None:
    """Four fingers pass over the mouth: what lies under them stays a hand."""
    pictures, hands = [], []
    for index in range(30):
        hand = np.zeros(portrait.shape[:2], np.float32)
        top = 170 - 3 * min(index, 15)
        for finger in range(4):
            x = 118 + 15 * finger
            cv2.line(hand, (x, top + 8), (x, 239), 1.0, 12, cv2.LINE_AA)
        alpha = cv2.GaussianBlur(hand, (0, 0), 1.0)[..., None]
        pictures.append(np.rint(portrait * (1 - alpha) + np.array([198, 150, 122]) * alpha).astype(np.uint8))
        hands.append(cv2.erode(hand, np.ones((5, 5))) > 0.9)
    frames, rects = restored_film(tmp_path, pictures)
    assert sum(map(len, rects)) > 20
    for index in range(16, 30):
        change = np.abs(frames[index] - pictures[index]).mean(axis=2)
        covered = hands[index] & (np.indices(hands[index].shape)[0] < 165)
        assert change[covered].mean() < 4.0
        assert np.quantile(change[covered], 0.95) < 12.0
