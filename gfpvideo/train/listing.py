"""Which pictures of a folder are learnt from, and names for what is kept of them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from gfpvideo.errors import InputError, OptionError
from gfpvideo.media.still import PICTURE_SUFFIXES
from gfpvideo.train.table import Numbers

Item = TypeVar("Item")


def pictures_in(folder: Path) -> list[Path]:
    """Pictures of a folder, sorted by name.

    Raises:
        InputError: if there is no such folder.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror or error})") from None


def by_number(name: str) -> tuple[int, str]:
    """What names of files are sorted by where some are taken: their numbers, where they are numbers."""
    stem = Path(name).stem
    return (int(stem) if stem.isdigit() else 0, name)


def taken(items: Sequence[Item], numbers: Numbers, folder: Path) -> Sequence[Item]:
    """The items from the first number to the last, counted from 1.

    Raises:
        OptionError: if there are fewer.
    """
    first, last = numbers
    if last > len(items):
        raise OptionError(f"{folder}: pictures {first} to {last} are asked for, and there are {len(items)}")
    return items[first - 1 : last]


def key_of(*parts: object) -> str:
    """A few letters that differ where one of the parts does: what is kept of other pictures is not taken for these."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
