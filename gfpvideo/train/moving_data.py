"""Faces of films as the generator sees them there: damaged over time, with what their neighbours know gathered."""

from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from gfpvideo.networks.landmarks import Landmarks
from gfpvideo.networks.over_time import network_over_time
from gfpvideo.train.data import AgedFaces, boxes_in
from gfpvideo.train.gather_data import SIDE, Faces, drawn_window
from gfpvideo.train.options import Moving

Item = tuple[Tensor, Tensor, Tensor]


class MovingFaces(Dataset[Item]):
    """Pairs of what the generator sees and what it should make of it; some are single pictures, the others of films.

    Item ``i`` depends on ``(seed, i)`` alone.
    """

    def __init__(
        self, single: AgedFaces, moving: Faces, options: Moving, network: Landmarks | None, *, seed: int
    ) -> None:
        """Draw from both; ``network`` finds eyes and mouth, if anybody asks where they are."""
        self._single, self._moving, self._options, self._network, self._seed = single, moving, options, network, seed

    def __len__(self) -> int:
        return len(self._single)

    def __getitem__(self, index: int) -> Item:
        """See :meth:`gfpvideo.train.data.AgedFaces.__getitem__`."""
        random = np.random.default_rng((self._seed, index, 1))
        if random.random() >= self._options.share:
            return self._single[index]
        cv2.setNumThreads(0)
        window = drawn_window(self._moving, random)
        alone = random.random() < self._options.alone
        shown = window.seen[:3] if alone else np.clip(self._gather(window.seen), -1, 1)
        boxes = boxes_in(np.rint(window.clean * 127.5 + 127.5).astype(np.uint8), self._network)
        return (
            torch.from_numpy(shown),
            torch.from_numpy(np.ascontiguousarray(window.clean.transpose(2, 0, 1))),
            (torch.from_numpy(boxes.astype(np.float32))),
        )

    @cached_property
    def _gather(self) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        """Made where it runs: in a process of its own."""
        return network_over_time("gather", SIDE)
