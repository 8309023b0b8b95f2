"""A box of films and photographs: who appears in it, and where.

Every file is looked through once; what was seen is kept in the folder, so that an interrupted look goes on and a new
film costs no more than itself. Faces are grouped by person with the recogniser of the extra `[likeness]`.
"""

import base64
import logging
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError
from scipy.cluster import hierarchy

from gfpvideo.errors import EngineError, GfpvideoError, InputError, StoppedError, WeightsError, bug
from gfpvideo.frames import Crop, Frame
from gfpvideo.media.atomic import make_folder, replace_whole
from gfpvideo.media.still import read_picture
from gfpvideo.networks.likeness import Picture, Recogniser, picture_of
from gfpvideo.options.groups import films_alone, no_matter, taken
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.geometry import scale_of
from gfpvideo.report import Report
from gfpvideo.restoration.batch import Batch, found_in, is_picture
from gfpvideo.restoration.events import Event, Following
from gfpvideo.restoration.jobs.fingerprint import file_fingerprint
from gfpvideo.restoration.load import Finder, load_finder
from gfpvideo.restoration.opening import for_stills, open_film
from gfpvideo.restoration.run import Job
from gfpvideo.restoration.who import SIDE, look_at_everybody
from gfpvideo.stages.spread import Spread

_log = logging.getLogger(__name__)

FOLDER = ".gfpvideo-album"
"""Folder in the album's own where what was seen is kept."""
_LOOKS = 8
"""Crops of a track that are compared at most."""
_SMALLEST = 64
"""Side in display pixels of the smallest crop in which somebody is recognised: a face of some 25 pixels."""
_APART = 0.5
"""Mean distance of vectors from which on two are other persons; see :mod:`gfpvideo.networks.likeness`."""


class Seen(BaseModel):
    """Somebody in one file: a track."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    track: int
    frames: int
    vector: list[float]
    """Who it is."""
    picture: Base64Bytes
    """What they look like, a PNG."""


class _Record(BaseModel):
    """What was seen in one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    """Fingerprint of the file."""
    options: str
    """What faces were found and followed by."""
    seen: list[Seen]


@dataclass(frozen=True)
class Looked:
    """A file was looked through, now or earlier."""

    source: Path
    people: int
    """Tracks that can be recognised in it."""
    done: int
    expected: int


@dataclass(frozen=True)
class Person:
    """Somebody who appears in the album."""

    number: int
    """From 1: who is seen in most frames comes first."""
    where: dict[Path, list[Seen]]
    """Files, and the tracks in them."""

    @property
    def frames(self) -> int:
        """Frames in which they are seen, photographs included."""
        return sum(seen.frames for tracks in self.where.values() for seen in tracks)


