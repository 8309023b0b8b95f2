"""How many frames around a frame a stage looks at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """Frames that a result depends on, besides its own."""

    back: int = 0
    """Frames before."""
    ahead: int = 0
    """Frames after."""

    def __add__(self, other: "Reach") -> "Reach":
        """The reach of two stages, one after the other."""
        return Reach(self.back + other.back, self.ahead + other.ahead)
