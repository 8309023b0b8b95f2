"""Stabilise the landmarks of one track: a Kalman filter going forward, RTS smoothing back over a fixed lag.

Each landmark coordinate moves with constant velocity, disturbed by random acceleration; all noise is in proportion to
the size of the face, so that near and far faces are treated alike (Rauch, Tung and Striebel, 1965).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Detection
from gfpvideo.pixels.geometry import face_size

_COORDINATES = 10
_STEP = np.array([[1.0, 1.0], [0.0, 1.0]])
"""Constant velocity: position and velocity one frame later."""
_STEP_NOISE = np.array([[0.25, 0.5], [0.5, 1.0]])
"""Covariance that a random acceleration of variance 1 adds in one frame."""
_ACCELERATION = 0.004
"""Standard deviation of the acceleration, in face sizes a frame squared: a head that moves without haste."""
_JITTER = 0.02
"""Standard deviation of a good detector's landmarks, in face sizes."""
_JITTER_PIXELS = 0.25
"""What the raster adds to it, in pixels of the picture that the detector saw."""
_TREMBLING = 0.3
"""How much of what a network says it errs by changes from one frame to the next; the rest stays, and is no noise.

On held-out films it trembles by 0.02 of the eye distance where it errs by 0.07."""
_START_SPEED = 0.05
"""Standard deviation of a new face's speed, in face sizes a frame."""
_SURPRISE = 2.0
"""Mean squared innovation, in predicted variances, above which a movement counts as sudden."""
_MAX_HASTE = 1e3
"""Most that the process noise grows by at a sudden movement."""


@dataclass(frozen=True)
class _Moment:
    """Filter state after one frame."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    noise: NDArray[np.float64]
    """Process noise of the step that led here."""


class LandmarkSmoother:
    """The filter of one track. Feed it each frame of the track in order, with or without a detection."""

    def __init__(self, detection: Detection, raster: float) -> None:
        """Start with the first ``detection``; ``raster`` is display pixels for each pixel the detector saw."""
        self._raster = raster
        self._size = face_size(detection.landmarks)
        mean = np.zeros((2 * _COORDINATES, 1))
        mean[::2, 0] = detection.landmarks.reshape(-1)
        covariance = np.diag(np.full(2 * _COORDINATES, (_START_SPEED * self._size) ** 2))
        covariance[::2, ::2] = self._measurement_noise(detection)
        self._moments = [_Moment(mean, covariance, np.zeros_like(covariance))]

    @cached_property
    def _filter(self) -> Any:
        """Made when a second frame comes: what it imports takes as long as the rest, and pictures do without it."""
        from filterpy.kalman import KalmanFilter

        (first,) = self._moments
        kalman: Any = KalmanFilter(dim_x=2 * _COORDINATES, dim_z=_COORDINATES)
        kalman.F = np.kron(np.eye(_COORDINATES), _STEP)
        kalman.H = np.kron(np.eye(_COORDINATES), [[1.0, 0.0]])
        kalman.x, kalman.P = first.mean.copy(), first.covariance.copy()
        return kalman

    def __len__(self) -> int:
        """Frames of history that are kept."""
        return len(self._moments)

    @property
    def predicted(self) -> NDArray[np.float64]:
        """(5, 2) landmarks expected in the next frame."""
        return self._landmarks(self._filter.F @ self._filter.x)

    @property
    def size(self) -> float:
        """Size of the face when it was last seen."""
        return self._size

    def step(self, detection: Detection | None) -> None:
        """Take the next frame, in which the face was found (``detection``) or missed (``None``)."""
        noise = self._process_noise(self._haste(detection))
        self._filter.predict(Q=noise)
        if detection is not None:
            self._size = face_size(detection.landmarks)
            self._filter.update(detection.landmarks.reshape(-1), R=self._measurement_noise(detection))
        self._moments.append(_Moment(self._filter.x.copy(), self._filter.P.copy(), noise))

    def smoothed(self, ago: int) -> NDArray[np.float64]:
        """(5, 2) landmarks ``ago`` frames before the latest one, given everything up to the latest one."""
        if not ago:
            return self._landmarks(self._moments[-1].mean)
        from filterpy.kalman import rts_smoother

        window = self._moments[-1 - ago :]
        means = np.stack([moment.mean for moment in window])
        covariances = np.stack([moment.covariance for moment in window])
        noises = [moment.noise for moment in window[1:]]
        states, *_ = rts_smoother(means, covariances, [self._filter.F] * ago, noises)
        return self._landmarks(states[0])

    def forget(self, keep: int) -> None:
        """Drop all but the latest ``keep`` frames of history."""
        del self._moments[:-keep]

    def _landmarks(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        return state[::2, 0].reshape(5, 2)

    def _variances(self, detection: Detection) -> NDArray[np.float64]:
        """(5,) measurement variance of each landmark: small and doubtful ones are less certain."""
        raster = _JITTER_PIXELS * self._raster
        if detection.deviations is not None:
            # The network saw the frame itself, not the detector's smaller picture: half of what that adds is ample.
            return np.square(_TREMBLING * detection.deviations) + np.square(raster / 2)
        deviation = _JITTER * face_size(detection.landmarks) + raster
        return np.full(len(detection.landmarks), (deviation / max(detection.score, 0.1)) ** 2)

    def _measurement_noise(self, detection: Detection) -> NDArray[np.float64]:
        return np.diag(np.repeat(self._variances(detection), 2))

    def _process_noise(self, haste: float) -> NDArray[np.float64]:
        acceleration = haste * (_ACCELERATION * self._size) ** 2
        return np.asarray(np.kron(np.eye(_COORDINATES), acceleration * _STEP_NOISE), np.float64)

    def _haste(self, detection: Detection | None) -> float:
        """Factor on the process noise: 1, or more where the detection is far from the prediction."""
        if detection is None:
            return 1.0
        innovation = detection.landmarks - self.predicted
        spread = self._filter.F[:2, :2] @ self._filter.P[:2, :2] @ self._filter.F[:2, :2].T
        expected = spread[0, 0] + self._variances(detection).mean()
        surprise = float(np.square(innovation).mean() / expected) / _SURPRISE
        return float(np.clip(surprise**2, 1.0, _MAX_HASTE))