@dataclass
class Album:
    """A folder of films and photographs; those in other folders inside it are not looked at."""

    folder: Path
    options: RestoreOptions
    stop: Flag
    warnings: list[str] = field(default_factory=list)
    """Files that could not be looked at, and why."""
    _seen: dict[Path, list[Seen]] = field(default_factory=dict)

    def look(self) -> Iterator[Following | Looked]:
        """Look through every file that was not looked through before.

        Raises:
            StoppedError: if it was asked to stop; what was seen is kept.
            EngineError: if the extra `[likeness]` is missing.
            InputError: if there is no such folder, or it holds no films and no pictures.
            OutputError: if what is seen cannot be kept.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; gfpvideo album wants a folder of films and photographs")
        files = [path for kind in found_in(self.folder) for path in kind]
        if not files:
            raise InputError(f"{self.folder}: the folder holds no films, and no pictures")
        recogniser, finder = Recogniser(), load_finder(self.options)
        make_folder(self.folder / FOLDER)
        for done, path in enumerate(files, 1):
            try:
                self._seen[path] = yield from self._look_at(path, finder, recogniser)
            except (StoppedError, EngineError, WeightsError):
                raise
            except GfpvideoError as error:
                self.warnings.append(f"skipped: {error}")
                continue
            except Exception as error:
                _log.exception("%s: looking through it failed", path)
                self.warnings.append(f"skipped: {path}: {bug(error)}")
                continue
            yield Looked(path, len(self._seen[path]), done, len(files))

    def _look_at(self, path: Path, finder: Finder, recogniser: Recogniser) -> Generator[Following, None, list[Seen]]:
        kept = self.folder / FOLDER / f"{path.name}.json"
        fingerprint, options = file_fingerprint(path), _following(self.options)
        known = _read(kept)
        if known is None or (known.source, known.options) != (fingerprint, options):
            seen = yield from self._tracks(path, finder, recogniser)
            known = _Record(source=fingerprint, options=options, seen=seen)
            replace_whole(kept, known.model_dump_json().encode())
        return known.seen

    def _tracks(self, path: Path, finder: Finder, recogniser: Recogniser) -> Generator[Following, None, list[Seen]]:
        tracks: dict[int, _Track] = {}

        def note(crop: Crop) -> None:
            tracks.setdefault(crop.face.track, _Track()).add(crop)

        with _opened(path, self.options) as (frames, expected, options):
            yield from look_at_everybody(frames, expected, options, finder, self.stop, note)
        found = (track.seen(number, recogniser) for number, track in sorted(tracks.items()))
        return [seen for seen in found if seen is not None]

    def people(self) -> list[Person]:
        """Everybody who was seen."""
        return people(self._seen)

    def restore(self, chosen: Collection[Person], target: Path, report: Report) -> Iterator[Event]:
        """Restore the faces of the chosen people in all files that show one; what is there already is taken for done.

        Args:
            chosen: the people.
            target: the folder to write.
            report: filled on the way; files that show none of them are named in it.

        Raises:
            StoppedError: if it was asked to stop.
            GfpvideoError: if not one file can be restored, or the folder not be written.
        """
        tracks: dict[Path, list[int]] = {}
        for person in chosen:
            for path, seen in person.where.items():
                tracks.setdefault(path, []).extend(each.track for each in seen)
        report.warnings += [f"{path}: shows none of them, left out" for path in self._seen if path not in tracks]
        latest: Job | None = None

        def job_of(path: Path, to: Path) -> Job:
            nonlocal latest
            picture = is_picture(path)
            options = self.options.usual(films_alone(RestoreOptions)) if picture else self.options
            chosen = {"only": tuple(sorted(tracks[path])), "resume": not picture}
            kept = latest.parts if latest else None
            latest = Job(path, to, options.model_copy(update=chosen), kept, stop=self.stop)
            return latest

        files = sorted(tracks, key=is_picture, reverse=True)
        going_on = self.options.model_copy(update={"resume": True})
        yield from Batch(files, target, going_on, job_of, None, report, self.stop).run()


class _Track:
    """Somebody in one file, while it is read."""

    def __init__(self) -> None:
        self._looks: Spread[tuple[Picture, float]] = Spread(_LOOKS)
        self._frames = 0

    def add(self, crop: Crop) -> None:
        self._frames += 1
        self._looks.offer(lambda: (picture_of(crop.source), SIDE / scale_of(crop.to_crop)))

    def seen(self, number: int, recogniser: Recogniser) -> Seen | None:
        """What is kept of it; ``None`` if it is too small to tell who that is."""
        pictures = [picture for picture, side in self._looks.items if side >= _SMALLEST]
        if not pictures:
            return None
        shown = cv2.imencode(".png", pictures[len(pictures) // 2][..., ::-1])[1].tobytes()
        vector = recogniser(pictures).tolist()
        return Seen(track=number, frames=self._frames, vector=vector, picture=base64.b64encode(shown))


@contextmanager
def _opened(path: Path, options: RestoreOptions) -> Iterator[tuple[Iterator[Frame], int | None, RestoreOptions]]:
    """Frames of a film or a photograph, about how many there are, and the options for them."""
    if is_picture(path):
        yield iter([read_picture(path).frame]), 1, for_stills(options)
        return
    with open_film(path, options) as film:
        yield film.frames(), film.expected_frames, options


def people(seen: Mapping[Path, Sequence[Seen]]) -> list[Person]:
    """Tracks grouped by person: by the mean distance of their vectors (average linkage).

    Args:
        seen: the tracks of each file.
    """
    tracks = [(path, each) for path, found in seen.items() for each in found]
    if not tracks:
        return []
    groups: dict[int, dict[Path, list[Seen]]] = {}
    for label, (path, each) in zip(_labels(np.array([each.vector for _, each in tracks])), tracks, strict=True):
        groups.setdefault(label, {}).setdefault(path, []).append(each)
    largest = sorted((Person(0, where) for where in groups.values()), key=lambda person: -person.frames)
    return [Person(number, person.where) for number, person in enumerate(largest, 1)]


def _labels(vectors: NDArray[np.float64]) -> list[int]:
    if len(vectors) == 1:
        return [1]
    return hierarchy.fcluster(hierarchy.linkage(vectors, "average"), _APART, "distance").tolist()


def _following(options: RestoreOptions) -> str:
    """What tracks depend on, as text."""
    names = set(taken(RestoreOptions, "inspect")) - no_matter(RestoreOptions)
    return options.model_dump_json(include=names)


def _read(path: Path) -> _Record | None:
    try:
        return _Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # not there yet, or of another version: looked at anew
        return None
