"""Whole pictures are gathered: noise goes, nothing comes from another shot or place, and faces lie in what is there."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gfpvideo.composite.paste import pasted
from gfpvideo.frames import Frame, GeneratedFrame, Samples, TrackedFrame
from gfpvideo.networks.over_time import network_of_pictures, network_over_time
from gfpvideo.pixels.color import Components, FloatImage, add_rgb, read_rgb
from gfpvideo.pixels.patches import patched
from gfpvideo.temporal import picture
from gfpvideo.temporal.believe import Judge
from gfpvideo.temporal.gather import Gatherer
from gfpvideo.temporal.picture import bands, gather_picture
from helpers import assert_same, frame_of, psnr, restored_crop
from moving import textured

HEIGHT, WIDTH = 96, 128
RGB = Samples("rgb", 8, full_range=True)
GRAIN = 12 / 255


@pytest.fixture(scope="module")
def network() -> Gatherer:
    return network_of_pictures("gather", exact=True)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return network_of_pictures("confidence", exact=True)


def mean(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """A network that is plain to see through: the mean of a picture and its four neighbours."""
    return seen[:15].reshape(5, 3, *seen.shape[1:]).mean(axis=0)


def repaint(frame: Frame, planes: Components) -> Frame:
    return replace(frame, components=tuple(planes))


def scene(rng: np.random.Generator) -> FloatImage:
    """(H, W, 3) in [0, 1]: detail of all sizes."""
    return np.asarray(0.5 + 0.3 * textured(rng, WIDTH)[:HEIGHT], np.float32)


def noisy(clean: FloatImage, rng: np.random.Generator, deviation: float = GRAIN) -> FloatImage:
    return np.asarray(clean + deviation * rng.standard_normal(clean.shape), np.float32)


def added(pictures: Sequence[FloatImage], grain: Sequence[FloatImage]) -> list[FloatImage]:
    return [np.asarray(one + other, np.float32) for one, other in zip(pictures, grain, strict=True)]


def frames_of(
    pictures: Sequence[FloatImage], cuts: Sequence[int] = (0,), samples: Samples = RGB
) -> Iterator[GeneratedFrame]:
    for index, rgb in enumerate(pictures):
        frame = frame_of(planes_like(rgb, samples), samples, index)
        yield GeneratedFrame(TrackedFrame(frame, (), cut=index in cuts), (), 0)


def planes_like(rgb: FloatImage, samples: Samples) -> list[NDArray[np.integer]]:
    """A picture in a format: what has to be added to black."""
    kind, (x, y) = np.uint8 if samples.bits == 8 else np.uint16, samples.subsampling
    height, width = rgb.shape[:2]
    sizes = [(height, width), *([(-(-height // y), -(-width // x))] * (0 if samples.family == "gray" else 2))]
    planes: list[NDArray[np.integer]] = [np.zeros(size, kind) for size in sizes]
    if samples.family != "rgb":
        planes[0] += kind(0 if samples.full_range else 16 << (samples.bits - 8))
        planes[1:] = [plane + kind(1 << (samples.bits - 1)) for plane in planes[1:]]
    add_rgb(planes, samples, picture.Rect(0, 0, width, height), rgb)
    return planes


def shown(frame: GeneratedFrame) -> FloatImage:
    """(H, W, 3) RGB in [0, 1]."""
    return read_rgb(frame.frame.components, frame.frame.samples, picture.Rect(0, 0, *frame.frame.size))


@pytest.mark.parametrize(
    "samples",
    [
        RGB,
        Samples("yuv", 8, subsampling=(2, 2), siting=(0.0, 0.5)),
        Samples("yuv", 10, subsampling=(2, 1), full_range=True),
        Samples("gray", 8),
    ],
    ids=["rgb", "420", "422 10 bits", "gray"],
)
def test_grain_goes_from_a_still_scene(samples: Samples, network: Gatherer, rng: np.random.Generator) -> None:
    """Odd sides as well; the first and last frame, with fewer neighbours, win less."""
    clean = scene(rng)[:-1, :-1]
    clean = clean if samples.family != "gray" else np.repeat(clean.mean(axis=2, keepdims=True), 3, axis=2)
    before = list(frames_of([noisy(clean, rng) for _ in range(5)], samples=samples))
    after = list(gather_picture(iter(before), network, None, repaint))
    won = [psnr(shown(new), clean, 1.0) - psnr(shown(old), clean, 1.0) for old, new in zip(before, after, strict=True)]
    assert min(won) > 2.5
    assert won[2] > 3.5
    assert [item.decoded for item in after] == [item.frame for item in before]
    assert [item.frame.index for item in after] == list(range(5))


def test_a_cut_is_not_crossed(network: Gatherer, rng: np.random.Generator) -> None:
    """The same place under other light: whoever looked across would find a neighbour that fits."""
    clean = scene(rng)
    pictures = [noisy(clean, rng) for _ in range(3)] + [noisy(clean + 0.004, rng) for _ in range(3)]
    joint = list(gather_picture(frames_of(pictures, cuts=[0, 3]), network, None, repaint))
    alone = list(gather_picture(frames_of(pictures[:3]), network, None, repaint))
    alone += list(gather_picture(frames_of(pictures[3:]), network, None, repaint))
    for one, other in zip(joint, alone, strict=True):
        assert_same(shown(one), shown(other), "alike")
    uncut = list(gather_picture(frames_of(pictures), network, None, repaint))
    assert not np.array_equal(shown(uncut[2]), shown(joint[2]))  # it could be seen


def test_what_moves_leaves_no_ghost(network: Gatherer, judge: Judge, rng: np.random.Generator) -> None:
    """A ball that flies by: where it is not, the picture is the one that there is without it."""
    behind = np.asarray(cv2.GaussianBlur(scene(rng), (0, 0), 1.2), np.float32)
    grain = [noisy(np.zeros_like(behind), rng, 4 / 255) for _ in range(5)]
    places = [(20 + 22 * time, 48) for time in range(5)]
    yellow, filled = (0.95, 0.9, 0.2), cv2.FILLED
    ball = [np.asarray(cv2.circle(behind.copy(), place, 9, yellow, filled), np.float32) for place in places]
    here = cv2.circle(np.zeros(behind.shape[:2], np.uint8), places[2], 13, 1, cv2.FILLED)
    trail = np.zeros(behind.shape[:2], np.uint8)
    for place in (*places[:2], *places[3:]):
        cv2.circle(trail, place, 9, 1, cv2.FILLED)
    for who in (None, judge):
        flown, bare = (
            shown(list(gather_picture(frames_of(film), network, who, repaint))[2])
            for film in (added(ball, grain), added([behind] * 5, grain))
        )
        ghost = np.asarray(np.abs(flown - bare).mean(axis=2), np.float32)
        assert np.abs(ball[0] - behind).mean(axis=2)[trail > 0].max() > 0.2
        assert ghost[(trail > 0) & (here == 0)].mean() < 2 / 255
        assert cv2.blur(ghost, (5, 5))[(trail > 0) & (here == 0)].max() < 6 / 255


def test_a_pan_is_not_smeared(network: Gatherer, rng: np.random.Generator) -> None:
    """The picture moves as a whole: what it shows is laid upon itself."""
    wide = np.asarray(0.5 + 0.3 * textured(rng, 2 * WIDTH), np.float32)
    clean = [np.ascontiguousarray(wide[:HEIGHT, 7 * time : 7 * time + WIDTH]) for time in range(5)]
    frames = list(frames_of([noisy(each, rng) for each in clean]))
    middle = list(gather_picture(iter(frames), network, None, repaint))[2]
    assert psnr(shown(middle), clean[2], 1.0) > psnr(shown(frames[2]), clean[2], 1.0) + 2.5


def test_what_is_flat_stays(network: Gatherer, judge: Judge) -> None:
    """To a level, up to its edges: where the change rounds to nothing, samples keep their values."""
    samples = Samples("yuv", 8, subsampling=(2, 2), siting=(0.0, 0.5))
    for level in (0.0, 0.4, 1.0):
        before = list(frames_of([np.full((HEIGHT, WIDTH, 3), level, np.float32)] * 3, samples=samples))
        for old, new in zip(before, gather_picture(iter(before), network, judge, repaint), strict=True):
            for one, other in zip(old.frame.components, new.frame.components, strict=True):
                assert np.abs(one.astype(int) - other).max() <= 1
                assert np.mean(one == other) > 0.5


@pytest.mark.parametrize("cuts", [[0], [0, 1, 2]])
def test_a_picture_without_neighbours_stays(cuts: list[int], rng: np.random.Generator) -> None:
    before = list(frames_of([noisy(scene(rng), rng)] * len(cuts), cuts=cuts))
    after = list(gather_picture(iter(before), mean, None, repaint))
    assert all(one is other for one, other in zip(before, after, strict=True))


def test_strength_reaches_the_whole_picture(rng: np.random.Generator) -> None:
    before = list(frames_of([noisy(scene(rng), rng) for _ in range(5)]))
    assert list(gather_picture(iter(before), mean, None, repaint, 0.0)) == before
    whole, half = (list(gather_picture(iter(before), mean, None, repaint, strength)) for strength in (1.0, 0.5))
    changes = [shown(each[2]).astype(float) - shown(before[2]) for each in (whole, half)]
    assert np.abs(changes[0]).max() > 0
    assert np.abs(changes[0] / 2 - changes[1]).max() <= 1 / 255


def test_without_a_network_frames_are_handed_on(rng: np.random.Generator) -> None:
    before = list(frames_of([scene(rng)] * 3))
    assert list(gather_picture(iter(before), None, None, repaint)) == before


@pytest.mark.parametrize("size", [(8, 12), (17, 31), (200, 330)])
def test_any_size_is_taken(size: tuple[int, int], rng: np.random.Generator) -> None:
    """Of what is tiny nothing can be followed; of what is large the flow is measured at half of the size."""
    clean = np.asarray(cv2.resize(scene(rng), size[::-1]), np.float32)
    before = list(frames_of([noisy(clean, rng) for _ in range(5)]))
    (*_, middle, _, _) = gather_picture(iter(before), mean, None, repaint)
    better = psnr(shown(middle), clean, 1.0) - psnr(shown(before[2]), clean, 1.0)
    assert better > 3.0 if min(size) > 16 else better == 0


@pytest.mark.parametrize("size", [(480, 640), (96, 128), (1080, 1920), (2160, 3840), (820, 1284), (5000, 300)])
def test_bands_hold_each_row_once_and_see_beyond(size: tuple[int, int]) -> None:
    found = list(bands(*size))
    assert [keep.start for _, keep in found[1:]] == [keep.stop for _, keep in found[:-1]]
    assert (found[0][1].start, found[-1][1].stop) == (0, size[0])
    assert len({see.stop - see.start for see, _ in found}) == 1
    for see, keep in found:
        assert see.start % 4 == 0
        assert see.start == 0 or keep.start - see.start >= 44
        assert see.stop in (size[0], keep.stop + 44)


def test_bands_leave_no_seam(
    network: Gatherer, judge: Judge, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = np.asarray(cv2.resize(scene(rng), (64, 330)), np.float32)  # with its borders 80 by 348
    before = list(frames_of([noisy(clean, rng) for _ in range(3)]))
    whole = [shown(frame) for frame in gather_picture(iter(before), network, judge, repaint)]
    monkeypatch.setattr(picture, "_AREA", 80 * 176)
    assert len(list(bands(348, 80))) == 3
    for one, other in zip(gather_picture(iter(before), network, judge, repaint), whole, strict=True):
        assert_same(shown(one), other, "in another order")


@pytest.mark.parametrize("name", ["gather", "confidence"])
def test_networks_of_pictures_are_those_of_crops(name: str, rng: np.random.Generator) -> None:
    seen = rng.uniform(-1, 1, (19 if name == "gather" else 9, 256, 256)).astype(np.float32)
    expected = network_over_time(name, 256, exact=True)(seen)
    assert_same(network_of_pictures(name, exact=True)(seen), expected, "in another order")


def test_hard_edges_get_no_halo(network: Gatherer, rng: np.random.Generator) -> None:
    """The network by itself overshoots beside them, for it has learnt from soft films."""
    clean = np.full((HEIGHT, WIDTH, 3), 0.75, np.float32)
    clean[24:72, 32:96] = (0.15, 0.3, 0.55)
    frames = list(frames_of([noisy(clean, rng, 0.5 / 255) for _ in range(5)]))
    middle = shown(list(gather_picture(iter(frames), network, None, repaint))[2])
    assert middle.max() < 0.75 + 3 / 255
    inside = middle[24:72, 32:96]
    assert np.abs(inside - clean[24:72, 32:96])[2:-2, 2:-2].max() < 3 / 255


def test_what_is_good_is_left_where_a_judge_looks(network: Gatherer, judge: Judge, rng: np.random.Generator) -> None:
    """Belief is careful: a clean scene keeps more of itself, a grainy one loses its grain all the same."""
    clean = scene(rng)
    for deviation, least in ((0.0, 36.0), (GRAIN, 30.0)):
        before = list(frames_of([noisy(clean, rng, deviation) for _ in range(5)]))
        bold = list(gather_picture(iter(before), network, None, repaint))[2]
        careful = list(gather_picture(iter(before), network, judge, repaint))[2]
        assert psnr(shown(careful), shown(before[2]), 1.0) > psnr(shown(bold), shown(before[2]), 1.0)
        assert psnr(shown(careful), clean, 1.0) > least


def test_a_face_lies_in_the_gathered_picture(rng: np.random.Generator) -> None:
    """Its mask says how much of each is seen; the grain that is gone already is not taken away once more."""
    clean = np.full((64, 64, 3), 0.4, np.float32)
    before = list(frames_of([noisy(clean, rng) for _ in range(5)]))
    made = np.full((64, 64, 3), 0.2, np.float32)  # in [-1, 1]: 0.6
    source = np.asarray(shown(before[2]) * 2 - 1, np.float32)
    face = restored_crop(source, made)
    before[2] = replace(before[2], crops=(face,))
    middle = list(gather_picture(iter(before), mean, None, repaint))[2]
    gathered = shown(middle)
    done = pasted(middle, 1.0, "model")
    assert done.source is before[2].frame
    assert done.whole
    found = read_rgb(patched(done), RGB, picture.Rect(0, 0, 64, 64))
    expected = gathered + face.mask[..., None] * (np.float32(0.6) - gathered)
    assert np.abs(found - expected).max() < 1.1 / 255
    assert psnr(gathered, clean, 1.0) > psnr(shown(before[2]), clean, 1.0) + 5
