"""Faces that move: crops of a film, one face a frame."""

from collections.abc import Sequence

import cv2
import numpy as np
import skimage.data

from gfpvideo.frames import CroppedFrame, Samples
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import resample
from gfpvideo.temporal.motion import follow_motion
from helpers import crop_of, cropped_frame, frame_of

SIZE = 256
INSIDE = slice(48, 208)


def textured(rng: np.random.Generator, size: int = SIZE) -> FloatImage:
    """(S, S, 3) in [-1, 1]: detail of all sizes, as a face has."""
    picture = sum(
        cv2.resize(
            rng.standard_normal((cells, cells, 3)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
        )
        / cells**0.5
        for cells in (6, 12, 24, 48)
    )
    return np.clip(np.asarray(picture) / 1.2, -1, 1).astype(np.float32)


def portrait() -> FloatImage:
    """(S, S, 3) in [-1, 1]: what the networks know, a photograph of a face, about as soft as a film's."""
    face = (skimage.data.astronaut()[10 : 10 + SIZE, 96 : 96 + SIZE] / 127.5 - 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1.5), np.float32)


def shifted(picture: FloatImage, x: float, y: float) -> FloatImage:
    return resample(picture, np.array([[1.0, 0, x], [0, 1, y]]), picture.shape[:2], cv2.BORDER_REFLECT_101)


def film_of(
    sources: Sequence[FloatImage], tracks: Sequence[int] | None = None, share: float = 1.0
) -> list[CroppedFrame]:
    """One face a frame, with the flow between them."""
    samples = Samples("rgb", 8, full_range=True)
    frames = [
        cropped_frame(frame_of([np.zeros((4, 4), np.uint8)] * 3, samples, index), crop_of(source, track, share=share))
        for index, (source, track) in enumerate(zip(sources, tracks or [1] * len(sources), strict=True))
    ]
    return list(follow_motion(iter(frames)))
