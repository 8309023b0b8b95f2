"""Which part of a restored crop goes into the picture: the face's own outline, or what a parsing network finds."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import GeneratedFrame, RestoredCrop, Shape
from gfpvideo.networks.landmarks import OUTLINE
from gfpvideo.options.restore import Mask
from gfpvideo.pixels.regions import border_fade

Parser = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(B, 3, S, S) crops to the (B, S, S) share of face in their pixels."""

_SOFT = 11 / 512
"""Standard deviation, as a share of the crop's side, of a parsed mask's edge."""
_WIDER = 1.25
"""How much larger than the outline the restored region is: its soft edge lies outside the face."""
_EDGE = 26 / 512
"""Standard deviation, as a share of the crop's side, of the edge around an outline."""
_SHIFT = 4
"""Fractional bits of the polygon's corners."""


def mask(frames: Iterator[GeneratedFrame], kind: Mask, parser: Parser | None) -> Iterator[GeneratedFrame]:
    """Stage: restored crops with masks of their own; they come with one that is the same for any face.

    Args:
        frames: frames with restored crops.
        kind: what masks are made of; where a crop's outline is not known, it keeps the mask that it has.
        parser: what tells face from everything else, for ``parsing``.
    """
    for frame in frames:
        yield replace(frame, crops=tuple(_masked(crop, kind, parser) for crop in frame.crops))


def _masked(crop: RestoredCrop, kind: Mask, parser: Parser | None) -> RestoredCrop:
    if kind == "parsing" and parser is not None:
        return _parsed(crop, parser)
    if kind == "outline" and crop.crop.shape is not None:
        return replace(crop, mask=outlined(crop.crop.shape, len(crop.restored)))
    return crop


def _parsed(crop: RestoredCrop, parser: Parser) -> RestoredCrop:
    (face,) = parser(np.ascontiguousarray(crop.restored.transpose(2, 0, 1)[None]))
    soft = cv2.GaussianBlur(face, (0, 0), _SOFT * len(face))
    return replace(crop, mask=np.asarray(soft * border_fade(len(face)), np.float32))


def outlined(shape: Shape, size: int) -> NDArray[np.float32]:
    """(S, S) weights that are 1 in the face, from the brow's top to the chin, and fall softly outside its outline."""
    outline = shape.points[OUTLINE]
    middle = outline.mean(axis=0)
    corners = np.round((middle + _WIDER * (outline - middle)) * 2**_SHIFT).astype(np.int32)
    filled = np.zeros((size, size), np.float32)
    cv2.fillPoly(filled, [corners], 1.0, cv2.LINE_8, _SHIFT)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), _EDGE * size) * border_fade(size), np.float32)
