"""Whether a disk will hold a film, before an hour is spent on it."""

import shutil
from pathlib import Path

from gfpvideo.errors import OutputError
from gfpvideo.media.source import VideoSource

_BITS_PER_PIXEL = 0.15
"""Of H.264 at the default quality, generously."""
_COPIES = 2
"""The segments, and the film that is put together out of them."""


def needed_bytes(film: VideoSource) -> int:
    """About how much room restoring a film takes, segments included."""
    frames, stream = film.expected_frames or 0, film.stream
    picture = frames * stream.width * stream.height * _BITS_PER_PIXEL / 8
    return _COPIES * int(max(picture, film.path.stat().st_size))


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder."""
    return shutil.disk_usage(folder).free


def _readable(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def check_space(target: Path, film: VideoSource) -> None:
    """Refuse a film that the target's disk will probably not hold.

    Raises:
        OutputError: with what is needed and what is free.
    """
    needed, free = needed_bytes(film), free_bytes(target.parent)
    if needed > free:
        raise OutputError(
            f"{target}: about {_readable(needed)} are needed and {_readable(free)} are free; make room, give"
            " another -o, or --no-disk-check"
        )
