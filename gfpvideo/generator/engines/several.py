"""Several devices in one machine: each takes its part of every batch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gfpvideo.generator.engines.engine import Engine
from gfpvideo.stages.threads import side_by_side


class SeveralEngines:
    """The same network on several devices; implements :class:`gfpvideo.generator.engines.choose.Engine`.

    A crop's result does not depend on its companions, so it does not depend on how they are dealt out either. Decoding,
    following and encoding stay in one process: a film is read once, however many devices there are.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        """Deal crops out to ``engines``, at least one."""
        self._engines = engines
        self.abilities = engines[0].abilities
        self.name = " + ".join(engine.name for engine in engines)

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch; see :class:`gfpvideo.generator.engines.choose.Engine`."""
        parts = np.array_split(crops, min(len(self._engines), len(crops)))
        runs = [
            lambda engine=engine, part=part: engine(part) for engine, part in zip(self._engines, parts, strict=False)
        ]
        return np.concatenate(side_by_side(runs))
