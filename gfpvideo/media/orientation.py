"""How a player turns stored pixels into the picture that a viewer sees: pixel aspect, rotation, mirroring."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_FIXED_POINT = 1 << 16
"""Display matrices hold 16.16 fixed-point numbers."""


Sample = TypeVar("Sample", bound=np.generic)

Turn = tuple[tuple[int, int], tuple[int, int]]
"""2x2 signed permutation matrix from stored to displayed directions."""
NO_TURN: Turn = ((1, 0), (0, 1))


@dataclass(frozen=True)
class Orientation:
    """Storage size, pixel aspect ratio and a quarter-turn or mirroring; maps storage to display coordinates."""

    width: int
    height: int
    aspect: Fraction = Fraction(1)
    """Width of a stored pixel over its height."""
    turn: Turn = NO_TURN
    """Quarter-turn, mirroring, or both."""

    @property
    def swaps_axes(self) -> bool:
        """Whether stored rows become displayed columns."""
        return self.turn[0][0] == 0

    @property
    def display_size(self) -> tuple[float, float]:
        """Width and height of the displayed picture in square pixels."""
        width, height = float(self.width * self.aspect), float(self.height)
        return (height, width) if self.swaps_axes else (width, height)

    def to_display(self) -> NDArray[np.float64]:
        """(2, 3) affine map from storage to display coordinates (centres of pixels at whole numbers)."""
        linear = np.array(self.turn, float) @ np.diag([float(self.aspect), 1.0])
        corners = np.array([[0, 0], [self.width, 0], [0, self.height], [self.width, self.height]]) @ linear.T
        shift = linear @ [0.5, 0.5] - corners.min(axis=0) - 0.5
        return np.column_stack([linear, shift])

    def upright(self, picture: NDArray[Sample]) -> NDArray[Sample]:
        """Turn a stored picture, (H, W) or (H, W, C), as a player would."""
        if self.swaps_axes:
            picture = picture.swapaxes(0, 1)
        (a, b), (c, d) = self.turn
        return np.ascontiguousarray(picture[:: c + d, :: a + b])


def turn_of(display_matrix: tuple[int, ...]) -> Turn | None:
    """The quarter-turn or mirroring of a display matrix (nine 16.16 numbers), or ``None`` if it is another angle."""
    a, b, _, c, d, _, *_ = display_matrix
    linear = np.array([[a, c], [b, d]]) / _FIXED_POINT
    rounded = np.rint(linear).astype(int)
    if not np.allclose(linear, rounded, atol=1e-3) or abs(np.linalg.det(rounded)) != 1 or np.abs(rounded).sum() != 2:
        return None
    (p, q), (r, s) = rounded.tolist()
    return (p, q), (r, s)


EXIF_TURNS: dict[int, Turn] = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}
"""The same for the eight values of EXIF's orientation tag."""
