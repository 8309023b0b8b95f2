"""Find out who is in a film: every track with its faces, before anything is restored."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from gfpvideo.errors import InputError
from gfpvideo.faces.tracks_file import RecordedTrack, Tracks
from gfpvideo.frames import Crop, Frame
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import timecode
from gfpvideo.pixels.geometry import face_size
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.way import cut_out, follow
from gfpvideo.stages.run import Run
from gfpvideo.stages.spread import Spread

_KEPT = 8
"""Crops of a track that are kept at most."""


@dataclass(frozen=True)
class Survey:
    """The faces of a film."""

    tracks: Tracks
    crops: dict[int, list[Crop]]
    """A few crops of each track, spread over its time, by its number."""
    indexes: dict[int, list[int]]
    """Indexes of the frames that these were cut out of."""


@dataclass
class _Seen:
    """What is known of one track so far."""

    shot: int
    landmarks: dict[int, list[float]] = field(default_factory=dict)
    times: list[Fraction] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    trusts: list[float] = field(default_factory=list)
    crops: Spread[tuple[int, Crop]] = field(default_factory=lambda: Spread(_KEPT))

    def add(self, crop: Crop, frame: Frame) -> None:
        self.crops.add((frame.index, crop))
        self.landmarks[frame.index] = crop.face.landmarks.reshape(-1).tolist()
        self.times.append(frame.pts * frame.time_base)
        self.sizes.append(face_size(crop.face.landmarks))
        self.trusts.append(crop.trust)

    def record(self, number: int) -> RecordedTrack:
        return RecordedTrack(
            id=number,
            shot=self.shot,
            start=timecode(self.times[0]),
            end=timecode(self.times[-1]),
            size=round(float(np.median(self.sizes)), 1),
            trust=round(float(np.median(self.trusts)), 2),
            frames=self.landmarks,
        )


@dataclass(frozen=True)
class SoFar:
    """How far a film is followed, and who was seen until there."""

    frames: int
    """Frames that were followed."""
    expected: int | None
    """About how many there are, if the container knows."""
    size: tuple[int, int]
    """Width and height of the stored picture."""
    _seen: dict[int, _Seen]

    @property
    def count(self) -> int:
        """How many tracks there are by now."""
        return len(self._seen)

    def survey(self, options: RestoreOptions) -> Survey:
        """The tracks by now; the last ones may not have ended yet."""
        records = [track.record(number) for number, track in sorted(self._seen.items())]
        tracks = Tracks(placement=options.placement, width=self.size[0], height=self.size[1], tracks=records)
        kept = {number: track.crops.items for number, track in sorted(self._seen.items())}
        crops = {number: [crop for _, crop in items] for number, items in kept.items()}
        return Survey(tracks, crops, {number: [index for index, _ in items] for number, items in kept.items()})


def surveyed(
    source: Path, options: RestoreOptions, parts: Finder, size: int, *, threads: bool = True
) -> Generator[SoFar, None, None]:
    """Follow the faces of a film, and tell after every frame.

    Args:
        source: the film.
        options: how faces are found, followed and chosen.
        parts: what finds faces.
        size: side of the crops that are kept, in pixels.
        threads: whether to work ahead; without, nothing is done but while the next frame is asked for.

    Raises:
        InputError: if the film cannot be read, or has no faces.
    """
    seen: dict[int, _Seen] = {}
    shot = 0
    with open_film(source, options, count_all=True) as film, Run(threads=threads) as run:
        shape = film.stream.width, film.stream.height
        followed = follow(run("decode", film.frames(), thread=True), parts, options, run)
        for count, cropped in enumerate(cut_out(followed, parts, options, run, size), 1):
            shot += cropped.tracked.cut
            for crop in cropped.crops:
                seen.setdefault(crop.face.track, _Seen(shot)).add(crop, cropped.frame)
            yield SoFar(count, film.expected_frames, shape, seen)
    if not seen:
        raise InputError(f"{source}: no face was found")


def survey(
    source: Path,
    options: RestoreOptions,
    parts: Finder,
    size: int,
    on_frame: Callable[[int], None] | None = None,
) -> Survey:
    """Follow the faces of a film to its end; see :func:`surveyed`.

    Args:
        source: see there, as for ``options``, ``parts`` and ``size``.
        options: see there.
        parts: see there.
        size: see there.
        on_frame: called with the number of frames so far.
    """
    last = None
    for last in surveyed(source, options, parts, size):
        if on_frame is not None:
            on_frame(last.frames)
    assert last is not None, "a film without frames was refused"
    return last.survey(options)
