"""Presentation timestamps: keep them exactly, repair only what no container could hold."""

from fractions import Fraction


class TimestampRepair:
    """Makes timestamps strictly increasing; leaves every good one as it is and counts the others."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        """Take the stream's ``time_base`` and its nominal frame ``rate`` (25 if unknown)."""
        self._step = max(1, round(1 / ((rate or 25) * time_base)))
        self._last: int | None = None
        self.repaired = 0
        """How many timestamps were missing, equal to the one before, or went backwards."""

    def __call__(self, pts: int | None) -> int:
        """The timestamp to use for a frame that came with ``pts``."""
        usable = pts is not None and (self._last is None or pts > self._last)
        if not usable:
            self.repaired += 1
            pts = 0 if self._last is None else self._last + self._step
        assert pts is not None
        self._last = pts
        return pts
