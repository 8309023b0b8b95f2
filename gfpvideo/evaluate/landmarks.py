"""How well a face's points are found on aged pictures, by size, turn and yaw; and how much they jitter in films.

Every finder is shown the same pictures. What is compared are the five anchors; those of a detector lie elsewhere on an
average face than ours (its ``landmarks_512``), which is taken off first.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.faces.detectors.centerface import CenterFace
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.faces.refine import to_ours
from gfpvideo.media.source import VideoSource
from gfpvideo.networks.landmark_net import LandmarkNet, load_landmarks, traced
from gfpvideo.networks.landmarks import (
    MESH,
    Landmarks,
    Rough,
    anchors,
    cut_face,
    rough_face,
    rough_of_anchors,
)
from gfpvideo.networks.weights import installed
from gfpvideo.pixels.color import FloatImage, to_bytes
from gfpvideo.pixels.geometry import face_size, invert, move, resample
from gfpvideo.train.degrade import age_as_tape, blur, enlarge, jpeg, noise, shrink, uneven_light, worn_film
from gfpvideo.train.landmarks_pictures import read_labels
from gfpvideo.train.landmarks_pose import pose_of

Points = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Random = np.random.Generator

Damage = Literal["compressed", "film", "tape"]
"""``compressed``: halved, noise, JPEG; ``film``: soft, faded, grain, dust and scratches; ``tape``: little detail,
noise, colour smeared and late, now and then combed."""

SIZES = (12, 20, 40, 80)
"""Pixels from eyes to mouth."""
TURNS = {"upright": 0.0, "turned": 45.0}
"""Largest angle in the picture, degrees."""
YAWS = (0, 15, 30, 90)
"""Bounds of the classes of yaw, degrees."""
_MISSED = 1.0
"""A face whose anchors are off by more than this share of the eye distance has been missed."""
_SHIFT, _SCALE = 0.06, 0.15
"""By how much a rough face is off: standard deviations, as shares of its size."""
_MIN_SCORE = 0.25
"""Least score of a detection, low so that poor faces are found at all."""
_MARGIN = 0.15
"""What is seen around the picture of a face, as a share of its side."""


@dataclass(frozen=True)
class Shown:
    """A picture of a face, and where it is."""

    rgb: Bytes
    mesh: Points
    """(N, 2) our points of the face."""
    rough: Rough
    """Where a detector might have seen it."""


Finder = Callable[[Shown], Points | None]
"""Finds the five anchors (5, 2) of the one face of a picture, as ours lie; or nothing."""


# Finders


def detector_finder(detector: Detector) -> Finder:
    """What the detector alone finds; the best of its faces."""

    def find(shown: Shown) -> Points | None:
        found = detector.detect([np.ascontiguousarray(shown.rgb[..., ::-1])])[0]
        return to_ours(found[0].landmarks, detector.landmarks_512) if found else None

    return find


def network_finder(network: Landmarks) -> Finder:
    """What the network finds from a rough face."""

    def find(shown: Shown) -> Points | None:
        return refined(network, shown.rgb, shown.rough)

    return find


def twice_finder(network: Landmarks) -> Finder:
    """What the network finds when it looks again at where it found the face first, as it does from frame to frame."""

    def find(shown: Shown) -> Points | None:
        return refined(network, shown.rgb, rough_of_anchors(refined(network, shown.rgb, shown.rough)))

    return find


def refining_finder(network: Landmarks, detector: Detector) -> Finder:
    """What the network finds from the detector's anchors."""

    def find(shown: Shown) -> Points | None:
        found = detector.detect([np.ascontiguousarray(shown.rgb[..., ::-1])])[0]
        if not found:
            return None
        return refined(network, shown.rgb, rough_of_anchors(to_ours(found[0].landmarks, detector.landmarks_512)))

    return find


def all_finders(network: Landmarks) -> dict[str, Finder]:
    """What is compared, by name."""
    detector = CenterFace(_MIN_SCORE)
    return {
        "centerface": detector_finder(detector),
        "ours, rough face": network_finder(network),
        "ours, twice": twice_finder(network),
        "ours, on centerface": refining_finder(network, detector),
    }


def refined(network: Landmarks, rgb: Bytes, rough: Rough) -> Points:
    """The network's anchors (5, 2) in the picture."""
    crop, to_crop = cut_face(rgb.astype(np.float32) / np.float32(255), rough)
    return anchors(move(invert(to_crop), network(crop[None]).points[0]))


# Stills


