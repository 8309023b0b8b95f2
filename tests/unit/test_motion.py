"""Optical flow between the crops of a track, and what stages make of it: gathering, believing."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame, GeneratedFrame, RestoredCrop
from gfpvideo.networks.over_time import network_over_time
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.regions import face_mask
from gfpvideo.temporal import motion
from gfpvideo.temporal.believe import believe, weigh_belief
from gfpvideo.temporal.gather import OFFSETS, gather, reach
from gfpvideo.temporal.motion import SIDE, brought, compared, disagreement, flow, follow_motion, joined, onward
from helpers import crop_of
from moving import INSIDE, SIZE, film_of, portrait, shifted, textured


def crops(frames: Sequence[CroppedFrame]) -> list[dict[int, Crop]]:
    return [{crop.face.track: crop for crop in frame.crops} for frame in frames]


@settings(max_examples=8, deadline=None)
@given(x=st.floats(-4, 4), y=st.floats(-4, 4))
def test_flow_finds_a_shift_and_brings_the_neighbour_back(x: float, y: float) -> None:
    here = textured(np.random.default_rng(0))
    there = shifted(here, x, y)
    along = flow(compared(rgb_to_ycc(here)[0]), compared(rgb_to_ycc(there)[0]))
    middle = along[24:104, 24:104].reshape(-1, 2)
    assert np.abs(np.median(middle, axis=0) - np.array([x, y]) / 2).max() < 0.1
    back = brought(there, along)
    assert np.abs(back - here)[INSIDE, INSIDE].mean() < 0.03
    assert (
        np.abs(there - here)[INSIDE, INSIDE].mean() > np.abs(back - here)[INSIDE, INSIDE].mean() or abs(x) + abs(y) < 1
    )


def test_flows_are_joined_and_checked_forth_and_back(rng: np.random.Generator) -> None:
    face = textured(rng)
    pictures = [shifted(face, 3.0 * step, -1.0 * step) for step in range(3)]
    small = [compared(rgb_to_ycc(picture)[0]) for picture in pictures]
    through = joined(flow(small[0], small[1]), flow(small[1], small[2]))
    assert np.abs(np.median(through[24:104, 24:104].reshape(-1, 2), axis=0) - [3.0, -1.0]).max() < 0.15
    apart = disagreement(through, flow(small[2], small[0]))
    assert np.median(apart[24:104, 24:104]) < 0.2


def test_tracks_are_followed_as_far_as_they_go(rng: np.random.Generator) -> None:
    still = textured(rng)
    followed = crops(film_of([still] * 6, [1, 1, 1, 2, 2, 2]))
    assert [crop.motion is not None for frame in followed for crop in frame.values()] == [
        False, True, True, False, True, True,
    ]  # fmt: skip
    assert [there for there, _ in onward(1, followed, 1, 1, 4)] == [2]
    assert [there for there, _ in onward(1, followed, 1, -1, 4)] == [0]
    assert [there for there, _ in onward(2, followed, 3, 1, 2)] == [4, 5]
    assert all(np.abs(along).max() < 0.02 for _, along in onward(2, followed, 3, 1, 2))


def test_nothing_is_measured_that_nobody_needs(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what several need is measured once."""
    measured: list[int] = []
    monkeypatch.setattr(motion, "flow", lambda start, end: (measured.append(1), flow(start, end))[1])
    frames = film_of([textured(rng)] * 2)
    plain = [CroppedFrame(frame.tracked, tuple(crop_of(crop.source) for crop in frame.crops)) for frame in frames]
    off = list(follow_motion(iter(plain), on=False))
    assert all(before is after for before, after in zip(plain, off, strict=True))
    moving = crops(list(follow_motion(iter(plain))))
    assert measured == []
    for _ in range(2):
        ((_, along),) = onward(1, moving, 1, -1, 1)
        assert along.shape == (SIDE, SIDE, 2)
    assert measured == [1]


class Middle:
    """Stands for the network: the mean of the crop and its neighbours; keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.float32]] = []

    def __call__(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(seen)
        return seen[:15].reshape(5, 3, *seen.shape[1:]).mean(axis=0)


def test_neighbours_are_laid_onto_a_face_that_moves(rng: np.random.Generator) -> None:
    """Their order is the network's; where the film ends, those on the other side are shown twice."""
    face = textured(rng)
    sources = [shifted(face, 2.0 * index, 0) for index in range(5)]
    network = Middle()
    gathered = list(gather(iter(film_of(sources)), network))
    assert [frame.frame.index for frame in gathered] == list(range(5))
    for frame, source in zip(gathered, sources, strict=True):
        (crop,) = frame.crops
        assert crop.source is source
        assert crop.gathered is not None
        assert np.abs(crop.gathered - source)[INSIDE, INSIDE].mean() < 0.02
    pictures = network.seen[0][:15].reshape(5, 3, SIZE, SIZE)
    assert [np.array_equal(picture, pictures[0]) for picture in pictures] == [True, False, False, False, False]
    apart = network.seen[0][15:]
    for offset in (1, 2):
        before, after = OFFSETS.index(-offset), OFFSETS.index(offset)
        assert np.array_equal(pictures[1 + before], pictures[1 + after])
        assert np.array_equal(apart[before], apart[after])
    assert not np.array_equal(pictures[1 + OFFSETS.index(1)], pictures[1 + OFFSETS.index(2)])
    assert reach(on=True).back == reach(on=True).ahead == max(OFFSETS)


