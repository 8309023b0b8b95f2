"""A sheet of who is in a film: a row a track, a few of its moments before and after."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.light import source_light
from gfpvideo.composite.weigh import hopeless, placed
from gfpvideo.faces.tracks_file import RecordedTrack
from gfpvideo.frames import Crop
from gfpvideo.generator.generator import Generator
from gfpvideo.pixels.color import FloatImage, crop_to_bytes
from gfpvideo.pixels.regions import face_mask
from gfpvideo.restoration.survey import Survey

_SHOWN = 3
"""Moments of a track that the sheet shows."""
_SIDE = 160
"""Side of a picture on the sheet."""
_TEXT_WIDTH = 300


def inspect_sheet(found: Survey, generator: Generator, *, draw: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) BGR picture of all tracks, restored frame by frame as far as they would be restored.

    Args:
        found: the tracks; their crops must have the generator's size.
        generator: restores them.
        draw: draw the points of each face into the pictures before.
    """
    rows = [_row(record, found.crops[record.id], generator, draw) for record in found.tracks.tracks]
    return np.concatenate(rows)


def _row(record: RecordedTrack, crops: Sequence[Crop], generator: Generator, draw: bool) -> NDArray[np.uint8]:
    """One track: its number, shot, times and size, and its first, middle and last crop before and after."""
    chosen = [crops[round(place)] for place in np.linspace(0, len(crops) - 1, _SHOWN)]
    restored = generator(np.stack([crop.source.transpose(2, 0, 1) for crop in chosen]))
    pictures: list[NDArray[np.uint8]] = []
    for crop, result in zip(chosen, restored, strict=True):
        mask = face_mask(len(crop.source)) * np.float32(placed(record.trust))
        change = source_light(result.transpose(1, 2, 0) - crop.source, crop.source, mask)
        before = _thumbnail(crop.source)
        pictures += [_drawn(before, crop) if draw else before, _thumbnail(crop.source + mask[..., None] * change)]
    text = np.full((_SIDE, _TEXT_WIDTH, 3), 255, np.uint8)
    lines = (f"track {record.id}", f"shot {record.shot}, {record.size:.0f} px", f"{record.start} - {record.end}")
    if hopeless(record.trust):
        lines += ("left alone: cannot be placed",)
    for number, line in enumerate(lines):
        cv2.putText(text, line, (10, 50 + 32 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([text, *pictures], axis=1)


def _drawn(picture: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """A crop's thumbnail with the points that the landmark network sees, green as far as they are trusted."""
    if crop.shape is None:
        return picture
    points = (crop.shape.points + 0.5) * (_SIDE / len(crop.source)) - 0.5
    x, y = np.clip(np.round(points), 0, _SIDE - 1).astype(int).T
    drawn = picture.copy()
    drawn[y, x] = (0, round(255 * crop.shape.trust), round(255 * (1 - crop.shape.trust)))
    return drawn


def _thumbnail(picture: FloatImage) -> NDArray[np.uint8]:
    shown = crop_to_bytes(picture[..., ::-1])
    return np.asarray(cv2.resize(shown, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