@dataclass
class LandmarkScores:
    """Errors as shares of the eye distance, by finder and class; ``None`` for a face that was not found."""

    errors: dict[str, dict[str, list[float | None]]] = field(default_factory=dict)

    def add(self, finder: str, classes: Sequence[str], error: float | None) -> None:
        """Count one face in each of its classes."""
        for name in classes:
            self.errors.setdefault(finder, {}).setdefault(name, []).append(error)

    def figures(self, finder: str, name: str) -> dict[str, float]:
        """Mean error of the faces found, share of those that were missed, and count."""
        errors = self.errors[finder].get(name, [])
        found = [error for error in errors if error is not None]
        missed = 1 - len(found) / len(errors) if errors else math.nan
        return {"error": float(np.mean(found)) if found else math.nan, "missed": missed, "faces": len(errors)}

    def table(self) -> str:
        """Lines for a terminal: a class a line, each finder's error and misses beside each other."""
        finders = list(self.errors)
        names = sorted(next(iter(self.errors.values())), key=lambda name: (name.startswith("yaw"), name))
        lines = [f"{'':<22}{'faces':>6}" + "".join(f"{finder:>24}" for finder in finders)]
        for name in names:
            figures = [self.figures(finder, name) for finder in finders]
            cells = [f"{one['error']:>16.4f}{100 * one['missed']:>6.1f} %" for one in figures]
            lines.append(f"{name:<22}{figures[0]['faces']:>6.0f}" + "".join(cells))
        return "\n".join([*lines, "mean error of the five anchors / eye distance, and share of faces that were missed"])

    def as_json(self) -> str:
        """The figures by finder and class."""
        figures = {
            finder: {name: self.figures(finder, name) for name in classes} for finder, classes in self.errors.items()
        }
        return json.dumps(figures, indent=2).replace("NaN", "null")


def score_stills(
    folder: Path,
    labels: Path,
    network: Path | None = None,
    *,
    numbers: range | None = None,
    damage: Damage = "compressed",
    seed: int = 0,
    on_face: Callable[[], object] | None = None,
) -> LandmarkScores:
    """Age each face at each size, upright and turned, and let each finder look for it.

    Args:
        folder: pictures of one face each.
        labels: file of their points (``names``, ``points`` (N, 478, 3)).
        network: file of the landmark network, by default the one that ships with gfpvideo.
        numbers: numbers that the names of the files to use begin with, by default all.
        damage: how they are aged.
        seed: start of the random numbers.
        on_face: called after each face.

    Raises:
        InputError: if there is nothing to measure on.
    """
    scores, ours = LandmarkScores(), _network(network)
    finders = all_finders(Landmarks(traced(ours)))
    for index, (picture, mesh) in enumerate(_labelled(folder, labels, numbers)):
        yaw = class_of_yaw(pose_of(mesh, ours.canonical.numpy())[0])
        for size in SIZES:
            for turn, largest in TURNS.items():
                random = np.random.default_rng((seed, index, size))
                shown = aged_face(picture, mesh[:, :2], size, largest, random, damage)
                for name, finder in finders.items():
                    error = anchor_error(finder(shown), shown.mesh)
                    scores.add(name, (f"{size} px, {turn}", f"{yaw}, {turn}"), error)
        if on_face is not None:
            on_face()
    if not scores.errors:
        raise InputError(f"{folder}: holds none of the pictures that {labels} names")
    return scores


def class_of_yaw(yaw: float) -> str:
    """Which class of :data:`YAWS` an angle in radians belongs to."""
    place = int(np.clip(np.searchsorted(YAWS, abs(np.degrees(yaw))), 1, len(YAWS) - 1))
    return f"yaw {YAWS[place - 1]}-{YAWS[place]}"


def _network(path: Path | None) -> LandmarkNet:
    return load_landmarks(installed("landmarks") if path is None else path)


def _labelled(folder: Path, labels: Path, numbers: range | None) -> Iterator[tuple[Bytes, Points]]:
    """Each picture (H, W, 3) RGB and our points (N, 3) in it."""
    content = read_labels(labels)
    for name, mesh in zip(content["names"], content["points"], strict=True):
        number = re.match(r"\d+", str(name))
        if numbers is not None and not (number and int(number[0]) in numbers):
            continue
        picture = cv2.imread(str(folder / str(name)), cv2.IMREAD_COLOR)
        if picture is not None:
            yield np.asarray(picture[..., ::-1], np.uint8), mesh[list(MESH)].astype(np.float64)


