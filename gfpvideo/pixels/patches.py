"""Patches laid over the frames that they belong to, as samples and as small pictures for people."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Rect, RestoredFrame
from gfpvideo.pixels.color import Components, component_slices, read_rgb, to_bytes
from gfpvideo.pixels.geometry import Affine, compose, resample


def lay_over(restored: RestoredFrame, planes: Components) -> None:
    """Write the patches of a frame into ``planes``, writable arrays laid out as the frame's components."""
    for patch in restored.patches:
        for index, samples in enumerate(patch.components):
            planes[index][component_slices(patch.rect, restored.frame.samples, index)] = samples


def patched(restored: RestoredFrame) -> Components:
    """The samples of a frame with its patches laid over: its own where there are none, else copies."""
    if not restored.patches:
        return restored.frame.components
    planes = tuple(plane.copy() for plane in restored.frame.components)
    lay_over(restored, planes)
    return planes


def window(restored: RestoredFrame, to_window: Affine, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) RGB of a part of the upright picture with its faces restored.

    Args:
        restored: a frame.
        to_window: (2, 3) from display coordinates to pixels of the result.
        size: width and height of the result.
    """
    frame = restored.frame
    rgb = read_rgb(patched(restored), frame.samples, Rect(0, 0, *frame.size))
    return to_bytes(resample(rgb, compose(to_window, frame.to_display), size, cv2.BORDER_CONSTANT))


def seen(restored: RestoredFrame, side: int) -> NDArray[np.uint8]:
    """(h, w, 3) upright RGB of the whole picture, its long side at most ``side`` pixels."""
    width, height = restored.frame.display_size
    scale = min(1.0, side / max(width, height))
    shift = (scale - 1) / 2
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return window(restored, np.array([[scale, 0.0, shift], [0.0, scale, shift]]), size)
