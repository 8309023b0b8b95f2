"""The detection stage: faces of every frame, in display coordinates."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gfpvideo.faces.detectors.detector import Detector, Picture, intersection_over_union
from gfpvideo.faces.refine import Refiner, found_well
from gfpvideo.frames import DetectedFrame, Detection, Frame, ShotFrame
from gfpvideo.pixels.geometry import face_size

_SAME_FACE = 0.3
"""Overlap of boxes (intersection over union) from which two detections are one face."""
_SAME_PLACE = 0.3
"""Mean distance of landmarks, in face sizes, up to which two that were refined are."""
_STEADY = 0.12
"""Mean distance of landmarks, in face sizes, up to which a face between two detections is taken to move evenly."""
_NEAR = 0.4
"""The same where each face between is looked for by the landmark network."""

Found = tuple[Detection, ...]


def detect(
    frames: Iterator[ShotFrame],
    detector: Detector,
    side: int | None = None,
    every: int = 1,
    known: Mapping[int, Found] = MappingProxyType({}),
    refiner: Refiner | None = None,
) -> Iterator[DetectedFrame]:
    """Stage: find the faces of each frame in its thumbnail, and place them by the landmark network.

    Where the same faces are found before and after, not far away, the frames between are not searched: each face is
    looked for between its places (without a network, taken to lie there). Anything else (a face comes, goes, turns
    quickly), and the frame midway is searched as well, and so on; so is one in which a face is not seen well. The
    distance between two searches doubles, up to ``every``, as long as none of that happens. Cuts begin it all anew.

    Args:
        frames: frames, and whether a shot starts with each.
        detector: finds faces.
        side: long side of the picture that the detector sees, by default :func:`usual_side`.
        every: most frames from one search to the next; 1 searches all.
        known: what was found in frames that need no search, by index.
        refiner: places faces that were found.
    """
    look = _Look(detector, side, known, refiner)
    before: DetectedFrame | None = None
    skipped: list[Frame] = []
    gap = 1
    for shot in frames:
        if shot.cut:
            yield from look.rest(before, skipped)
            skipped, before, gap = [], None, 1
        if before is not None and len(skipped) + 1 < gap:
            skipped.append(shot.frame)
            continue
        now = look(shot.frame, cut=shot.cut)
        yield from look.between(before, skipped, now)
        yield now
        gap = 1 if look.same_faces(before, now) is None else min(2 * gap, every)
        before, skipped = now, []
    yield from look.rest(before, skipped)


def usual_side(frame: Frame) -> float:
    """Long side of the picture that a detector sees of a frame: 640, or half of the frame's own if that is more.

    CenterFace then finds faces from 10 pixels between eyes and mouth up (benchmarks/detection.py).
    """
    return max(640.0, max(frame.display_size) / 2)


Pairs = list[tuple[Detection, Detection]]


class _Look:
    """Finds the faces of a frame, or recalls them; a picture that equals the one before is not searched again."""

    def __init__(
        self, detector: Detector, side: int | None, known: Mapping[int, Found], refiner: Refiner | None
    ) -> None:
        self._detector, self._side, self._known, self._refiner = detector, side, known, refiner
        self._seen: tuple[Picture, list[Detection]] | None = None

    def __call__(self, frame: Frame, *, cut: bool = False) -> DetectedFrame:
        side = self._side or usual_side(frame)
        scale = frame.thumbnail_scale(side)
        found = self._known.get(frame.index)
        if found is None:
            faces = (face.scaled(scale) for face in self._searched(frame.thumbnail(side)))
            found = self._refined(frame, tuple(faces))
        return DetectedFrame(frame, cut, found, max(scale))

    def _searched(self, picture: Picture) -> list[Detection]:
        if self._seen is None or not np.array_equal(self._seen[0], picture):
            self._seen = picture, detect_upright(self._detector, picture)
        return self._seen[1]

    def _refined(self, frame: Frame, faces: Found) -> Found:
        if self._refiner is None:
            return faces
        return _distinct(self._refiner(frame, face, self._detector.landmarks_512) for face in faces)

    def same_faces(self, before: DetectedFrame | None, now: DetectedFrame) -> Pairs | None:
        """Pairs of detections of the same face, or ``None`` unless all are and have moved little."""
        if before is None:
            return None
        return _same_faces(before.detections, now.detections, _STEADY if self._refiner is None else _NEAR)

    def rest(self, before: DetectedFrame | None, skipped: list[Frame]) -> Iterator[DetectedFrame]:
        """The last frames of a shot: of those that were skipped, the last is searched."""
        if skipped:
            now = self(skipped[-1])
            yield from self.between(before, skipped[:-1], now)
            yield now

    def between(
        self, before: DetectedFrame | None, skipped: list[Frame], now: DetectedFrame
    ) -> Iterator[DetectedFrame]:
        """The frames between two that were searched; where these show something else, the one midway is searched."""
        if not skipped:
            return
        pairs = self.same_faces(before, now)
        if pairs is None:
            middle = len(skipped) // 2
            found = self(skipped[middle])
            yield from self.between(before, skipped[:middle], found)
            yield found
            yield from self.between(found, skipped[middle + 1 :], now)
            return
        for place, frame in enumerate(skipped, 1):
            share = place / (len(skipped) + 1)
            yield self._followed(frame, [_interpolated(one, other, share) for one, other in pairs], now.raster)

    def _followed(self, frame: Frame, faces: list[Detection], raster: float) -> DetectedFrame:
        """A frame that is searched only if one of the faces, known to be there about, is not seen well."""
        if frame.index in self._known:
            return self(frame)
        if self._refiner is None:
            return DetectedFrame(frame, False, tuple(faces), raster)
        found = _distinct(self._refiner(frame, face) for face in faces)
        if len(found) < len(faces):  # two have met: it is searched who is there
            return self(frame)
        return DetectedFrame(frame, False, found, raster) if all(map(found_well, found)) else self(frame)


def _distinct(found: Iterable[Detection]) -> Found:
    """Detections without those that were refined to the face of a surer one: of a large face, halves are found too."""
    faces, kept = list(found), list[Detection]()
    for one in sorted(faces, key=lambda each: -each.score):
        if all(_distance(other, one) > _SAME_PLACE for other in kept):
            kept.append(one)
    return tuple(one for one in faces if any(one is each for each in kept))


def _same_faces(before: Found, now: Found, reach: float) -> Pairs | None:
    """Pairs of detections of the same face, or ``None`` unless all are and none has moved by more than ``reach``."""
    if len(before) != len(now):
        return None
    pairs: Pairs = []
    left = list(now)
    for face in before:
        nearest = min(left, key=lambda other: _distance(face, other))
        if _distance(face, nearest) > reach:
            return None
        left = [other for other in left if other is not nearest]
        pairs.append((face, nearest))
    return pairs


def _distance(one: Detection, other: Detection) -> float:
    """Mean distance of the landmarks in sizes of the first face."""
    apart = np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean()
    return float(apart) / face_size(one.landmarks)


def _interpolated(one: Detection, other: Detection, share: float) -> Detection:
    return Detection(
        one.landmarks + share * (other.landmarks - one.landmarks),
        one.box + share * (other.box - one.box),
        min(one.score, other.score),
    )


def detect_upright(detector: Detector, picture: Picture) -> list[Detection]:
    """Faces of a picture; those that lie on their side or stand on their head are looked at again, turned upright.

    A detector still notices such faces, but its landmarks are off by a good part of the face.
    """
    (found,) = detector.detect([picture])
    for turns in sorted({quarter_turns(face) for face in found} - {0}):
        (turned,) = detector.detect([np.ascontiguousarray(np.rot90(picture, turns))])
        upright = [turned_back(face, turns, picture) for face in turned if quarter_turns(face) == 0]
        found = [_better(face, upright) if quarter_turns(face) == turns else face for face in found]
    return found


def quarter_turns(face: Detection) -> int:
    """Anticlockwise quarter-turns that bring a face upright: 0 to 3."""
    x, y = face.landmarks[1] - face.landmarks[0]
    return round(np.arctan2(y, x) / (np.pi / 2)) % 4


def turned_back(face: Detection, turns: int, picture: Picture) -> Detection:
    """A face found in ``numpy.rot90(picture, turns)``, in coordinates of ``picture``."""
    right, bottom = picture.shape[1] - 1, picture.shape[0] - 1

    def back(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = points[:, 0], points[:, 1]
        return np.stack({1: (right - y, x), 2: (right - x, bottom - y), 3: (y, bottom - x)}[turns], axis=1)

    corners = back(face.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Detection(back(face.landmarks), box, face.score)


def _better(face: Detection, upright: Sequence[Detection]) -> Detection:
    """The same face as it was found upright, if it was."""
    same = [other for other in upright if intersection_over_union(face.box, other.box) > _SAME_FACE]
    return max(same, key=lambda other: other.score, default=face)
