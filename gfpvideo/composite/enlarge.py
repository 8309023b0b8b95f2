"""Enlarge frames before faces are put back, so that faces keep the detail of their crops and are not stretched.

All stages before work at the frame's own size. How much of its restoration a face needs is measured there too, on its
crop: the generator can add what the crop lacks and no more, however large the frame becomes. Only what is too small to
be worth it is asked of the picture that is shown (:mod:`gfpvideo.composite.weigh`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from gfpvideo.frames import Crop, Face, Frame, GeneratedFrame, Rect, TrackedFrame
from gfpvideo.pixels.geometry import Affine, compose, enlarging, invert, move


class Enlarger(Protocol):
    """What makes frames larger."""

    times: int
    """How many times in width and height."""
    redraws: bool
    """Whether it shows other things than the frame did, as a network does."""

    def __call__(self, frame: Frame) -> Frame:
        """The same frame, larger."""
        ...


def enlarge(frames: Iterator[GeneratedFrame], enlarger: Enlarger | None) -> Iterator[GeneratedFrame]:
    """Stage: frames enlarged, and where their faces and crops lie in them; without ``enlarger``, as they are."""
    for frame in frames:
        yield frame if enlarger is None else _enlarged(frame, enlarger)


def _enlarged(generated: GeneratedFrame, enlarger: Enlarger) -> GeneratedFrame:
    to_large = enlarging(enlarger.times)
    tracked = generated.tracked
    faces = tuple(_face(face, to_large) for face in tracked.faces)
    found = tuple(detection.scaled((enlarger.times, enlarger.times)) for detection in tracked.detections)
    large = TrackedFrame(enlarger(tracked.frame), faces, found, tracked.cut)
    crops = tuple(replace(crop, crop=_crop(crop.crop, enlarger)) for crop in generated.crops)
    decoded = None if generated.decoded is None else enlarger(generated.decoded)
    return replace(generated, tracked=large, crops=crops, decoded=decoded)


def _face(face: Face, to_large: Affine) -> Face:
    return replace(face, landmarks=move(to_large, face.landmarks))


def _crop(crop: Crop, enlarger: Enlarger) -> Crop:
    times, to_large = enlarger.times, enlarging(enlarger.times)
    rect = Rect(crop.rect.left * times, crop.rect.top * times, crop.rect.right * times, crop.rect.bottom * times)
    return replace(
        crop,
        face=_face(crop.face, to_large),
        to_crop=compose(crop.to_crop, invert(to_large)),
        rect=rect,
        enlarged=times,
        redrawn=enlarger.redraws,
    )
