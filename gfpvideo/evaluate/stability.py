"""How steady the faces of a film are: jitter of landmarks, warping error, flicker of colour, track by track."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.evaluate.metrics import similarity_scorer, to_tensor
from gfpvideo.evaluate.stability_report import Landmarks, Stability, TrackSeries
from gfpvideo.faces.align import crop_rect, template
from gfpvideo.faces.detect import detect_upright, usual_side
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.frames import Face, Frame, Rect, TrackedFrame
from gfpvideo.media.source import VideoSource
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.color import FloatImage, align_rect, read_rgb, rgb_to_ycc
from gfpvideo.pixels.geometry import compose, invert, local, resample, similarity_transform
from gfpvideo.pixels.regions import face_mask
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.way import follow
from gfpvideo.stages.run import Run
from gfpvideo.temporal.motion import disagreement, flow, pulled

_MASK_SIZE = 256
_INSIDE = 0.5
"""Mask value from which a pixel counts as face."""
_NEAR = 0.5
"""Farthest, in eye distances, that a face found again may lie from where it is expected."""
_OCCLUDED = 1.0
"""Pixels by which flow forth and back may disagree before a pixel counts as hidden."""


def stability(
    restored: Path, detector: Detector, *, source: Path | None = None, reference: Path | None = None
) -> Stability:
    """Measure how steady the faces of ``restored`` are.

    Args:
        restored: the film to judge.
        detector: finds the faces.
        source: the film before restoration; faces and optical flow are taken from it, by default from ``restored``.
        reference: a clean version, for PSNR and SSIM inside the faces.

    Raises:
        InputError: if a film cannot be read, the films do not have the same frames, or there is no face.
    """
    found: dict[int, TrackSeries] = {}
    before: _Moment | None = None
    with ExitStack() as films:
        judged, others = _opened(films, restored), [path for path in (source, reference) if path is not None]
        by_path = {path: _opened(films, path) for path in others}
        run = films.enter_context(Run(threads=False))  # the same detector looks at both films in turn
        everything = RestoreOptions(detect_every=1)
        for tracked in follow(_opened(films, source or restored), Finder(detector), everything, run):
            moment = _Moment(tracked, _same(judged, tracked, restored))
            clean = _same(by_path[reference], tracked, reference) if reference is not None else None
            side = usual_side(moment.judged)
            again = detect_upright(detector, moment.judged.thumbnail(side))
            points = [face.scaled(moment.judged.thumbnail_scale(side)).landmarks for face in again]
            for face in tracked.faces:
                series = found.setdefault(face.track, TrackSeries(face.track, tracked.frame.index, similarity_scorer()))
                _measure(series, face, moment, before, points, clean)
            before = moment
    if not found:
        raise InputError(f"{source or restored}: no face was found to measure")
    return Stability(list(found.values()))


@dataclass(frozen=True)
class _Moment:
    """A frame of the film that flow comes from, and the same frame of the film that is judged."""

    tracked: TrackedFrame
    judged: Frame


def _opened(films: ExitStack, path: Path) -> Iterator[Frame]:
    return films.enter_context(VideoSource(path)).frames()


def _same(frames: Iterator[Frame], tracked: TrackedFrame, path: Path) -> Frame:
    """The frame of another film that belongs to ``tracked``."""
    frame = next(frames, None)
    if frame is None:
        raise InputError(f"{path}: ends after {tracked.frame.index} frames, the other film goes on")
    if frame.size != tracked.frame.size:
        raise InputError(f"{path}: is {frame.size[0]}x{frame.size[1]}, the other film is not")
    return frame


def _measure(
    series: TrackSeries, face: Face, now: _Moment, before: _Moment | None, points: list[Landmarks], clean: Frame | None
) -> None:
    frame = now.tracked.frame
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    to_crop = compose(similarity_transform(face.landmarks, template(_MASK_SIZE)), frame.to_display)
    rect = align_rect(crop_rect(to_crop, _MASK_SIZE), frame.samples, frame.size)
    if rect.empty:
        return
    series.frames, series.last = series.frames + 1, frame.index
    series.eye_distances.append(eyes)
    nearest = min(points, key=lambda other: np.abs(other - face.landmarks).mean(), default=None)
    near = nearest is not None and np.abs(nearest - face.landmarks).mean() < _NEAR * eyes
    series.landmarks.append(nearest if near else None)
    inside = _inside(to_crop, rect)
    picture = _rgb(now.judged, rect)
    series.colours.append(_mean_lab(picture, inside))
    if before is not None and any(other.track == face.track for other in before.tracked.faces):
        series.warping.append(_warping_error(before, now, rect, inside))
    if clean is not None:
        truth = _rgb(clean, rect)
        series.similarity.add(to_tensor([picture]), to_tensor([truth]))


def _inside(to_crop: NDArray[np.float64], rect: Rect) -> NDArray[np.bool_]:
    """Which pixels of ``rect`` belong to the face."""
    mask = resample(face_mask(_MASK_SIZE), invert(local(to_crop, rect)), (rect.width, rect.height), cv2.BORDER_CONSTANT)
    return mask > _INSIDE


def _rgb(frame: Frame, rect: Rect) -> FloatImage:
    return read_rgb(frame.components, frame.samples, rect).clip(0.0, 1.0)


def _mean_lab(picture: FloatImage, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    if not inside.any():
        return np.zeros(3)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float64)[inside].mean(axis=0)


def _warping_error(before: _Moment, now: _Moment, rect: Rect, inside: NDArray[np.bool_]) -> float:
    """Mean absolute difference of luma, in grey levels, between a face and its neighbour moved along the flow.

    The flow is that of the films' source; pixels where flow forth and back disagree are left out (Lai et al., 2018).
    """
    then, here = (_grey(moment.tracked.frame, rect) for moment in (before, now))
    back, forth = flow(here, then), flow(then, here)
    visible = inside & (disagreement(back, forth) < _OCCLUDED)
    if not visible.any():
        return math.nan
    earlier, later = (rgb_to_ycc(_rgb(moment.judged, rect))[0] for moment in (before, now))
    return float(np.abs(later - pulled(earlier, back))[visible].mean() * 255)


def _grey(frame: Frame, rect: Rect) -> NDArray[np.uint8]:
    return np.rint(rgb_to_ycc(_rgb(frame, rect))[0] * 255).astype(np.uint8)
