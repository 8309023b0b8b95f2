"""What a network can do, as data: engines and stages read it, and nobody asks for a network's name."""

from dataclasses import dataclass

SPAN = (-1.0, 1.0)
"""Range of the values that engines take and give."""
SPANDREL = ("spandrel", "spandrel_extra_arches")
"""Packages of networks by other makers."""


@dataclass(frozen=True)
class Abilities:
    """What a restorer of faces can do."""

    size: int
    """Side of a crop in pixels."""
    window: int = 1
    """Frames' crops that it sees at a time."""
    reuse: bool = True
    """Whether an equal crop has an equal restoration, so that one may serve again."""
    precisions: tuple[str, ...] = ("fp32", "bf16", "fp16")
    """Kinds of arithmetic in which it computes what it should, whatever the device."""
    span: tuple[float, float] = SPAN
    """Range of the values that the network itself takes and gives."""
    libraries: tuple[str, ...] = ()
    """Packages, beside those that every restoration uses, whose version may change what it makes."""
