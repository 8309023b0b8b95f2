"""What an engine is: a network, compiled for a device and a precision."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """A network, compiled for a device and a precision."""

    name: str
    """Engine, device and precision, for the summary."""
    size: int
    """Side of a crop in pixels."""

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """(B, 3, S, S) float32 in, the same out; a crop's result does not depend on its companions."""
        ...
