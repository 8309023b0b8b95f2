"""Frames that need no search: their faces are interpolated, and nothing is missed."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from gfpvideo.faces.align import FFHQ_512
from gfpvideo.faces.detect import Found, detect
from gfpvideo.faces.detectors.detector import Detector, Picture
from gfpvideo.faces.refine import Refiner
from gfpvideo.frames import DetectedFrame, Detection, Frame, Samples, ShotFrame
from helpers import frame_of

SCALE = 0.25
"""The face is about 30 pixels from eyes to mouth."""


class Scripted:
    """A detector that knows where the face is in each frame, and counts how often it is asked."""

    name = "scripted"
    landmarks_512 = FFHQ_512

    def __init__(self, places: Sequence[float | None]) -> None:
        self._places = places
        self.asked: list[int] = []

    def detect(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        index = int(pictures[0][0, 0, 0])
        self.asked.append(index)
        place = self._places[index]
        if place is None:
            return [[]]
        landmarks = FFHQ_512 * SCALE + [place, 0.0]
        return [[Detection(landmarks, np.array([place, 0, place + 100, 100.0]), 0.9)]]


def frames(count: int, cuts: Sequence[int] = (0,)) -> list[ShotFrame]:
    plain = frame_of([np.zeros((8, 8), np.uint8)], Samples("gray", 8))
    return [
        ShotFrame(replace(plain, index=index, shrink=partial(_flat, index)), index in cuts) for index in range(count)
    ]


def _flat(level: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


def searched(
    places: Sequence[float | None], every: int = 2, cuts: Sequence[int] = (0,), known: dict[int, Found] | None = None
) -> tuple[list[DetectedFrame], list[int]]:
    detector = Scripted(places)
    found = list(detect(iter(frames(len(places), cuts)), detector, None, every, known or {}))
    assert [item.frame.index for item in found] == list(range(len(places)))
    assert [item.cut for item in found] == [index in cuts for index in range(len(places))]
    return found, detector.asked


def test_doubled_frames_are_searched_once() -> None:
    """Held animation and telecine repeat pictures: what was found in the first is in the others, a cut or not."""
    once = frames(4)
    doubled = [
        ShotFrame(replace(shot.frame, index=2 * index + copy), shot.cut)
        for index, shot in enumerate(once)
        for copy in (0, 1)
    ]
    detector = Scripted([1.0, 30.0, 60.0, 90.0])
    found = list(detect(iter(doubled), detector))
    assert detector.asked == [0, 1, 2, 3]
    places = [item.detections[0].box[0] for item in found]
    assert places == [1, 1, 30, 30, 60, 60, 90, 90]


@pytest.mark.parametrize("every", [1, 2, 3])
def test_even_movement_is_interpolated_exactly(every: int) -> None:
    places = [float(index) for index in range(13)]
    found, asked = searched(places, every)
    assert asked == {1: list(range(13)), 2: [0, 1, 3, 5, 7, 9, 11, 12], 3: [0, 1, 3, 6, 9, 12]}[every]
    for item, place in zip(found, places, strict=True):
        (face,) = item.detections
        assert np.allclose(face.landmarks, FFHQ_512 * SCALE + [place, 0.0])
        assert face.box[0] == pytest.approx(place)


def test_what_comes_goes_or_jumps_is_searched() -> None:
    assert searched([0.0, 0.0, 0.0, 0.0, 20.0, 20.0])[1] == [0, 1, 3, 5, 4]
    found, asked = searched([None, None, None, 1.0, 1.0, 1.0, None])
    assert asked == [0, 1, 3, 2, 4, 6, 5]
    assert [len(item.detections) for item in found] == [0, 0, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("change", range(9, 15))
def test_where_a_face_comes_is_found_by_halves(change: int) -> None:
    """Each frame has what it shows, whichever it is that a face comes in, for half of the searches."""
    found, asked = searched([0.0 if index < change else None for index in range(16)], every=8)
    assert [len(item.detections) for item in found] == [1] * change + [0] * (16 - change)
    assert asked[:5] == [0, 1, 3, 7, 15]
    assert len(asked) <= 8


def test_searches_become_rarer_while_nothing_happens() -> None:
    """Twice as rare each time, up to the limit; and all over again after something happened."""
    assert searched([0.0] * 25, every=8)[1] == [0, 1, 3, 7, 15, 23, 24]
    assert searched([0.0] * 8 + [20.0] * 8, every=4)[1] == [0, 1, 3, 7, 11, 9, 8, 12, 14, 15]


def test_at_the_end_of_a_shot_its_last_frame_is_searched() -> None:
    """And what was skipped before it only where that one shows something else."""
    assert searched([0.0] * 14, every=8)[1] == [0, 1, 3, 7, 13]
    assert searched([0.0] * 14, every=8, cuts=(0, 12))[1] == [0, 1, 3, 7, 11, 12, 13]
    assert searched([0.0] * 13 + [None], every=8)[1] == [0, 1, 3, 7, 13, 10, 12]


def test_nothing_is_interpolated_across_a_cut_or_beyond_the_end() -> None:
    found, asked = searched([0.0] * 3 + [2.0] * 5, cuts=(0, 3))
    assert asked == [0, 1, 2, 3, 4, 6, 7]
    assert [float(item.detections[0].box[0]) for item in found] == [0.0] * 3 + [2.0] * 5


@pytest.mark.parametrize("kept", [1, 4, 5, 9])
def test_going_on_gives_what_was_found_before(kept: int) -> None:
    """With the first frames known, the rest comes out as if all had been searched."""
    places = [0.0, 1.0, 2.0, 9.0, 9.0, 9.5, 10.0, 30.0, None, None, 3.0, 4.0]
    whole, _ = searched(places)
    again, asked = searched(places, known={index: whole[index].detections for index in range(kept)})
    assert not set(asked) & set(range(kept))
    for one, other in zip(whole, again, strict=True):
        assert len(one.detections) == len(other.detections)
        for a, b in zip(one.detections, other.detections, strict=True):
            assert np.array_equal(a.landmarks, b.landmarks)


class Following:
    """Stands for what places faces: sure of them, but in some frames."""

    def __init__(self, unsure: Sequence[int] = ()) -> None:
        self._unsure = unsure
        self.looked: list[int] = []

    def __call__(self, frame: Frame, face: Detection, landmarks_512: NDArray[np.float64] = FFHQ_512) -> Detection:
        self.looked.append(frame.index)
        return replace(face, deviations=np.full(5, 20.0 if frame.index in self._unsure else 1.0))


class Twice:
    """Finds a large face twice, as halves of it, and one beside it."""

    landmarks_512 = FFHQ_512

    def __call__(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        places = ((0.0, 0.6), (9.0, 0.8), (400.0, 0.7))
        return [[Detection(FFHQ_512 / 4 + (x, 0.0), np.array([x, 0.0, x + 90, 90.0]), score) for x, score in places]]


def test_a_face_that_was_found_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gfpvideo.faces.detect.detect_upright", lambda detector, picture: detector([picture])[0])
    for refiner, scores in ((None, [0.6, 0.8, 0.7]), (cast("Refiner", Following()), [0.8, 0.7])):
        (found,) = detect(iter(frames(1)), cast("Detector", Twice()), refiner=refiner)
        assert [each.score for each in found.detections] == scores


def test_a_face_between_two_searches_is_looked_for_and_searched_if_not_seen_well() -> None:
    for unsure, asked in (((), [0, 1, 3, 7]), ((5,), [0, 1, 3, 7, 5])):
        detector, refiner = Scripted([float(2 * index) for index in range(8)]), Following(unsure)
        shots = iter(frames(8))
        found = list(detect(shots, detector, every=4, refiner=cast("Refiner", refiner)))
        assert detector.asked == asked
        assert sorted({*refiner.looked}) == list(range(8))
        assert [item.detections[0].box[0] for item in found] == pytest.approx([2.0 * index for index in range(8)])
        assert all(item.detections[0].deviations is not None for item in found)