def test_gathering_is_left_out_where_it_serves_nobody(rng: np.random.Generator) -> None:
    face = textured(rng)
    (without,) = {crop.gathered is None for frame in gather(iter(film_of([face] * 3)), None) for crop in frame.crops}
    (spared,) = {
        crop.gathered is None
        for frame in gather(iter(film_of([face] * 3, share=0.0)), Middle())
        for crop in frame.crops
    }
    (alone,) = gather(iter(film_of([face])), Middle())
    assert without
    assert spared
    assert alone.crops[0].seen is face


def test_noise_goes_and_what_changes_stays(rng: np.random.Generator) -> None:
    """The network that ships: five noisy crops are one cleaner one; a mouth that opens in one frame stays open."""
    face = portrait()
    opened = face.copy()
    opened[120:170, 100:160] = -0.8
    moments = [opened if index == 2 else face for index in range(5)]
    noisy = [(each + 0.1 * rng.standard_normal(each.shape)).astype(np.float32) for each in moments]
    network = network_over_time("gather", SIZE)
    (middle,) = list(gather(iter(film_of(noisy)), network))[2].crops
    assert middle.gathered is not None
    error, before = (np.abs(picture - opened)[INSIDE, INSIDE] for picture in (middle.gathered, noisy[2]))
    assert error.mean() < 0.8 * before.mean()
    assert np.abs(middle.gathered - opened)[130:160, 110:150].mean() < before.mean()


def test_a_gathered_crop_does_not_depend_on_those_before(rng: np.random.Generator) -> None:
    film = film_of([shifted(textured(rng), index, 0) for index in range(7)])
    network = network_over_time("gather", SIZE)
    whole = [frame.crops[0].seen for frame in gather(iter(film), network)]
    later = [frame.crops[0].seen for frame in gather(iter(film[1:]), network)]
    assert np.array_equal(whole[3], later[2])
    assert np.array_equal(whole[4], later[3])


def generated(source: FloatImage, restored: FloatImage, gathered: FloatImage | None = None) -> GeneratedFrame:
    (frame,) = film_of([source])
    crop = RestoredCrop(replace(frame.crops[0], gathered=gathered), restored, face_mask(len(source)))
    return GeneratedFrame(frame.tracked, (crop,), 0)


def undamaged(frame: GeneratedFrame) -> GeneratedFrame:
    return replace(frame, crops=tuple(replace(crop, crop=replace(crop.crop, damage=0.0)) for crop in frame.crops))


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 0.25), (0.5, 1.0), (1.0, 1.0)])
def test_as_much_is_taken_as_is_believed(shares: tuple[float, float], rng: np.random.Generator) -> None:
    source, gathered, restored = (textured(rng, 64) for _ in range(3))
    confidence = np.broadcast_to(np.array(shares, np.float32)[:, None, None], (2, 64, 64))
    (frame,) = believe(weigh_belief(iter([generated(source, restored, gathered)]), lambda _: confidence))
    wanted = source + shares[0] * (gathered - source) + shares[1] * (restored - gathered)
    assert np.allclose(frame.crops[0].restored, wanted, atol=1e-6)
    (frame, alone) = (
        next(believe(weigh_belief(iter([undamaged(made)]), lambda _: confidence)))
        for made in (generated(source, restored, gathered), generated(source, restored))
    )
    for crop, replaced in ((frame.crops[0], max(shares)), (alone.crops[0], shares[1])):
        assert crop.replaced is not None
        assert np.all(crop.replaced == np.float32(replaced))
    (untouched,) = believe(weigh_belief(iter([generated(source, restored)]), None))
    assert untouched.crops[0].restored is restored


def test_confidence_is_a_share(rng: np.random.Generator) -> None:
    """What the network that ships says lies between what the generator was shown and what it made."""
    source = np.asarray(cv2.GaussianBlur(portrait(), (0, 0), 2.0), np.float32)
    restored = (source + 0.1 * textured(rng)).astype(np.float32)
    (frame,) = believe(weigh_belief(iter([generated(source, restored)]), network_over_time("confidence", SIZE)))
    (crop,) = frame.crops
    low, high = np.minimum(source, restored), np.maximum(source, restored)
    assert np.all(crop.restored >= low - 1e-5)
    assert np.all(crop.restored <= high + 1e-5)
