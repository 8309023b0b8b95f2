"""The stage that runs the generator: in batches of any size, and on no crop twice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gfpvideo.frames import CroppedFrame, Samples
from gfpvideo.generator.batches import BLOCK, generate
from gfpvideo.networks.abilities import Abilities
from helpers import crop_of, cropped_frame, frame_of

SIDE = 8


class Negative:
    """Stands for a generator; counts what goes through it."""

    size = SIDE

    def __init__(self, *, reuse: bool = True) -> None:
        self.abilities = Abilities(SIDE, reuse=reuse)
        self.batches: list[int] = []

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        return -crops


def film(levels: list[float], track: int = 1, share: float = 1.0) -> list[CroppedFrame]:
    """Frames with a flat crop each, of these grey levels of 255."""
    frames = []
    for index, level in enumerate(levels):
        frame = frame_of([np.zeros((4, 4), np.uint8)], Samples("gray", 8), index)
        source = np.full((SIDE, SIDE, 3), level / 127.5 - 1, np.float32)
        frames.append(cropped_frame(frame, crop_of(source, track, share=share)))
    return frames


def run(levels: list[float], batch: int = 4, reuse: float = 0.5) -> tuple[list[float], list[int]]:
    """Grey levels whose restoration each frame got, and how many crops went through the generator at a time."""
    network: Any = Negative()
    done = list(generate(iter(film(levels)), network, batch, reuse))
    assert [frame.frame.index for frame in done] == list(range(len(levels)))
    restored: list[Any] = [frame.crops[0].restored for frame in done]
    return [round(float((1 - crop.mean()) * 127.5), 3) for crop in restored], network.batches


def test_what_moves_is_restored_each_time() -> None:
    levels = [10.0 * index for index in range(10)]
    assert run(levels) == (levels, [4, 4, 2])


def test_a_doubled_frame_takes_the_restoration_of_the_first() -> None:
    assert run([10, 10, 90, 90.4, 91, 10]) == ([10, 10, 90, 90, 91, 10], [4])
    assert run([10, 10, 10.1], reuse=0.0)[0] == pytest.approx([10, 10, 10.1])
    assert sum(run([10, 10, 10.1], reuse=0.0)[1]) == 2


def test_what_creeps_does_not_stay_behind() -> None:
    """Each is compared with the crop that was restored, not with its neighbour."""
    given, found = [10 + 0.3 * index for index in range(BLOCK)], run([10 + 0.3 * index for index in range(BLOCK)])[0]
    assert max(abs(one - other) for one, other in zip(given, found, strict=True)) <= 0.5
    assert len(set(found)) == BLOCK // 2


def test_nothing_is_used_again_beyond_its_block() -> None:
    """So an interrupted restoration, which begins with a block, goes on with the same ones."""
    assert sum(run([10.0] * (3 * BLOCK))[1]) == 3


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_the_size_of_a_batch_changes_nothing(batch: int) -> None:
    levels = np.random.default_rng(2).integers(0, 4, 50).astype(float).tolist()
    assert run(levels, batch)[0] == run(levels, 4)[0]
    assert max(run(levels, batch)[1]) <= batch


def test_faces_that_get_nothing_do_not_run() -> None:
    network: Any = Negative()
    done = list(generate(iter(film([10, 20], share=0.0)), network, 4, 0.5))
    assert [(frame.crops, frame.spared) for frame in done] == [((), 1), ((), 1)]
    assert network.batches == []


def test_a_network_that_makes_no_two_alike_runs_each_time() -> None:
    network: Any = Negative(reuse=False)
    assert len(list(generate(iter(film([10, 10, 10])), network, 4, 0.5))) == 3
    assert network.batches == [3]


def test_batches_are_about_as_long_as_each_other() -> None:
    """A ninth crop does not run by itself."""
    frame = film([0])[0]
    crops = tuple(crop_of(np.full((SIDE, SIDE, 3), track / 10, np.float32), track) for track in range(1, 10))
    network: Any = Negative()
    (done,) = generate(iter([replace(frame, crops=crops)]), network, 8, 0.5)
    assert network.batches == [4, 5]
    assert [round(float(-crop.restored.mean()), 3) for crop in done.crops] == [track / 10 for track in range(1, 10)]
