"""Transfer curves: between PQ code values (HDR10) and values that look right on an ordinary screen.

The generator was trained on display-referred pictures. A PQ face handed over as it is would look grey and flat to it,
so face crops are mapped by an invertible curve on the way in and back on the way out.
"""

import numpy as np
from numpy.typing import NDArray

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_REFERENCE_WHITE = 203.0
"""Candela per square metre of diffuse white (ITU-R BT.2408)."""
_PEAK = 10000.0
_GAMMA = 2.4
_KNEE = 4.0
"""Highlights up to this many times diffuse white keep their gradation (an extended Reinhard curve)."""


def pq_to_display(code: NDArray[np.floating]) -> NDArray[np.float32]:
    """PQ code values in [0, 1] to display values; diffuse white comes out near 0.8, ``_KNEE`` times it at 1."""
    power = np.power(np.clip(code, 0.0, 1.0), 1 / _M2)
    light = np.power(np.maximum(power - _C1, 0.0) / (_C2 - _C3 * power), 1 / _M1) * (_PEAK / _REFERENCE_WHITE)
    mapped = light * (1 + light / _KNEE**2) / (1 + light)
    return np.power(mapped, 1 / _GAMMA).astype(np.float32)


def display_to_pq(value: NDArray[np.floating]) -> NDArray[np.float32]:
    """The inverse of :func:`pq_to_display`; negative values become black."""
    mapped = np.power(np.maximum(value, 0.0), _GAMMA)
    half = _KNEE**2 * (1 - mapped) / 2
    light = np.sqrt(half**2 + _KNEE**2 * mapped) - half
    power = np.power(np.clip(light * (_REFERENCE_WHITE / _PEAK), 0.0, 1.0), _M1)
    return np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2).astype(np.float32)


PQ_THUMBNAIL: NDArray[np.uint8] = np.rint(
    255 * np.clip(pq_to_display(np.arange(256, dtype=np.float32) / 255), 0, 1)
).astype(np.uint8)
"""Lookup table that makes an 8-bit PQ picture look ordinary to a detector."""
