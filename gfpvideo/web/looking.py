"""Looking before restoring: who is in a film, and a moment of it before and after; for one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import seconds
from gfpvideo.pixels.color import crop_to_bytes
from gfpvideo.restoration.load import Parts, load_finder
from gfpvideo.restoration.moments import Moment, moments
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.run import Job
from gfpvideo.restoration.survey import SoFar, surveyed
from gfpvideo.restoration.way import reach

Pixels = NDArray[np.uint8]

_FACE = 160
"""Side of a face's picture in pixels."""
_SIDE = 512
"""Side of a moment's pictures."""


@dataclass(frozen=True)
class Person:
    """A face of a film, from when it is seen until when."""

    track: int
    shot: int
    start: str
    """``h:mm:ss.mmm``."""
    end: str
    picture: Pixels
    """(160, 160, 3) RGB."""

    @property
    def middle(self) -> float:
        """Seconds from the film's beginning to the middle of its time."""
        return float(seconds(self.start) + seconds(self.end)) / 2


def people(so_far: SoFar, options: RestoreOptions) -> list[Person]:
    """Everybody seen by now."""
    found = so_far.survey(options)
    return [
        Person(track.id, track.shot, track.start, track.end, _picture(found.crops[track.id]))
        for track in found.tracks.tracks
    ]


def _picture(crops: list[Any]) -> Pixels:
    """The face that can be placed best."""
    return crop_to_bytes(max(crops, key=lambda crop: crop.trust).source)


class Looking:
    """Networks for looking, kept from one look to the next."""

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self._turn = Lock()

    def follow(self, source: Path, options: RestoreOptions) -> Iterator[SoFar]:
        """Follow everybody in a film; see :func:`gfpvideo.restoration.survey.surveyed`.

        Raises:
            InputError: if it is no film, or has no faces.
        """
        if Job(source).kind != "film":
            raise InputError(f"{source}: is a photograph")
        with self._turn:
            yield from surveyed(source, options, load_finder(options), _FACE)

    def moment(self, source: Path, options: RestoreOptions, time: float) -> Moment:
        """The largest face about ``time`` seconds into a film, before and after.

        Raises:
            InputError: if nobody is to be seen there.
        """
        with self._turn:
            around = _around(source, options, Fraction(time).limit_denominator(1000))
            job = Job(source, options=around, parts=self._parts)
            self._parts = job.parts
            return moments(source, around, job.parts, most=1, side=_SIDE)[0]


def _around(source: Path, options: RestoreOptions, time: Fraction) -> RestoreOptions:
    """The same options for the part of a film that a restoration of that moment depends on, and a little more.

    Tracks are numbered over a whole film, so that none are chosen in a part.
    """
    with open_film(source, options) as film:
        rate = film.stream.average_rate or film.stream.base_rate or Fraction(25)
    span = reach(options)
    start = max(Fraction(0), time - (span.back + 2) / rate)
    values = {"only": (), "skip": (), "start": start, "end": time + (span.ahead + 2) / rate}
    return options.model_copy(update=values)
