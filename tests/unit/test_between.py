"""Most crops are spared the generator where its neighbours show the same, and never where they do not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gfpvideo.frames import CroppedFrame
from gfpvideo.generator.batches import generate
from gfpvideo.generator.generator import Generator
from gfpvideo.networks.abilities import Abilities
from gfpvideo.pixels.color import FloatImage
from gfpvideo.temporal.believe import believe, weigh_belief
from gfpvideo.temporal.between import fill, reach, spare
from moving import INSIDE, film_of, portrait, shifted


class Brighter:
    """A generator that adds a tenth, and counts its runs."""

    abilities = Abilities(256, reuse=False)

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, crops: FloatImage) -> FloatImage:
        self.runs += len(crops)
        return crops + np.float32(0.1)


def restored(frames: Sequence[CroppedFrame], every: int = 2, first: int = 0) -> tuple[list[FloatImage], int]:
    """What comes of frames from ``first`` on, one face each, and how often the generator ran."""
    made: Generator = Brighter()  # type: ignore[assignment]
    stream = generate(spare(iter(frames), every), made, 4, 0.5)
    done = [crop.restored for frame in fill(stream, every) for crop in frame.crops if frame.frame.index >= first]
    return done, made.runs  # type: ignore[attr-defined]


def speaking(opened: int, count: int = 9) -> list[FloatImage]:
    """A face that drifts; in one frame its mouth is open."""
    pictures = [shifted(portrait(), 0.4 * index, -0.3 * index) for index in range(count)]
    pictures[opened][150:180, 105:155] = -0.8
    return pictures


def test_a_drifting_face_needs_every_second_run() -> None:
    pictures = speaking(4)
    done, runs = restored(film_of(pictures))
    assert runs < 9
    assert len(done) == 9
    for index in (1, 7):  # far from the open mouth
        error = np.abs(done[index] - pictures[index] - 0.1)[INSIDE, INSIDE]
        assert error.mean() < 0.01
    assert restored(film_of(pictures), every=1)[1] == 9


def test_what_moves_little_needs_every_fourth_run() -> None:
    pictures = [shifted(portrait(), 0.4 * index, -0.3 * index) for index in range(9)]
    done, runs = restored(film_of(pictures), every=4)
    assert (len(done), runs) == (9, 3)
    for index in range(9):
        error = np.abs(done[index] - pictures[index] - 0.1)[INSIDE, INSIDE]
        assert error.mean() < 0.012


def test_a_mouth_that_is_open_between_two_runs_gets_one() -> None:
    """Open in frames 2 and 3 alone: neither 2, midway between 0 and 4, nor 3 is made of those."""
    pictures = [shifted(portrait(), 0.4 * index, 0) for index in range(9)]
    for picture in pictures[2:4]:
        picture[150:180, 105:155] = -0.8
    done, runs = restored(film_of(pictures), every=4)
    assert runs == 4  # 0, 4, 8 and 2; 3 shows what 2 does, 1 what 0 does
    assert np.abs(done[2] - pictures[2] - 0.1).max() < 1e-6
    for index in (1, 3):
        assert np.abs(done[index] - pictures[index] - 0.1)[155:175, 110:150].mean() < 0.02


def test_what_no_neighbour_shows_gets_a_run_of_its_own() -> None:
    """A mouth that is open in frame 3 alone: that frame is not what frames 2 and 4 are made of."""
    pictures = speaking(3)
    done, runs = restored(film_of(pictures))
    assert np.abs(done[3] - pictures[3] - 0.1).max() < 1e-6
    (wide,) = [index for index, frame in enumerate(spare(iter(film_of(pictures)), 2)) if index == 3]
    assert wide == 3
    assert runs == 6  # 0, 2, 4, 6, 8 and 3


def test_of_one_neighbour_that_differs_nothing_is_taken() -> None:
    """A mouth that opens in frame 4 and stays open: frame 3 is made of frame 2 where they differ."""
    pictures = [shifted(portrait(), 0.4 * index, 0) for index in range(9)]
    for picture in pictures[4:]:
        picture[150:180, 105:155] = -0.8
    done, _ = restored(film_of(pictures))
    assert np.abs(done[3] - pictures[3] - 0.1)[155:175, 110:150].mean() < 0.02


def test_ends_of_tracks_and_faces_left_alone_are_not_filled_in() -> None:
    pictures = [portrait()] * 6
    planned = list(spare(iter(film_of(pictures, [1, 1, 1, 1, 2, 2])), 2))
    assert [frame.crops[0].between is not None for frame in planned] == [False, True, False, False, False, False]
    alone = [replace(frame, crops=(replace(frame.crops[0], share=0.0),)) for frame in film_of(pictures)]
    done, runs = restored([*film_of(pictures)[:2], *alone[2:]])
    assert (len(done), runs) == (2, 2)


def test_what_is_filled_in_is_believed_as_its_neighbours_are() -> None:
    """Nobody judges it: half of the face, where its neighbours' restorations were not believed, stays its own."""
    pictures = [shifted(portrait(), 0.4 * index, 0) for index in range(5)]
    left = np.ones((2, 256, 256), np.float32)
    left[1, :, 128:] = 0
    judged: list[FloatImage] = []

    def judge(seen: FloatImage) -> FloatImage:
        judged.append(seen)
        return left

    made = generate(spare(iter(film_of(pictures)), 2), Brighter(), 4, 0.5)  # type: ignore[arg-type]
    done = [frame.crops[0] for frame in believe(fill(weigh_belief(made, judge), 2))]
    assert len(judged) == 3
    for index in (1, 3):
        change = done[index].restored - pictures[index]
        assert np.abs(change[INSIDE, 140:190]).max() < 1e-6
        assert np.abs(change[INSIDE, 70:116] - 0.1).mean() < 0.01
        assert done[index].replaced is not None


def test_a_doubled_frame_gets_what_its_double_got() -> None:
    """Twelve pictures a second, each shown twice: the second is not mixed with the picture that comes next."""
    pictures = [shifted(portrait(), 0.5 * (index // 2), 0) for index in range(8)]
    made = Brighter()
    made.abilities = Abilities(256)
    stream = generate(spare(iter(film_of(pictures)), 2), made, 4, 0.5)  # type: ignore[arg-type]
    done = [frame.crops[0].restored for frame in fill(stream, 2)]
    assert made.runs == 4
    for first in (0, 2, 4, 6):
        assert np.array_equal(done[first], done[first + 1])


@pytest.mark.parametrize("every", [2, 4])
def test_where_one_begins_does_not_matter(every: int) -> None:
    """As many frames before the first that is wanted are enough as ``reach`` says."""
    film = film_of(speaking(6, 16))
    whole, _ = restored(film, every, first=7)
    near, _ = restored(film[7 - reach(every).back :], every, first=7)
    assert all(np.array_equal(one, other) for one, other in zip(whole, near, strict=True))
