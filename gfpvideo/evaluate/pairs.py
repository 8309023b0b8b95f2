"""Pictures that belong together: two folders by file name, or two films frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.frames import Frame, Rect, TrackedFrame
from gfpvideo.media.source import VideoSource
from gfpvideo.media.still import PICTURE_SUFFIXES, read_picture
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.color import crop_to_bytes, read_rgb, to_bytes
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.still import faces_of
from gfpvideo.restoration.way import cut_out
from gfpvideo.stages.run import Run

FACE_SIZE = 256
"""Side of the faces that are cut out for comparison."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """A picture and the one it should look like; (H, W, 3) RGB of one size."""

    name: str
    restored: Picture
    clean: Picture


def whole_pictures(restored: Path, clean: Path) -> Iterator[Pair]:
    """Pairs of whole pictures.

    Raises:
        InputError: if a source cannot be read, the two do not match, or pictures differ in size.
    """
    for name, a, b in _frames(restored, clean):
        yield Pair(name, _rgb(a), _rgb(b))


def faces(restored: Path, clean: Path, detector: Detector, size: int = FACE_SIZE) -> Iterator[Pair]:
    """Pairs of aligned faces, found in the clean pictures and cut out at the same place of both.

    Raises:
        InputError: as :func:`whole_pictures`, or if not one face is found.
    """
    options, parts = RestoreOptions(), Finder(detector)
    count = 0
    for name, a, b in _frames(restored, clean):
        found = faces_of(b, parts, options)
        one, other = (_crops(frame, found, parts, options, size) for frame in (a, b))
        for number, (ours, truth) in enumerate(zip(one, other, strict=True), 1):
            yield Pair(f"{name}, face {number}", ours, truth)
            count += 1
    if not count:
        raise InputError(f"{clean}: no face was found to compare")


def _crops(frame: Frame, found: TrackedFrame, parts: Finder, options: RestoreOptions, size: int) -> list[Picture]:
    """The faces of one picture, cut out of another at the same places."""
    with Run(threads=False) as run:
        (cropped,) = cut_out(iter([replace(found, frame=frame)]), parts, options, run, size)
    return [crop_to_bytes(crop.source) for crop in cropped.crops]


def _frames(restored: Path, clean: Path) -> Iterator[tuple[str, Frame, Frame]]:
    for path in (restored, clean):
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if restored.is_dir() != clean.is_dir():
        raise InputError(f"{restored} and {clean}: give two folders or two films")
    both = _folders(restored, clean) if clean.is_dir() else _films(restored, clean)
    for name, a, b in both:
        if a.size != b.size:
            sizes = " and ".join(f"{width}x{height}" for width, height in (a.size, b.size))
            raise InputError(f"{restored} and {clean}: {name} differs in size ({sizes})")
        yield name, a, b


def _folders(restored: Path, clean: Path) -> Iterator[tuple[str, Frame, Frame]]:
    listed = [
        {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICTURE_SUFFIXES}
        for folder in (restored, clean)
    ]
    alone = sorted(listed[0].keys() ^ listed[1].keys())
    if alone:
        raise InputError(f"{restored} and {clean}: {len(alone)} pictures are in one alone, for example {alone[0]}")
    if not listed[0]:
        raise InputError(f"{restored}: the folder holds no pictures")
    for name, path in listed[0].items():
        yield name, read_picture(path).frame, read_picture(listed[1][name]).frame


def _films(restored: Path, clean: Path) -> Iterator[tuple[str, Frame, Frame]]:
    with VideoSource(restored) as a, VideoSource(clean) as b:
        for index, (one, other) in enumerate(zip_longest(a.frames(), b.frames())):
            if one is None or other is None:
                shorter = restored if one is None else clean
                raise InputError(f"{shorter}: ends after {index} frames, the other film goes on")
            yield f"frame {index}", one, other


def _rgb(frame: Frame) -> Picture:
    width, height = frame.size
    rgb = read_rgb(frame.components, frame.samples, Rect(0, 0, width, height))
    if rgb.shape[2] != 3:
        rgb = np.repeat(rgb, 3, axis=2)
    return to_bytes(rgb)
