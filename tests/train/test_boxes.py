"""Boxes of eyes and mouth: what the training's component losses look at must be what they are named after."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from gfpvideo.faces.align import FFHQ_512, template
from gfpvideo.networks.landmarks import COMPONENTS, MESH, POINTS, Landmarks, anchors, installed_landmarks
from gfpvideo.pixels.geometry import move, similarity_transform
from gfpvideo.train.data import boxes_around, boxes_in, boxes_of_points, load_faces

SIZE = 256
OPEN = (901, 914, 902, 910)
"""Pictures with the mouth wide open, not learnt from..."""
ASIDE = (803, 559, 281, 571, 535)
"""... and the faces that are turned farthest aside, by 36 to 46 degrees."""


@pytest.fixture(scope="module")
def network() -> Landmarks:
    return installed_landmarks()


def covered(boxes: NDArray[np.float64], points: NDArray[np.float64]) -> list[bool]:
    """Whether each box covers all points of its component."""
    pairs = zip(boxes, COMPONENTS, strict=True)
    return [bool((points[part] >= box[:2]).all() and (points[part] <= box[2:]).all()) for box, part in pairs]


def labelled(folder: Path, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A picture of the folder, and our points in it as a far larger network found them."""
    labels = folder.parent / f"{folder.name}_landmarks.npz"
    if not labels.is_file():
        pytest.skip("the faces have no dense labels")
    picture = cv2.imread(str(folder / f"{number}.jpg"))
    assert picture is not None
    with np.load(labels) as content:
        place = [Path(str(name)).stem for name in content["names"]].index(f"{number}")
        mesh = content["points"][place][list(MESH), :2].astype(np.float64)
    shown = cv2.resize(picture[..., ::-1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(shown, np.uint8), (mesh + 0.5) * (SIZE / len(picture)) - 0.5


@pytest.mark.parametrize("number", [*OPEN, *ASIDE])
def test_an_open_mouth_and_a_face_turned_aside_are_covered(
    number: int, aligned_faces: Path, network: Landmarks
) -> None:
    picture, points = labelled(aligned_faces, number)
    boxes = boxes_in(picture, network)
    assert covered(boxes, points) == [True] * 3
    assert (boxes[:, 2:] - boxes[:, :2]).max() < 0.4 * SIZE


def test_five_points_do_not_cover_an_open_mouth(aligned_faces: Path) -> None:
    """What the boxes were before: of these mouths, even around true corners, hardly one is covered."""
    shown = [labelled(aligned_faces, number) for number in OPEN]
    before = [covered(boxes_around(anchors(points), SIZE), points)[2] for _, points in shown]
    assert sum(before) <= 1


def test_boxes_are_as_large_as_usual_or_as_what_they_cover(rng: np.random.Generator) -> None:
    points = np.tile([128.0, 120.0], (POINTS, 1))
    closed = boxes_of_points(points, SIZE)
    assert np.allclose(closed[:, 2:] - closed[:, :2], [[40], [40], [60]])
    points[COMPONENTS[2]] += rng.uniform(-1, 1, (len(COMPONENTS[2]), 2)) * [20, 50]
    opened = boxes_of_points(points, SIZE)
    assert np.array_equal(opened[:2], closed[:2])
    assert covered(opened, points) == [True] * 3
    assert np.allclose(*(opened[2, 2:] - opened[2, :2]))
    assert opened[2, 2] - opened[2, 0] > 80


def test_folders_without_boxes_have_their_faces_looked_at(tmp_path: Path, network: Landmarks) -> None:
    """A face that is aligned badly: its eyes are where they are seen; a picture of no face keeps FFHQ's places."""
    eyes = np.array([[203.5, 100.5], [247.0, 103.0]])  # found by hand
    to_face = similarity_transform(eyes, template(SIZE, FFHQ_512 + np.array([40.0, 15.0]))[:2])
    aligned = cv2.warpAffine(skimage.data.astronaut(), to_face, (SIZE, SIZE))
    assert cv2.imwrite(str(tmp_path / "1.png"), np.ascontiguousarray(aligned[..., ::-1]))
    assert cv2.imwrite(str(tmp_path / "2.png"), np.full((SIZE, SIZE, 3), 90, np.uint8))
    found = load_faces(tmp_path, SIZE, network=network).boxes
    usual = boxes_around(template(SIZE), SIZE)
    centres = (found[0][:2, :2] + found[0][:2, 2:]) / 2
    assert np.linalg.norm(centres - move(to_face, eyes), axis=1).max() < 6
    assert np.abs(found[0] - usual).max() > 12
    assert np.array_equal(found[1], usual)
    assert np.array_equal(load_faces(tmp_path, SIZE).boxes[0], usual)