def aged_face(
    picture: Bytes, mesh: Points, size: float, largest: float, random: Random, damage: Damage = "compressed"
) -> Shown:
    """A face of ``size`` pixels from eyes to mouth, turned by up to ``largest`` degrees, and aged."""
    angle = np.radians(random.uniform(-largest, largest))
    scale = size / face_size(anchors(mesh))
    side = max(32, round(len(picture) * scale * (1 + 2 * _MARGIN)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    affine = np.column_stack([linear, (side - 1) / 2 - linear @ np.full(2, (len(picture) - 1) / 2)])
    small = resample(picture.astype(np.float32) / np.float32(255), affine, (side, side), cv2.BORDER_REFLECT_101)
    points = move(affine, mesh)
    return Shown(to_bytes(_AGED[damage](np.clip(small, 0, 1), random)), points, _off(rough_face(points), random))


def _compressed(picture: FloatImage, random: Random) -> FloatImage:
    """Halved, noise of 8 and JPEG of quality 40, enlarged again."""
    size = picture.shape[1::-1]
    return np.clip(enlarge(jpeg(noise(shrink(picture, 2), 8 / 255, random), 40), size), 0, 1)


def _film(picture: FloatImage, random: Random) -> FloatImage:
    return worn_film(uneven_light(blur(picture, 1.2, random), random), random)


def _tape(picture: FloatImage, random: Random) -> FloatImage:
    size = picture.shape[1::-1]
    return age_as_tape(np.clip(enlarge(noise(shrink(picture, 1.6), 10 / 255, random), size), 0, 1), random)


_AGED: dict[Damage, Callable[[FloatImage, Random], FloatImage]] = dict(
    zip(get_args(Damage), (_compressed, _film, _tape), strict=True)
)


def _off(rough: Rough, random: Random) -> Rough:
    """As a detector errs."""
    centre = rough.centre + random.normal(0, _SHIFT, 2) * rough.size
    return Rough(centre, rough.size * float(np.exp(random.normal(0, _SCALE))), 0.0)


def anchor_error(found: Points | None, mesh: Points) -> float | None:
    """Mean distance of five anchors from the mesh's, over its eye distance; ``None`` if they are not there at all."""
    if found is None:
        return None
    wanted = anchors(mesh)
    error = float(np.linalg.norm(found - wanted, axis=1).mean() / np.linalg.norm(wanted[1] - wanted[0]))
    return error if error < _MISSED else None


# Films


@dataclass
class Jitter:
    """Standard deviation of the anchors' noise from frame to frame, as a share of the eye distance."""

    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By film and size, then by finder."""

    def table(self) -> str:
        """Lines for a terminal."""
        finders = list(next(iter(self.values.values())))
        lines = [f"{'':<36}" + "".join(f"{finder:>24}" for finder in finders)]
        lines += [
            f"{name:<36}" + "".join(f"{values[finder]:>24.4f}" for finder in finders)
            for name, values in self.values.items()
        ]
        return "\n".join([*lines, "noise of the anchors from frame to frame / eye distance"])

    def as_json(self) -> str:
        """The values by film and finder."""
        return json.dumps(self.values, indent=2).replace("NaN", "null")


def score_films(
    folder: Path,
    labels: Path,
    films: Sequence[str],
    network: Path | None = None,
    *,
    sizes: Sequence[int] = (20, 40),
    damage: Damage = "compressed",
    seed: int = 0,
    on_film: Callable[[], object] | None = None,
) -> Jitter:
    """Age each frame by itself and see how the anchors that are found tremble against those of the clean film.

    Args:
        folder: films of one face each.
        labels: file of their points by film (frames, 478, 3).
        films: names of the films, without suffix.
        network: file of the landmark network, by default the one that ships with gfpvideo.
        sizes: pixels from eyes to mouth.
        damage: how they are aged.
        seed: start of the random numbers.
        on_film: called after each film.

    Raises:
        InputError: if a film or its points are missing.
    """
    content, jitter = read_labels(labels), Jitter()
    finders = all_finders(Landmarks(traced(_network(network))))
    for film in films:
        if film not in content:
            raise InputError(f"{labels}: holds no points of {film}")
        frames = list(_frames(folder, film))
        for size in sizes:
            shown = [
                aged_face(rgb, mesh[list(MESH), :2].astype(np.float64), size, 0.0, random, damage)
                for rgb, mesh, random in zip(frames, content[film], _randoms(seed), strict=False)
            ]
            jitter.values[f"{film}, {size} px"] = {name: trembling(finder, shown) for name, finder in finders.items()}
        if on_film is not None:
            on_film()
    return jitter


def _randoms(seed: int) -> Iterator[Random]:
    return (np.random.default_rng((seed, index)) for index in count())


def _frames(folder: Path, film: str) -> Iterator[Bytes]:
    path = next(iter(sorted(folder.glob(f"{film}.*"))), folder / film)
    with VideoSource(path) as source:
        for frame in source.frames():
            yield np.ascontiguousarray(frame.thumbnail(4096)[..., ::-1])


def trembling(finder: Finder, shown: Sequence[Shown]) -> float:
    """Standard deviation of the finder's noise, from second differences of what it is off."""
    errors = [_offset(finder(one), one.mesh) for one in shown]
    trios = zip(errors, errors[1:], errors[2:], strict=False)
    differences = [a - 2 * b + c for a, b, c in trios if a is not None and b is not None and c is not None]
    return float(np.sqrt(np.mean(np.square(differences)) / 6)) if differences else math.nan


def _offset(found: Points | None, mesh: Points) -> Points | None:
    if anchor_error(found, mesh) is None or found is None:
        return None
    wanted = anchors(mesh)
    return (found - wanted) / np.linalg.norm(wanted[1] - wanted[0])
