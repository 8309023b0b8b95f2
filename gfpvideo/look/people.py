"""Who is in an album, on one sheet and as text."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.restoration.album import Person

_CAPTION, _SIDE, _FACES = 28, 150, 6


def people_sheet(people: Sequence[Person]) -> NDArray[np.uint8]:
    """(H, W, 3) BGR picture with a row for each person: number, how often and where seen, some faces."""
    return np.concatenate([_row(person) for person in people])


def _row(person: Person) -> NDArray[np.uint8]:
    caption = np.full((_CAPTION, _FACES * _SIDE, 3), 255, np.uint8)
    cv2.putText(caption, told(person, 40), (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    looks = [seen.picture for tracks in person.where.values() for seen in tracks][:: _every(person)][:_FACES]
    shown = np.full((_SIDE, _FACES * _SIDE, 3), 255, np.uint8)
    for place, look in enumerate(looks):
        picture = cv2.imdecode(np.frombuffer(look, np.uint8), cv2.IMREAD_COLOR)
        if picture is not None:
            shown[:, place * _SIDE : (place + 1) * _SIDE] = picture
    return np.concatenate([caption, shown])


def _every(person: Person) -> int:
    return max(1, sum(map(len, person.where.values())) // _FACES)


def told(person: Person, most: int = 200) -> str:
    """One person in a line."""
    frames, files = person.frames, [path.name for path in person.where]
    where = ", ".join(files)
    where = where if len(where) <= most else f"{where[: most - 3]}..."
    return f"person {person.number}: {frames} frame{'s' * (frames != 1)} in {len(files)} of the files ({where})"
