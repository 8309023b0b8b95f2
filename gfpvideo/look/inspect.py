"""Look at the faces of a film before restoring it: who is followed from when to when, before and after."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.light import source_light
from gfpvideo.composite.mask import face_mask
from gfpvideo.errors import InputError
from gfpvideo.faces.align import align
from gfpvideo.faces.detect import detect
from gfpvideo.faces.shots import mark_shots
from gfpvideo.faces.track import track
from gfpvideo.faces.tracks_file import RecordedTrack, Tracks
from gfpvideo.frames import Crop, CroppedFrame, Frame
from gfpvideo.generator.generator import Generator
from gfpvideo.media.still import write_sheet
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import timecode
from gfpvideo.pixels.color import FloatImage, crop_to_bytes
from gfpvideo.pixels.geometry import face_size
from gfpvideo.restoration.run import film_tracker, load_networks, open_film
from gfpvideo.stages.spread import Spread

_KEPT = 8
"""Crops of a track that are kept at most."""
_SHOWN = 3
"""Moments of a track that the sheet shows."""
_SIDE = 160
"""Side of a picture on the sheet."""
_TEXT_WIDTH = 300


@dataclass
class _Seen:
    """What is known of one track so far."""

    shot: int
    landmarks: dict[int, list[float]] = field(default_factory=dict)
    times: list[Fraction] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    crops: Spread[Crop] = field(default_factory=lambda: Spread(_KEPT))

    def add(self, crop: Crop, frame: Frame) -> None:
        self.crops.add(crop)
        self.landmarks[frame.index] = crop.face.landmarks.reshape(-1).tolist()
        self.times.append(frame.pts * frame.time_base)
        self.sizes.append(face_size(crop.face.landmarks))

    def record(self, number: int) -> RecordedTrack:
        return RecordedTrack(
            id=number,
            shot=self.shot,
            start=timecode(self.times[0]),
            end=timecode(self.times[-1]),
            size=round(float(np.median(self.sizes)), 1),
            frames=self.landmarks,
        )


def inspect(
    source: Path,
    options: RestoreOptions,
    *,
    sheet: Path | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> Tracks:
    """Follow the faces of a film.

    Args:
        source: the film.
        options: how faces are found and followed, and the model for the sheet.
        sheet: picture to write: a row a track, three moments before and after.
        on_frame: called with the number of frames so far.

    Raises:
        InputError: if the film cannot be read, or has no faces.
        OutputError: if the sheet cannot be written.
    """
    with open_film(source, options, count_all=True) as film:
        detector, generator = load_networks(options)
        shots = _Shots()
        tracked = track(detect(shots.counted(film.frames()), detector, options.detect_every), film_tracker(options))
        seen: dict[int, _Seen] = {}
        for count, cropped in enumerate(align(tracked, generator.size, detector.landmarks_512), 1):
            for crop in cropped.crops:
                seen.setdefault(crop.face.track, _Seen(shots.of(cropped))).add(crop, cropped.frame)
            if on_frame is not None:
                on_frame(count)
        width, height = film.stream.width, film.stream.height
    if not seen:
        raise InputError(f"{source}: no face was found")
    records = {number: track.record(number) for number, track in sorted(seen.items())}
    if sheet is not None:
        rows = [_row(records[number], seen[number].crops.items, generator) for number in records]
        write_sheet(sheet, np.concatenate(rows))
    return Tracks(detector=options.detector, width=width, height=height, tracks=list(records.values()))


class _Shots:
    """Counts the shots of a film as they pass."""

    def __init__(self) -> None:
        self._starts: list[int] = []

    def counted(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, bool]]:
        for frame, cut in mark_shots(frames):
            if cut:
                self._starts.append(frame.index)
            yield frame, cut

    def of(self, cropped: CroppedFrame) -> int:
        """Number of the shot of a frame, from 1."""
        return sum(start <= cropped.frame.index for start in self._starts)


def _row(record: RecordedTrack, crops: list[Crop], generator: Generator) -> NDArray[np.uint8]:
    """One track: its number, shot, times and size, and its first, middle and last crop before and after."""
    chosen = [crops[round(place)] for place in np.linspace(0, len(crops) - 1, _SHOWN)]
    restored = generator(np.stack([crop.source.transpose(2, 0, 1) for crop in chosen]))
    pictures: list[FloatImage] = []
    for crop, result in zip(chosen, restored, strict=True):
        mask = face_mask(len(crop.source))
        change = source_light(result.transpose(1, 2, 0) - crop.source, crop.source, mask)
        pictures += [crop.source, crop.source + mask[..., None] * change]
    text = np.full((_SIDE, _TEXT_WIDTH, 3), 255, np.uint8)
    lines = (f"track {record.id}", f"shot {record.shot}, {record.size:.0f} px", f"{record.start} - {record.end}")
    for number, line in enumerate(lines):
        cv2.putText(text, line, (10, 50 + 32 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([text, *(_thumbnail(picture) for picture in pictures)], axis=1)


def _thumbnail(picture: FloatImage) -> NDArray[np.uint8]:
    shown = crop_to_bytes(picture[..., ::-1])
    return np.asarray(cv2.resize(shown, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
