"""What FFmpeg says when something fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av.logging


@contextmanager
def ffmpeg_log() -> Iterator[list[Any]]:
    """FFmpeg's error messages within the block: the last one says more than an error code."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as log:
            yield log
    finally:
        av.logging.set_level(before)


def reason(log: list[Any], error: BaseException) -> str:
    """Why something failed: FFmpeg's last message, or the error's own words where it said nothing."""
    return log[-1][2].strip() if log else getattr(error, "strerror", None) or str(error)
