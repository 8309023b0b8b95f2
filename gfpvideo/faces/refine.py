"""Place a face by the landmark network: from about where a detector saw it to where its eyes and mouth are.

The network sees a crop around a rough face. Where it finds the face elsewhere than it was told to look, it looks again
from there: detectors are off by a good part of small, tilted and blurred faces, and the network was trained on crops
that err less.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.faces.align import sampled, template
from gfpvideo.frames import CroppedFrame, Detection, Frame, Shape
from gfpvideo.networks.landmarks import (
    LANDMARKS_512,
    SIDE,
    Found,
    Landmarks,
    Rough,
    anchor_deviations,
    anchors,
    crop_map,
    cut_face,
    network_input,
    rough_of_anchors,
)
from gfpvideo.pixels.geometry import compose, invert, move, scale_of, similarity_transform
from gfpvideo.pixels.ramp import ramp

Points = NDArray[np.float64]

_LOOKS = 3
"""Most looks at a face."""
_MOVED = 0.06
"""Shift of the face, as a share of its size, from which it is worth while to look again..."""
_RESIZED = 1.1
"""... a change of its size..."""
_TURNED = np.radians(8)
"""... and a turn."""
_SURE, _LOST = 0.14, 0.24
"""Mean deviation of the anchors, as a share of the eye distance, that a good restoration bears, and that none does."""
_ABSENT, _PRESENT = 0.04, 0.2
"""Presence below which there is nothing to restore, and from which there is a face."""


class Refiner:
    """Finds faces again in frames, given about where they are."""

    def __init__(self, network: Landmarks) -> None:
        self._network = network

    def __call__(self, frame: Frame, face: Detection, landmarks_512: Points = LANDMARKS_512) -> Detection:
        """The same face, better placed.

        Args:
            frame: the frame.
            face: about where it is, in display coordinates.
            landmarks_512: (5, 2) where the landmarks of ``face`` lie in an aligned face: a detector's, or our own.
        """
        rough = rough_of_anchors(to_ours(face.landmarks, landmarks_512))
        placed = face
        for _ in range(_LOOKS):
            seen = self._look(frame, face, rough)
            if seen is None:  # outside the picture
                return face
            placed, before, rough = seen, rough, rough_of_anchors(seen.landmarks)
            if not _elsewhere(before, rough):
                break
        return placed if found_at_all(placed) else replace(placed, landmarks=to_ours(face.landmarks, landmarks_512))

    def _look(self, frame: Frame, face: Detection, rough: Rough) -> Detection | None:
        """The face as it is seen when it is looked for at ``rough``."""
        to_crop = crop_map(rough)
        cut_out = sampled(frame, compose(to_crop, frame.to_display), SIDE, cv2.BORDER_REPLICATE)
        if cut_out is None:
            return None
        found, to_picture = self._network(network_input(cut_out[0])[None]), invert(to_crop)
        return replace(
            face,
            landmarks=move(to_picture, anchors(found.points[0])),
            deviations=anchor_deviations(found.deviations[0]) * scale_of(to_picture),
        )


def _elsewhere(before: Rough, after: Rough) -> bool:
    """Whether a face was found so far from where it was looked for that another look sees it better."""
    shift = float(np.linalg.norm(after.centre - before.centre)) / before.size
    turn = abs((after.angle - before.angle + np.pi) % (2 * np.pi) - np.pi)
    ratio = after.size / before.size
    return shift > _MOVED or turn > _TURNED or not 1 / _RESIZED < ratio < _RESIZED


def to_ours(landmarks: Points, landmarks_512: Points) -> Points:
    """A detector's landmarks moved to where ours lie on an average face."""
    to_face = similarity_transform(template(512, landmarks_512), landmarks)
    return landmarks + (LANDMARKS_512 - landmarks_512) @ to_face[:, :2].T


def found_well(face: Detection) -> bool:
    """Whether a face that was looked for without a search was surely there."""
    return face.deviations is not None and _uncertainty(face.landmarks, face.deviations) < _SURE


def found_at_all(face: Detection) -> bool:
    """Whether the network knows better than who saw a face first: of profiles and hidden faces it often does not."""
    return face.deviations is None or _uncertainty(face.landmarks, face.deviations) < _LOST


def _uncertainty(landmarks: Points, deviations: Points) -> float:
    """Mean deviation of the anchors as a share of the eye distance."""
    return float(deviations.mean() / max(1e-6, float(np.linalg.norm(landmarks[1] - landmarks[0]))))


def describe(frames: Iterator[CroppedFrame], network: Landmarks | None) -> Iterator[CroppedFrame]:
    """Stage: crops with the points of the faces in them; without a network they stay as they are."""
    for frame in frames:
        if network is None:
            yield frame
        else:
            crops = (replace(crop, shape=shape_of(crop.source, network)) for crop in frame.crops)
            yield replace(frame, crops=tuple(crops))


def shape_of(aligned: NDArray[np.float32], network: Landmarks) -> Shape:
    """The points of the face in an aligned picture (S, S, 3) in [-1, 1], its pose, and how far they can be trusted."""
    rough = rough_of_anchors(template(len(aligned), LANDMARKS_512))
    picture, to_input = cut_face(np.asarray((aligned + 1) / 2, np.float32), rough)
    found = network(picture[None])
    return Shape(move(invert(to_input), found.points[0]), float(found.pose[0, 0]), trust(found))


def trust(found: Found) -> float:
    """How surely the first crop holds a face that can be restored, and its points are right: 0 to 1."""
    points = anchors(found.points[0])
    unsure = ramp(_uncertainty(points, anchor_deviations(found.deviations[0])), _SURE, _LOST)
    return float((1 - unsure) * ramp(float(found.presence[0]), _ABSENT, _PRESENT))
