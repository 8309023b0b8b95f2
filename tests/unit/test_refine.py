"""Faces placed by the landmark network."""

from collections.abc import Iterator

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from gfpvideo.faces.align import align, template
from gfpvideo.faces.refine import Refiner, describe, found_well, to_ours, trust
from gfpvideo.faces.smooth import LandmarkSmoother
from gfpvideo.frames import CroppedFrame, Detection, Face, Frame, Samples, TrackedFrame
from gfpvideo.networks.landmarks import (
    LANDMARKS_512,
    POINTS,
    SIDE,
    Found,
    Landmarks,
    anchors,
    installed_landmarks,
)
from gfpvideo.pixels.geometry import face_size
from helpers import frame_of

EYES = np.array([[203.5, 100.5], [247.0, 103.0]])
"""Where the eyes of the picture are, found by hand."""


@pytest.fixture(scope="module")
def network() -> Landmarks:
    return installed_landmarks()


@pytest.fixture(scope="module")
def frame() -> Frame:
    picture = skimage.data.astronaut()
    return frame_of([np.ascontiguousarray(picture[..., place]) for place in range(3)], Samples("rgb", 8))


def rough(shift: float = 0.0, turn: float = 0.0, size: float = 1.0) -> Detection:
    """A face about where it is: shifted by shares of its size, turned by degrees, of another size."""
    angle = np.radians(turn)
    linear = size * 0.345 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (LANDMARKS_512 - [256, 306]) @ linear.T + [224.0, 121.0] + shift * 45
    return Detection(landmarks, np.array([170.0, 60.0, 290.0, 200.0]), 0.9)


@pytest.mark.parametrize("off", [{}, {"shift": 0.2}, {"turn": 20.0}, {"turn": -25.0}, {"size": 1.25}, {"size": 0.8}])
def test_a_face_is_found_from_about_where_it_is(network: Landmarks, frame: Frame, off: dict[str, float]) -> None:
    found = Refiner(network)(frame, rough(**off))
    exact = Refiner(network)(frame, rough())
    distance = np.linalg.norm(EYES[1] - EYES[0])
    assert np.linalg.norm(found.landmarks[:2] - EYES, axis=1).max() < 0.12 * distance
    assert np.linalg.norm(found.landmarks - exact.landmarks, axis=1).max() < 0.08 * distance
    assert found_well(found)
    assert found.score == 0.9


def test_a_face_beyond_the_picture_stays_where_it_was_said_to_be(network: Landmarks, frame: Frame) -> None:
    away = rough(shift=100.0)
    assert Refiner(network)(frame, away) is away


def test_a_face_that_the_network_does_not_see_stays_where_the_detector_saw_it(frame: Frame) -> None:
    """A profile: the network's guess strays from frame to frame, and the track would break."""

    class Lost(Landmarks):
        def __init__(self) -> None:
            """No network."""

        def __call__(self, crops: NDArray[np.float32]) -> Found:
            points = np.random.default_rng(0).uniform(0, SIDE, (len(crops), POINTS, 2))
            return Found(points, np.full((len(crops), POINTS), 1000.0), np.zeros(len(crops)), np.zeros((len(crops), 3)))

    seen, theirs = rough(), LANDMARKS_512 + np.array([3.0, -5.0])
    kept = Refiner(Lost())(frame, seen, theirs)
    assert np.array_equal(kept.landmarks, to_ours(seen.landmarks, theirs))
    assert kept.deviations is not None
    assert not found_well(kept)


def test_what_is_no_face_is_not_trusted(network: Landmarks, rng: np.random.Generator) -> None:
    """Noise, and a flat wall; and no place of a face there is said to be sure."""
    for picture in (rng.integers(0, 255, (512, 512)).astype(np.uint8), np.full((512, 512), 128, np.uint8)):
        frame = frame_of([picture, picture, picture], Samples("rgb", 8))
        (described,) = describe(_cropped(frame, rough().landmarks), network)
        shape = described.crops[0].shape
        assert shape is not None
        assert shape.trust < 0.3


def test_a_face_is_described_in_its_crop(network: Landmarks, frame: Frame) -> None:
    found = Refiner(network)(frame, rough())
    (described,) = describe(_cropped(frame, found.landmarks), network)
    shape = described.crops[0].shape
    assert shape is not None
    assert shape.trust > 0.9
    assert abs(shape.yaw) < np.radians(25)
    off = np.linalg.norm(anchors(shape.points) - template(256, LANDMARKS_512), axis=1)
    assert off.max() < 0.12 * 63  # of the eye distance
    (plain,) = describe(_cropped(frame, found.landmarks), None)
    assert plain.crops[0].shape is None


def _cropped(frame: Frame, landmarks: NDArray[np.float64]) -> Iterator[CroppedFrame]:
    tracked = TrackedFrame(frame, (Face(1, landmarks, filled=False),))
    return align(iter([tracked]), 256, LANDMARKS_512)


def test_trust_falls_with_deviation_and_presence() -> None:
    points = np.tile(np.linspace(0, SIDE, POINTS)[:, None], (1, 2))[None]
    eyes = float(np.linalg.norm(np.diff(anchors(points[0])[:2], axis=0)))

    def trusted(deviation: float, presence: float) -> float:
        return trust(Found(points, np.full((1, POINTS), deviation * eyes), np.array([presence]), np.zeros((1, 3))))

    assert trusted(0.05, 0.9) == 1.0
    assert trusted(0.3, 0.9) == 0.0
    assert trusted(0.05, 0.01) == 0.0
    assert 0 < trusted(0.19, 0.9) < 1


def test_a_detectors_landmarks_become_ours() -> None:
    """Whatever the face's place: what lies on the detector's mean face comes to lie on ours."""
    detectors = LANDMARKS_512 + np.array([[3.0, -4], [-3, -4], [0, 6], [2, 1], [-2, 1]])
    turn = 0.2 * np.array([[0.8, -0.6], [0.6, 0.8]])
    found = to_ours((detectors + 0.5) @ turn.T + [40, 70], detectors)
    assert np.allclose(found, (LANDMARKS_512 + 0.5) @ turn.T + [40, 70], atol=0.1)


def test_the_filter_trusts_what_the_network_is_sure_of(rng: np.random.Generator) -> None:
    """Of two noisy series the one that is said to be unsure is smoothed more."""
    truth = template(512) * 0.3
    noise = rng.normal(0, 3.0, (30, 5, 2))

    def spread(deviation: float) -> float:
        faces = [Detection(truth + one, np.zeros(4), 1.0, np.full(5, deviation)) for one in noise]
        smoother = LandmarkSmoother(faces[0], 1.0)
        for face in faces[1:]:
            smoother.step(face)
        return float(np.std(smoother.smoothed(10) - truth))

    assert spread(12.0) < 0.6 * spread(0.5)
    assert face_size(truth) > 10
