"""A sheet of who is in a film: a row a track, a few of its moments before and after."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.light import source_light
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


def inspect_sheet(found: Survey, generator: Generator) -> NDArray[np.uint8]:
    """(H, W, 3) BGR picture of all tracks, restored frame by frame; the crops must have the generator's size."""
    return np.concatenate([_row(record, found.crops[record.id], generator) for record in found.tracks.tracks])


def _row(record: RecordedTrack, crops: Sequence[Crop], generator: Generator) -> NDArray[np.uint8]:
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
