"""Limits that no film reaches but a hostile file may: options raise them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a file may ask for."""

    max_side: int = 16_384
    """Widest or highest picture that is decoded."""
    max_streams: int = 256
    """Most streams of a file."""
