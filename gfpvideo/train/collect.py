"""Make a folder of aligned faces to train on, out of photographs and of a film's own sharp frames."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import CorruptMediaError, InputError, OutputError, UnsupportedMediaError
from gfpvideo.faces.align import template
from gfpvideo.frames import Crop, CroppedFrame, Frame
from gfpvideo.media.source import VideoSource
from gfpvideo.media.still import PICTURE_SUFFIXES, read_picture, write_sheet
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.color import crop_to_bytes, rgb_to_ycc
from gfpvideo.pixels.geometry import move, scale_of
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.opening import for_stills
from gfpvideo.restoration.way import cut_out, follow
from gfpvideo.stages.run import Run
from gfpvideo.train.data import COMPONENT_FILE, boxes_around, boxes_of_points

_HOW = RestoreOptions(detect_every=1, lag=4, max_gap=4, min_score=0.6)
"""Every frame is searched, with enough before and after to tell a face from a flash, and surer than for a restoration:
a wrong face in the training data costs more than one that is missed."""


@dataclass(frozen=True)
class Selection:
    """Which faces are good enough."""

    size: int = 512
    """Side of an aligned face in pixels."""
    max_enlargement: float = 1.25
    """How many times a face may be enlarged to fill it."""
    per_track: int = 8
    """Faces of one track of a film; the sharpest are taken."""
    spacing: Fraction = Fraction(1, 2)
    """Seconds between two faces of one track, at least."""


@dataclass
class Collected:
    """What came of a collection."""

    faces: int = 0
    small: int = 0
    """Faces that would have had to be enlarged too much."""
    skipped: list[str] = field(default_factory=list)
    """Files that could not be read, and why."""


def collect(
    source: Path,
    target: Path,
    finder: Finder,
    selection: Selection,
    on_file: Callable[[Path], None] | None = None,
) -> Collected:
    """Write the aligned faces of ``source`` into the folder ``target``, and where their components are.

    Args:
        source: a film, a picture, or a folder of films and pictures.
        target: folder for ``NAME-NNN.png`` and ``components.json``; made if need be.
        finder: finds the faces, and their eyes and mouths.
        selection: which faces to take.
        on_file: called with each file before it is read.

    Raises:
        InputError: if there is nothing to read, or not one face was found.
        OutputError: if the target cannot be written, or holds a collection already.
    """
    files = _files(source)
    stems = Counter(path.stem for path in files)  # a telephone keeps IMG_1.JPG and IMG_1.MOV of one moment
    _prepare(target)
    collected, boxes = Collected(), {}
    for path in files:
        if on_file is not None:
            on_file(path)
        try:
            chosen = _chosen(path, finder, selection, collected)
        except (CorruptMediaError, InputError, UnsupportedMediaError) as error:
            collected.skipped.append(str(error))
            continue
        for number, crop in enumerate(chosen, 1):
            name = f"{path.stem if stems[path.stem] == 1 else path.name}-{number:03d}.png"
            write_sheet(target / name, crop_to_bytes(crop.source)[..., ::-1])
            boxes[name] = component_boxes_of(crop, finder).round(2).tolist()
            collected.faces += 1
    if not collected.faces:
        reasons = [f"{collected.small} faces were too small"] if collected.small else []
        raise InputError(f"{source}: no face to collect; {'; '.join(reasons + collected.skipped) or 'none was found'}")
    content = {"size": selection.size, "order": ["left_eye", "right_eye", "mouth"], "boxes": boxes}
    (target / COMPONENT_FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return collected


def component_boxes_of(crop: Crop, finder: Finder) -> NDArray[np.float64]:
    """(3, 4) boxes of left eye, right eye and mouth in an aligned crop.

    Without a landmark network they lie around the detector's landmarks, which differ from those of FFHQ by a few pixels
    on average; that is taken off again.
    """
    size = len(crop.source)
    if crop.shape is not None:
        return boxes_of_points(crop.shape.points, size)
    bias = template(size, finder.landmarks_512) - template(size)
    return boxes_around(move(crop.to_crop, crop.face.landmarks) - bias, size)


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    if not source.is_dir():
        return [source]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise InputError(f"{source}: the folder is empty")
    return files


def _prepare(target: Path) -> None:
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target}: the folder cannot be made ({error.strerror})") from None
    if any(target.iterdir()):
        raise OutputError(f"{target}: the folder is not empty; give another one with -o")


def _chosen(path: Path, finder: Finder, selection: Selection, collected: Collected) -> list[Crop]:
    """The faces of one file that are good enough."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        frames = iter([read_picture(path).frame])
        return [crop for _, crop in _large(_cropped(frames, finder, selection, for_stills(_HOW)), selection, collected)]
    with VideoSource(path) as film:
        return sharpest(_large(_cropped(film.frames(), finder, selection, _HOW), selection, collected), selection)


def _cropped(
    frames: Iterator[Frame], finder: Finder, selection: Selection, options: RestoreOptions
) -> Iterator[CroppedFrame]:
    with Run() as run:
        yield from cut_out(follow(frames, finder, options, run), finder, options, run, selection.size)


def _large(
    frames: Iterator[CroppedFrame], selection: Selection, collected: Collected
) -> Iterator[tuple[Fraction, Crop]]:
    """Crops that need not be enlarged too much, each with its time in seconds."""
    for frame in frames:
        for crop in frame.crops:
            if scale_of(crop.to_crop) > selection.max_enlargement:
                collected.small += 1
            elif not crop.face.filled:
                yield frame.frame.pts * frame.frame.time_base, crop


def sharpest(crops: Iterator[tuple[Fraction, Crop]], selection: Selection) -> list[Crop]:
    """The sharpest crop of each stretch of ``spacing`` seconds of a track, and of those the best ``per_track``."""
    stretches: dict[tuple[int, int], tuple[float, Crop]] = {}
    for seconds, crop in crops:
        stretch = (crop.face.track, int(seconds // selection.spacing))
        score = sharpness(crop)
        if stretch not in stretches or score > stretches[stretch][0]:
            stretches[stretch] = (score, crop)
            _keep_best(stretches, crop.face.track, selection.per_track)
    return [crop for _, crop in stretches.values()]


def _keep_best(stretches: dict[tuple[int, int], tuple[float, Crop]], number: int, limit: int) -> None:
    """Drop the least sharp stretches of a track beyond ``limit``: memory does not grow with the film."""
    own = sorted((key for key in stretches if key[0] == number), key=lambda key: -stretches[key][0])
    for key in own[limit:]:
        del stretches[key]


def sharpness(crop: Crop) -> float:
    """Mean energy of the Laplacian of the luma of the inner face: large where there is fine detail."""
    quarter = len(crop.source) // 4
    luma, _ = rgb_to_ycc(crop.source[quarter:-quarter, quarter:-quarter])
    smooth = cv2.GaussianBlur(luma, (0, 0), 1.0)  # grain is not sharpness
    return float(np.square(cv2.Laplacian(smooth, cv2.CV_32F)).mean())
