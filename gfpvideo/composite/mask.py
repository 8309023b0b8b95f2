"""Masks that a parsing network finds: what of a restored crop is face."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.regions import border_fade

Parser = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(B, 3, S, S) crops to the (B, S, S) share of face in their pixels."""

_SOFT = 11 / 512
"""Standard deviation, as a share of the crop's side, of a parsed mask's edge."""


def parse(frames: Iterator[GeneratedFrame], parser: Parser | None) -> Iterator[GeneratedFrame]:
    """Stage: restored crops with the masks that ``parser`` finds in them; without one they keep those of any face."""
    if parser is None:
        yield from frames
        return
    for frame in frames:
        yield replace(frame, crops=tuple(_parsed(crop, parser) for crop in frame.crops))


def _parsed(crop: RestoredCrop, parser: Parser) -> RestoredCrop:
    (face,) = parser(np.ascontiguousarray(crop.restored.transpose(2, 0, 1)[None]))
    soft = cv2.GaussianBlur(face, (0, 0), _SOFT * len(face))
    return replace(crop, mask=np.asarray(soft * border_fade(len(face)), np.float32))
