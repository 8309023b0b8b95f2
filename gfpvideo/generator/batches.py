"""Stage: run the generator on the crops of several frames together, and on no crop twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame, GeneratedFrame, RestoredCrop
from gfpvideo.generator.generator import Generator
from gfpvideo.pixels.mix import picture_of, planes_of
from gfpvideo.pixels.regions import face_mask
from gfpvideo.stages.reach import Reach

BLOCK = 8
"""Frames, counted from the film's beginning, within which restorations are used again: so that going on after an
interruption finds the same ones."""
_BATCH_FRAMES = 16
"""Frames held back at most while a batch of crops fills."""

Pixels = NDArray[np.float32]


def reach() -> Reach:
    """Frames around one that its restoration depends on: those of its block, whose restorations may serve it."""
    return Reach(back=BLOCK - 1)


def first_of_block(index: int) -> int:
    """The first frame of the block that a frame belongs to."""
    return index // BLOCK * BLOCK


def generate(
    frames: Iterator[CroppedFrame], generator: Generator, batch: int, reuse: float
) -> Iterator[GeneratedFrame]:
    """Stage: restore crops, at most ``batch`` at once.

    A crop that differs nowhere by more than ``reuse`` from one of its track that was restored shortly before (a frame
    that was doubled, a still) gets that restoration.

    Args:
        frames: frames with their crops.
        generator: restores the crops whose share is not 0, but for those that wait for their neighbours'.
        batch: most crops that go through the generator together.
        reuse: difference in grey levels of 255 that is none.
    """
    waiting: list[CroppedFrame] = []
    known = _Known(reuse / 127.5 if generator.abilities.reuse else None)
    for frame in frames:
        waiting.append(frame)
        needed = known.plan(frame)
        if needed >= batch or len(waiting) >= _BATCH_FRAMES or not needed:
            yield from known.restored(waiting, generator, batch)
            waiting.clear()
    yield from known.restored(waiting, generator, batch)


@dataclass
class _Anchor:
    """A crop that goes through the generator."""

    frame: int
    crop: Crop
    restored: Pixels | None = None


class _Known:
    """Restorations that may serve again."""

    def __init__(self, tolerance: float | None) -> None:
        self._tolerance = tolerance
        self._latest: dict[int, _Anchor] = {}
        self._planned: list[_Anchor] = []
        self._serving: dict[tuple[int, int], _Anchor] = {}
        """For each frame and track that waits, the crop whose restoration it gets."""

    def plan(self, frame: CroppedFrame) -> int:
        """Find out which crops of a frame must go through the generator; how many wait for it now."""
        for crop in frame.crops:
            if not crop.share:
                continue
            track, index = crop.face.track, frame.frame.index
            latest = self._serves(crop, index)
            if latest is None and crop.between is None:
                latest = self._latest[track] = _Anchor(index, crop)
                self._planned.append(latest)
            if latest is not None:
                self._serving[index, track] = latest
        return len(self._planned)

    def _serves(self, crop: Crop, index: int) -> _Anchor | None:
        """The crop of the same block that this one equals."""
        latest = self._latest.get(crop.face.track)
        if latest is None or self._tolerance is None or index // BLOCK != latest.frame // BLOCK:
            return None
        return latest if np.abs(crop.source - latest.crop.source).max() <= self._tolerance else None

    def restored(self, frames: list[CroppedFrame], generator: Generator, batch: int) -> Iterator[GeneratedFrame]:
        """The frames with what the generator makes of their crops."""
        for anchors in _evenly(self._planned, batch):
            results = generator(np.stack([planes_of(anchor.crop.seen) for anchor in anchors]))
            for anchor, result in zip(anchors, results, strict=True):
                anchor.restored = picture_of(result)
        self._planned.clear()
        for frame in frames:
            found = tuple(made for crop in frame.crops if (made := self._made(crop, frame.frame.index)) is not None)
            done = {made.track for made in found}
            waiting = tuple(crop for crop in frame.crops if crop.between is not None and crop.face.track not in done)
            spared = len(frame.crops) - len(found) - len(waiting)
            yield GeneratedFrame(frame.tracked, found, spared, sum(crop.hopeless for crop in frame.crops), waiting)
        self._latest = {
            track: anchor for track, anchor in self._latest.items()
            if frames and anchor.frame // BLOCK == frames[-1].frame.index // BLOCK
        }  # fmt: skip

    def _made(self, crop: Crop, index: int) -> RestoredCrop | None:
        anchor = self._serving.pop((index, crop.face.track), None)
        if anchor is None or anchor.restored is None:
            return None
        shown = crop if anchor.crop is crop else replace(crop, gathered=anchor.crop.gathered)
        return RestoredCrop(shown, anchor.restored, face_mask(len(crop.source)))


def _evenly(anchors: Sequence[_Anchor], most: int) -> Iterator[Sequence[_Anchor]]:
    """As few batches of at most ``most`` as will do, of about the same length: 9 of at most 8 are 5 and 4."""
    count = -(-len(anchors) // most)
    ends = [len(anchors) * number // max(1, count) for number in range(count + 1)]
    return (anchors[start:end] for start, end in pairwise(ends))
