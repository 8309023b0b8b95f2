"""The way as a whole: any beginning gives the same frames, reach is what the stages declare, nothing is written to."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gfpvideo import RestoreOptions
from gfpvideo.composite import weigh
from gfpvideo.frames import CroppedFrame, GeneratedFrame, RestoredFrame, TrackedFrame
from gfpvideo.generator import batches
from gfpvideo.generator.batches import generate
from gfpvideo.pixels.patches import patched
from gfpvideo.restoration import way
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import follow, reach, restore_faces
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.run import Run
from gfpvideo.temporal import between, confirm, gather, steady
from quick import QUICK

OPTIONS = RestoreOptions.parse(QUICK | {"end": "1.6"})


@pytest.fixture(scope="module")
def parts() -> Parts:
    return load_parts(OPTIONS)


@pytest.fixture(scope="module")
def tracked(film: Path, parts: Parts) -> list[TrackedFrame]:
    with open_film(film, OPTIONS) as source, Run() as run:
        return list(follow(source.frames(), parts, OPTIONS, run))


def restored(
    tracked: list[TrackedFrame],
    parts: Parts,
    first: int,
    *,
    threads: bool = True,
    options: RestoreOptions = OPTIONS,
    end: int | None = None,
) -> list[RestoredFrame]:
    def near() -> Iterator[TrackedFrame]:
        return iter(tracked[max(0, first - reach(options).back) : end])

    with Run(threads=threads) as run:
        return list(restore_faces(near(), parts, options, run, first))


def samples(frames: list[RestoredFrame]) -> list[bytes]:
    return [b"".join(plane.tobytes() for patch in frame.patches for plane in patch.components) for frame in frames]


def test_reach_is_the_sum_of_what_stages_declare() -> None:
    options = RestoreOptions(steady=3)
    expected = weigh.reach(adapt=True) + gather.reach(on=True) + confirm.reach(on=True)
    expected += batches.reach() + between.reach(between.AUTO) + steady.reach(3)
    assert reach(options) == expected
    assert expected.back > expected.ahead > 3
    alone = RestoreOptions(steady=0, adapt=False, gather=False, every="1")
    assert reach(RestoreOptions(adapt=False)) + confirm.reach(on=True) + Reach(1, 0) == reach(RestoreOptions())
    assert reach(alone) == weigh.reach(adapt=False) + Reach(batches.BLOCK - 1, 0)


@pytest.mark.parametrize("first", [1, 14, 25])
def test_any_beginning_gives_the_same_frames(first: int, tracked: list[TrackedFrame], parts: Parts) -> None:
    """No frame before the declared reach matters, and no more is needed: what going on and VapourSynth rest upon."""
    whole = restored(tracked, parts, 0)
    later = restored(tracked, parts, first, threads=False)
    assert [frame.frame.index for frame in later] == list(range(first, len(tracked)))
    assert samples(later) == samples(whole[first:])
    assert any(samples(later))


@pytest.mark.parametrize("first", [8, 16])
def test_what_is_damage_does_not_depend_on_the_beginning(
    first: int, tracked: list[TrackedFrame], parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no later stage looks farther back; the verdict is made to change with the least change of what is seen."""
    verdicts: list[dict[int, list[float]]] = []

    def noted(frames: Iterator[CroppedFrame]) -> Iterator[CroppedFrame]:
        for frame in frames:
            verdicts[-1][frame.frame.index] = [crop.damage for crop in frame.crops]
            yield frame

    def generated(frames: Iterator[CroppedFrame], *rest: Any) -> Iterator[GeneratedFrame]:
        return generate(noted(frames), *rest)

    monkeypatch.setattr(confirm, "damage", lambda alone, found: 1000 * found % 1)
    monkeypatch.setattr(way, "generate", generated)
    options = OPTIONS.model_copy(update={"steady": 0, "every": "1"})
    for beginning in (0, first):
        verdicts.append({})
        restored(tracked, parts, beginning, threads=False, options=options)
    whole, later = verdicts
    assert later == {index: whole[index] for index in range(first, len(tracked))}
    assert len({tuple(each) for each in later.values()}) == len(later)


@pytest.mark.slow
def test_any_beginning_gives_the_same_whole_pictures(tracked: list[TrackedFrame], parts: Parts) -> None:
    """Those of a film whose pictures are gathered: the reach is the sum, and enough, before and after."""
    options = OPTIONS.model_copy(update={"around": "picture"})
    more = Reach(2, 2)
    assert reach(options) == reach(OPTIONS) + more
    gathering = dataclasses.replace(parts, scene=mean)
    whole = restored(tracked, gathering, 0, options=options, end=24)
    assert all(frame.whole and frame.source is item.frame for frame, item in zip(whole, tracked, strict=False))
    later = restored(tracked, gathering, 5, threads=False, options=options, end=24)
    few = restored(tracked, gathering, 0, options=options, end=6 + reach(options).ahead)
    for one, other in [*zip(later, whole[5:], strict=True), *zip(few[:6], whole, strict=False)]:
        for plane, same in zip(patched(one), patched(other), strict=True):
            assert np.array_equal(plane, same)
    faces = restored(tracked, parts, 0, end=24)
    assert [frame.touched for frame in faces] == [frame.touched for frame in whole]


def mean(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """A quick network that gathers."""
    return seen[:15].reshape(5, 3, *seen.shape[1:]).mean(axis=0)


def test_a_frame_stays_as_it_was_decoded(tracked: list[TrackedFrame], parts: Parts) -> None:
    frame = tracked[5].frame
    before = [plane.copy() for plane in frame.components]
    restored(tracked, parts, 0)
    assert all(np.array_equal(a, b) for a, b in zip(frame.components, before, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        frame.components[0][0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.index = 3  # type: ignore[misc]  # that is the point
