"""A sheet of who is in a film: a row a track, a few of its moments before and after."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.weigh import hopeless
from gfpvideo.faces.tracks_file import RecordedTrack
from gfpvideo.frames import Crop
from gfpvideo.restoration.moments import Moment
from gfpvideo.restoration.survey import Survey

SHOWN = 3
"""Moments of a track that the sheet shows."""
SIDE = 160
"""Side of a picture on the sheet."""
_TEXT_WIDTH = 300


def inspect_sheet(found: Survey, moments: Iterable[Moment], *, draw: bool = False) -> NDArray[np.uint8]:
    """(H, W, 3) BGR picture of all tracks, a row each.

    Args:
        found: the tracks.
        moments: of each up to ``SHOWN``, with sides of ``SIDE`` pixels.
        draw: draw the points of each face into the pictures before.
    """
    of_track: dict[int, list[Moment]] = {}
    for moment in moments:
        of_track.setdefault(moment.track, []).append(moment)
    return np.concatenate([_row(record, of_track[record.id], found, draw) for record in found.tracks.tracks])


def _row(record: RecordedTrack, shown: Sequence[Moment], found: Survey, draw: bool) -> NDArray[np.uint8]:
    """One track: its number, shot, times and size, and its moments before and after; a short one has fewer."""
    crops = dict(zip(found.indexes[record.id], found.crops[record.id], strict=True))
    pictures: list[NDArray[np.uint8]] = []
    for moment in shown:
        before = moment.before[..., ::-1]
        pictures += [_drawn(before, crops[moment.index]) if draw else before, moment.after[..., ::-1]]
    pictures += [np.full((SIDE, SIDE, 3), 255, np.uint8)] * (2 * SHOWN - len(pictures))
    return np.concatenate([_text(record), *pictures], axis=1)


def _text(record: RecordedTrack) -> NDArray[np.uint8]:
    text = np.full((SIDE, _TEXT_WIDTH, 3), 255, np.uint8)
    lines = (f"track {record.id}", f"shot {record.shot}, {record.size:.0f} px", f"{record.start} - {record.end}")
    if hopeless(record.trust):
        lines += ("left alone: cannot be placed",)
    for number, line in enumerate(lines):
        cv2.putText(text, line, (10, 50 + 32 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return text


def _drawn(picture: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """A picture with the points that the landmark network sees, green as far as they are trusted."""
    if crop.shape is None:
        return picture
    points = (crop.shape.points + 0.5) * (SIDE / len(crop.source)) - 0.5
    x, y = np.clip(np.round(points), 0, SIDE - 1).astype(int).T
    drawn = picture.copy()
    drawn[y, x] = (0, round(255 * crop.shape.trust), round(255 * (1 - crop.shape.trust)))
    return drawn
