"""Tracks: who is who, smoothed, filled, ended at cuts."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from gfpvideo.faces.align import FFHQ_512
from gfpvideo.faces.shots import mark_shots
from gfpvideo.faces.smooth import LandmarkSmoother, face_size
from gfpvideo.faces.track import Tracker, track
from gfpvideo.frames import DetectedFrame, Detection, Frame, Samples, TrackedFrame
from helpers import frame_of

SIZE = face_size(FFHQ_512)


def face_at(x: float, y: float, scale: float = 0.3, score: float = 0.9) -> Detection:
    landmarks = FFHQ_512 * scale + [x, y]
    box = np.array([*landmarks.min(axis=0), *landmarks.max(axis=0)])
    return Detection(landmarks, box, score)


def blank(index: int) -> Frame:
    return frame_of([np.zeros((4, 4), np.uint8)], Samples("gray", 8), index)


def shot(detections: Sequence[Sequence[Detection]], cuts: Sequence[int] = (0,)) -> Iterator[DetectedFrame]:
    for index, found in enumerate(detections):
        yield DetectedFrame(blank(index), index in cuts, tuple(found))


def run(frames: Iterator[DetectedFrame], lag: int = 12, max_gap: int = 8, min_face: float = 0) -> list[TrackedFrame]:
    return list(track(frames, Tracker(lag, max_gap, 0.5, min_face)))


def numbers(tracked: Sequence[TrackedFrame]) -> list[list[int]]:
    return [sorted(face.track for face in frame.faces) for frame in tracked]


@pytest.mark.parametrize("lag", [0, 1, 5, 12])
@pytest.mark.parametrize("length", [1, 2, 3, 30])
def test_every_frame_comes_out_once_and_in_order(lag: int, length: int) -> None:
    tracked = run(shot([[face_at(0, 0)]] * length), lag)
    assert [frame.frame.index for frame in tracked] == list(range(length))
    late = 0 if lag >= 2 or length < 3 else 2 - lag
    assert numbers(tracked)[late:] == [[1]] * (length - late)


def test_noise_is_smoothed_without_delay() -> None:
    """A face that drifts evenly, seen with jitter: the smoothed path is much closer to the truth, and not behind it."""
    random = np.random.default_rng(2)
    truths = [face_at(3 * index, 1 * index) for index in range(80)]
    noisy = [Detection(t.landmarks + random.normal(0, 0.012 * 0.3 * SIZE, (5, 2)), t.box, 0.95) for t in truths]
    tracked = run(shot([[face] for face in noisy]))
    raw = np.stack([n.landmarks - t.landmarks for n, t in zip(noisy, truths, strict=True)])
    left = np.stack([f.faces[0].landmarks - t.landmarks for f, t in zip(tracked, truths, strict=True)])
    middle = slice(10, 70)
    assert left[middle].std() < 0.5 * raw[middle].std()
    assert np.abs(left[middle].mean(axis=(0, 1))).max() < 0.2 * raw.std()
    jitter = [np.diff(x[middle], 2, axis=0).std() for x in (left, raw)]
    assert jitter[0] < 0.1 * jitter[1]


def test_a_sudden_move_is_followed() -> None:
    """A face that jumps by half its size must not be dragged behind for many frames."""
    detections = [[face_at(0, 0)]] * 20 + [[face_at(0.12 * SIZE, 0)]] * 20
    tracked = run(shot(detections))
    error = [abs(f.faces[0].landmarks[2, 0] - d[0].landmarks[2, 0]) for f, d in zip(tracked, detections, strict=True)]
    assert max(error[:17]) < 0.03 * 0.3 * SIZE
    assert max(error[24:]) < 0.03 * 0.3 * SIZE


def test_a_missed_face_is_filled_from_both_sides() -> None:
    detections: list[list[Detection]] = [[face_at(4 * index, 0)] for index in range(40)]
    for index in range(15, 21):
        detections[index] = []
    tracked = run(shot(detections))
    assert numbers(tracked) == [[1]] * 40
    assert [index for index, frame in enumerate(tracked) if frame.faces[0].filled] == list(range(15, 21))
    for index in range(15, 21):
        assert np.abs(tracked[index].faces[0].landmarks - face_at(4 * index, 0).landmarks).max() < 1.0


def test_a_long_absence_ends_the_track() -> None:
    detections: list[list[Detection]] = [[face_at(0, 0)]] * 15 + [[]] * 10 + [[face_at(0, 0)]] * 15
    found = numbers(run(shot(detections), max_gap=8))
    assert found == [[1]] * 15 + [[]] * 10 + [[2]] * 15


def test_tracks_end_at_cuts() -> None:
    """Two people at the same place either side of a cut are two tracks; nothing is smoothed across."""
    detections = [[face_at(0, 0)]] * 12 + [[face_at(5, 3)]] * 12
    tracked = run(shot(detections, cuts=(0, 12)))
    assert numbers(tracked) == [[1]] * 12 + [[2]] * 12
    assert np.abs(tracked[11].faces[0].landmarks - face_at(0, 0).landmarks).max() < 1e-6
    assert np.abs(tracked[12].faces[0].landmarks - face_at(5, 3).landmarks).max() < 1e-6


def test_two_faces_that_cross_keep_their_numbers() -> None:
    people = [[face_at(4 * i, 0), face_at(200 - 4 * i, 60)] for i in range(50)]
    tracked = run(shot([found if i % 2 else found[::-1] for i, found in enumerate(people)]))
    owners: dict[int, set[int]] = {1: set(), 2: set()}
    for frame, found in zip(tracked, people, strict=True):
        for face in frame.faces:
            distances = [np.abs(face.landmarks - person.landmarks).max() for person in found]
            owners[face.track].add(int(np.argmin(distances)))
    assert sorted(owners.values(), key=min) == [{0}, {1}]


@pytest.mark.parametrize("seed", range(10))
def test_a_steady_face_keeps_its_number_whoever_comes_and_goes(seed: int) -> None:
    """One leaves to its left as another comes to its right: pairs that cannot be must not make up for its own."""
    rng = np.random.default_rng(seed)

    def seen(x: float) -> Detection:
        face = face_at(x, 0)
        return replace(face, landmarks=face.landmarks + rng.normal(0, 0.012 * face_size(face.landmarks), (5, 2)))

    tracked = run(shot([[seen(0), seen(-300 if index < 20 else 300)] for index in range(60)]))
    middle = face_at(0, 0).landmarks[2, 0]
    own = [[face.track for face in item.faces if abs(face.landmarks[2, 0] - middle) < 20] for item in tracked]
    assert own == [own[0]] * 60
    assert len(own[0]) == 1


def test_a_flash_is_no_face() -> None:
    detections: list[list[Detection]] = [[] for _ in range(30)]
    detections[10] = [face_at(0, 0)]
    assert numbers(run(shot(detections))) == [[]] * 30


def test_a_doubtful_detection_goes_on_with_a_track_but_starts_none() -> None:
    doubtful = face_at(0, 0, score=0.35)
    assert numbers(run(shot([[doubtful]] * 20))) == [[]] * 20
    assert numbers(run(shot([[face_at(0, 0)]] * 5 + [[doubtful]] * 15))) == [[1]] * 20


def test_small_faces_are_left_alone() -> None:
    small, large = face_at(0, 0, scale=0.05), face_at(300, 0, scale=0.5)
    found = run(shot([[small, large]] * 10), min_face=20)
    assert all(len(frame.faces) == 1 and face_size(frame.faces[0].landmarks) > 60 for frame in found)


def test_memory_does_not_grow_with_the_shot() -> None:
    """Nor with the number of tracks that ended; with and without stabilised landmarks."""
    come_and_go = [[face_at(0, 0), *([face_at(400, 0)] if index % 30 < 10 else [])] for index in range(600)]
    for smooth in (True, False):
        tracker, sizes = Tracker(12, 8, 0.5, 0, smooth=smooth), []
        for number, frame in enumerate(shot(come_and_go)):
            list(tracker.feed(frame))
            if number % 30 == 29:
                sizes.append(len(pickle.dumps(tracker)))
        assert max(sizes[10:]) <= 1.02 * max(sizes[1:4])  # numbers of more digits take a byte more


def test_a_smoother_forgets_all_but_what_it_is_asked_to_keep() -> None:
    smoother = LandmarkSmoother(face_at(0, 0), 1.0)
    for index in range(1, 21):
        smoother.step(face_at(3 * index, 0))
    assert len(smoother) == 21
    before = smoother.smoothed(4)
    smoother.forget(5)
    assert len(smoother) == 5
    assert np.array_equal(smoother.smoothed(4), before)


def test_the_smoother_ignores_the_future_it_does_not_know() -> None:
    """Frames further ahead than the lag must not change what was handed out: a resumed run would differ otherwise."""
    random = np.random.default_rng(3)
    path = [[face_at(*random.normal(0, 2, 2))] for _ in range(40)]
    long, short = run(shot(path)), run(shot(path[:30]))
    for index in range(30 - 12):
        assert np.array_equal(long[index].faces[0].landmarks, short[index].faces[0].landmarks)


def _shot_frames(pictures: Sequence[np.ndarray]) -> Iterator[Frame]:
    for index, picture in enumerate(pictures):
        frame = frame_of([picture[..., 0]], Samples("gray", 8), index)
        yield replace(frame, shrink=partial(_resized, picture))


def _resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _textured(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 12, 3), np.uint8)
    return coarse.repeat(12, axis=0).repeat(12, axis=1)


def test_cuts_are_found_and_pans_are_not() -> None:
    first, second = _textured(1), _textured(2)
    pan = [np.roll(second, 2 * index, axis=1) for index in range(20)]
    marked = list(mark_shots(_shot_frames([first] * 15 + pan + [first] * 10)))
    assert [shot.frame.index for shot in marked] == list(range(45))
    assert [shot.frame.index for shot in marked if shot.cut] == [0, 15, 35]


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_short_films_have_one_shot(length: int) -> None:
    marked = list(mark_shots(_shot_frames([_textured(1)] * length)))
    assert [shot.cut for shot in marked] == [True, False, False][:length]
