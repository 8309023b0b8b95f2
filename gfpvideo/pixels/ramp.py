"""A smooth step: how weights, masks and shares change from none to all."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", NDArray[np.float32], NDArray[np.floating], float)


def ramp(values: Values, low: float, high: float) -> Values:
    """0 up to ``low``, 1 from ``high``, smooth between: a cubic, flat at both ends; of the values' shape and type."""
    place: Any = np.clip((values - low) / (high - low), 0.0, 1.0)
    return place * place * (3 - 2 * place)
