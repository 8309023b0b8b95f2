"""Follow faces from frame to frame within a shot, and hand them on stabilised, a fixed lag later."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gfpvideo.faces.smooth import LandmarkSmoother
from gfpvideo.frames import DetectedFrame, Detection, Face, TrackedFrame
from gfpvideo.pixels.geometry import face_size

_IMPOSSIBLE = 1e6
"""What a pair costs that is farther apart than the following."""
_REACH = 0.8
"""Farthest that landmarks may lie from their prediction on average, in face sizes, to belong to the same face."""
_RESIZE = 1.6
"""Most that a face's size may change between two frames."""
_MIN_HITS = 3
"""A face must be found this often in its first frames, unless the shot is shorter: single flashes are no faces."""


class _Track:
    """One face, from its first detection to its last."""

    def __init__(self, detection: Detection, index: int, raster: float, *, smooth: bool) -> None:
        self.raw = None if smooth else {index: detection.landmarks}
        self.number: int | None = None
        self.smoother = LandmarkSmoother(detection, raster)
        self.last_hit = index
        self.current = index
        self._seen = {index}
        self.hits = 1

    def step(self, index: int, detection: Detection | None) -> None:
        self.current = index
        self.smoother.step(detection)
        if detection is not None:
            self.last_hit = index
            self._seen.add(index)
            if self.raw is not None:
                self.raw[index] = detection.landmarks
            self.hits += 1

    def face(self, index: int) -> Face | None:
        """The face in an earlier frame, given what is known by now; ``None`` where the track does not reach."""
        ago = self.current - index
        if index > self.last_hit or ago >= len(self.smoother):
            return None
        assert self.number is not None
        if self.raw is not None:
            return Face(self.number, self.raw[index], filled=False) if index in self.raw else None
        return Face(self.number, self.smoother.smoothed(ago), index not in self._seen)

    def forget(self, index: int) -> None:
        """Drop what was kept for frames up to ``index``."""
        self._seen = {seen for seen in self._seen if seen > index}
        if self.raw is not None:
            self.raw = {seen: landmarks for seen, landmarks in self.raw.items() if seen > index}
        self.smoother.forget(max(1, self.current - index))


class Tracker:
    """Feed it detections frame by frame; it returns frames with stabilised faces, at most ``lag`` frames later."""

    def __init__(self, lag: int, max_gap: int, min_score: float, min_face: float, *, smooth: bool = True) -> None:
        """Set up an empty tracker.

        Args:
            lag: frames that it may look ahead.
            max_gap: frames for which a missed face is still expected to come back.
            min_score: least score of a detection that starts a track; going on with one takes any detection.
            min_face: least size in display pixels of a face that is handed on.
            smooth: whether landmarks are stabilised and gaps filled; otherwise they are the detector's.
        """
        self._lag = lag
        self._max_gap = max_gap
        self._min_score = min_score
        self._min_face = min_face
        self._smooth = smooth
        self._tracks: list[_Track] = []
        self._waiting: deque[DetectedFrame] = deque()
        self._numbers = 0
        self._shot_start = 0

    def feed(self, detected: DetectedFrame) -> Iterator[TrackedFrame]:
        """Take the next frame; yield those that are ready."""
        if detected.cut:
            yield from self.flush()
            self._shot_start = detected.frame.index
        self._follow(detected)
        self._waiting.append(detected)
        while len(self._waiting) > self._lag:
            yield self._release()

    def flush(self) -> Iterator[TrackedFrame]:
        """End the shot: yield everything that is waiting and forget all tracks."""
        while self._waiting:
            yield self._release()
        self._tracks.clear()

    def _follow(self, detected: DetectedFrame) -> None:
        index = detected.frame.index
        living = [track for track in self._tracks if not self._lost(track)]
        pairs = _match(living, detected.detections)
        for number, track in enumerate(living):
            found = pairs.get(number)
            track.step(index, None if found is None else detected.detections[found])
        taken = set(pairs.values())
        for number, detection in enumerate(detected.detections):
            if number not in taken and detection.score >= self._min_score:
                self._tracks.append(_Track(detection, index, detected.raster, smooth=self._smooth))

    def _release(self) -> TrackedFrame:
        waited = self._waiting.popleft()
        frame = waited.frame
        known_until = self._waiting[-1].frame.index if self._waiting else frame.index
        shot_length = known_until - self._shot_start + 1
        faces = []
        for track in self._tracks:
            if track.hits < min(_MIN_HITS, shot_length):
                continue
            if track.number is None:
                self._numbers += 1
                track.number = self._numbers
            face = track.face(frame.index)
            if face is not None and face_size(face.landmarks) >= self._min_face:
                faces.append(face)
        self._forget(frame.index)
        return TrackedFrame(frame, tuple(faces), waited.detections, waited.cut)

    def _forget(self, index: int) -> None:
        """Drop tracks that ended, and what the others kept for frames that are gone."""
        self._tracks = [track for track in self._tracks if track.last_hit > index or not self._lost(track)]
        for track in self._tracks:
            track.forget(index)

    def _lost(self, track: _Track) -> bool:
        """Whether the face has been missed for so long that another one is a new face."""
        return track.current - track.last_hit > self._max_gap


def _match(tracks: Sequence[_Track], detections: Sequence[Detection]) -> dict[int, int]:
    """Pairs of track and detection (by position) that belong together, at the least total distance."""
    if not tracks or not detections:
        return {}
    distances = np.stack([_distances(track, detections) for track in tracks])
    from scipy.optimize import linear_sum_assignment  # which the filters behind these distances have imported by now

    # Pairs that cannot be cost all the same: one of them must not buy two others that are worse than the best.
    rows, columns = linear_sum_assignment(np.where(distances <= _REACH, distances, _IMPOSSIBLE))
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if distances[r, c] <= _REACH}


def _distances(track: _Track, detections: Sequence[Detection]) -> NDArray[np.float64]:
    """Mean distance of each detection's landmarks from the predicted ones, in face sizes; infinite if misfitting."""
    found = np.stack([detection.landmarks for detection in detections])
    distance = np.linalg.norm(found - track.smoother.predicted, axis=2).mean(axis=1) / track.smoother.size
    ratio = np.array([face_size(landmarks) for landmarks in found]) / track.smoother.size
    return np.where((ratio < _RESIZE) & (ratio > 1 / _RESIZE), distance, np.inf)


def track(frames: Iterator[DetectedFrame], tracker: Tracker) -> Iterator[TrackedFrame]:
    """Stage: stabilised faces of every frame, in order."""
    for detected in frames:
        yield from tracker.feed(detected)
    yield from tracker.flush()
