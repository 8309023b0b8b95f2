"""Look before spending an hour: one frame of each shot, before and after, on one sheet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.faces.detect import detect
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.faces.shots import mark_shots
from gfpvideo.frames import Detection, Frame, Rect, RestoredFrame
from gfpvideo.media.still import write_sheet
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import timecode
from gfpvideo.pixels.color import FloatImage, read_rgb, to_bytes
from gfpvideo.pixels.geometry import compose, face_size, resample
from gfpvideo.restoration.run import Restorer, open_film, picture_tracker
from gfpvideo.stages.run import Stages
from gfpvideo.stages.spread import Spread

_EVERY = 12
"""Frames of a shot of which one is searched for faces."""
_COLUMNS = 12
"""Shots that are shown at most, spread evenly over the film."""
_SIDE = 320
"""Side of a picture on the sheet."""
_AROUND = 6.0
"""Side of what is shown around a face, in distances from eyes to mouth."""
_CAPTION = 28


@dataclass(frozen=True)
class _Moment:
    """A frame of a shot, and the largest face in it."""

    frame: Frame
    face: Detection | None

    @property
    def size(self) -> float:
        return 0.0 if self.face is None else face_size(self.face.landmarks)


def preview(
    source: Path, sheet: Path, options: RestoreOptions, *, on_frame: Callable[[int], None] | None = None
) -> int:
    """Write a sheet with a column for each shot: around its largest face, before and after, and when it is.

    Every frame is restored by itself, so the steadying over time is not part of what is seen.

    Args:
        source: the film.
        sheet: the picture to write.
        options: how the film would be restored, and which part of it.
        on_frame: called with the number of frames so far.

    Returns:
        How many shots the sheet shows.

    Raises:
        InputError: if the film cannot be read, or shows no face.
        OutputError: if the sheet cannot be written.
    """
    restorer = Restorer.load(options)
    shown: Spread[_Moment] = Spread(_COLUMNS)
    with open_film(source, options) as film:
        for moment in _best_of_shots(_counted(film.frames(), on_frame), restorer.detector, options.min_score):
            if moment.face is not None:
                shown.add(moment)
    if not shown.items:
        raise InputError(f"{source}: no face was found")
    write_sheet(sheet, np.concatenate([_column(moment, restorer) for moment in shown.items], axis=1))
    return len(shown.items)


def _counted(frames: Iterator[Frame], on_frame: Callable[[int], None] | None) -> Iterator[Frame]:
    for count, frame in enumerate(frames, 1):
        yield frame
        if on_frame is not None:
            on_frame(count)


def _best_of_shots(frames: Iterator[Frame], detector: Detector, min_score: float) -> Iterator[_Moment]:
    """The frame with the largest face of each shot."""
    best: _Moment | None = None
    since_cut = 0
    for frame, cut in mark_shots(frames):
        if cut and best is not None:
            yield best
        best, since_cut = (None, 0) if cut else (best, since_cut + 1)
        if since_cut % _EVERY == 0:
            moment = _look(frame, detector, min_score)
            best = moment if best is None or moment.size > best.size else best
    if best is not None:
        yield best


def _look(frame: Frame, detector: Detector, min_score: float) -> _Moment:
    (found,) = detect(iter([(frame, True)]), detector)
    faces = [face for face in found.detections if face.score >= min_score]
    return _Moment(frame, max(faces, key=lambda face: face_size(face.landmarks), default=None))


def _column(moment: _Moment, restorer: Restorer) -> NDArray[np.uint8]:
    frame = moment.frame
    with Stages() as stages:
        (restored,) = restorer.faces(iter([(frame, True)]), picture_tracker(restorer.options), stages)
    after = RestoredFrame(frame, restored.components, restored.touched)
    before = RestoredFrame(frame, frame.components, ())
    caption = np.full((_CAPTION, _SIDE, 3), 255, np.uint8)
    text = timecode(frame.pts * frame.time_base)
    cv2.putText(caption, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([caption, *(_around(picture, moment) for picture in (before, after))])


def _around(picture: RestoredFrame, moment: _Moment) -> NDArray[np.uint8]:
    """(SIDE, SIDE, 3) BGR square around the face, upright."""
    assert moment.face is not None, "only shots with a face are shown"
    width, height = picture.frame.size
    rgb: FloatImage = read_rgb(picture.components, picture.frame.samples, Rect(0, 0, width, height))
    scale = _SIDE / (_AROUND * moment.size)
    middle = moment.face.landmarks.mean(axis=0)
    shift = np.full(2, (_SIDE - 1) / 2) - scale * middle
    to_sheet = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    seen = resample(rgb, compose(to_sheet, picture.frame.to_display), (_SIDE, _SIDE), cv2.BORDER_CONSTANT)
    return to_bytes(seen)[..., ::-1]
