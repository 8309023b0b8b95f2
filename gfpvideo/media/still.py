"""Photographs: read and write them with what they carry (:mod:`gfpvideo.media.carried`).

Pictures of 8 bits a sample go through Pillow, deeper ones through OpenCV, which keeps all of their bits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from gfpvideo.errors import GfpvideoError, InputError, OptionError, OutputError, UnsupportedMediaError
from gfpvideo.frames import Frame, RestoredFrame, Samples
from gfpvideo.media.atomic import atomic_target
from gfpvideo.media.carried import UNREADABLE, Carried
from gfpvideo.media.container import Limits, check_size
from gfpvideo.media.orientation import EXIF_TURNS, Orientation, Turn
from gfpvideo.media.pixel_format import read_only
from gfpvideo.pixels.patches import lay_over

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
"""Suffixes of files that are taken for photographs."""
_DEEP_SUFFIXES = {".png", ".tif", ".tiff"}
"""Those of formats that are written with 16 bits a sample."""
_LONGEST = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}
"""Most pixels of a side that a format's library writes, where it has a limit."""
_DIRECT_MODES = {"L", "LA", "RGB", "RGBA"}
"""Pillow modes whose samples are used as they are."""
_CONVERTED_MODES = {"P": "RGB", "1": "L", "PA": "RGBA"}
"""Pillow modes that hold less than 8 bits of colour, and what they become without loss."""
_CLEAR_MODES = {"P": "RGBA", "1": "LA", "L": "LA", "RGB": "RGBA"}
"""What they become, and some others, where one of their colours is said to be transparent."""
_SEVERAL = "MPO"
"""Format of telephones and cameras: a JPEG, and behind it others (a second view, depth, a gain map)."""


_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""The TIFF tag of how samples are meant, and that of negatives and faxes."""
_OPENING = Lock()
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
"""Some programs write their history into a picture, which is more than the megabyte that Pillow reads at once."""


@dataclass(frozen=True)
class Picture:
    """An opened photograph: its frame, and what else the file held."""

    frame: Frame
    """Its ``picture``: (H, W) or (H, W, C) samples in storage orientation, RGB order, alpha last."""
    mode: str
    """Pillow's name for the samples, or empty for deep ones."""
    carried: Carried
    """What else the file holds, and how it is to be written."""
    warnings: tuple[str, ...] = ()
    """What cannot be kept."""


def check_picture_target(target: Path, source: Path | None = None) -> None:
    """Refuse a target that no photograph, or not the one of ``source``, can be written to, before any work.

    Raises:
        OptionError: if its suffix is none of a format that is written, or that format would lose a part of the picture.
    """
    suffix = target.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise OptionError(
            f"{target}: unknown kind of picture {suffix!r}; use one of {', '.join(sorted(PICTURE_SUFFIXES))}"
        )
    if source is None:
        return
    try:
        with _opened(source) as image:
            deep, clear = _is_deep(source, image), image.has_transparency_data
    except UNREADABLE:
        return  # the source is refused in the words for it when it is read
    if deep and suffix not in _DEEP_SUFFIXES:
        raise OptionError(f"{target}: {suffix} holds 8 bits a sample, {source} has more; give a .png or a .tiff")
    if clear and suffix in {".jpg", ".jpeg"}:
        raise OptionError(f"{target}: JPEG holds no transparency, which {source} has; give a .png, .webp or .tiff")


def read_picture(path: Path, target: Path | None = None, max_side: int = Limits.max_side) -> Picture:
    """Open a photograph as a film of one frame.

    Args:
        path: the file.
        target: where it goes, if that is known: warnings are about what cannot be kept there.
        max_side: most pixels of a side that are read.

    Raises:
        InputError: if it cannot be read.
        UnsupportedMediaError: if its samples are of a kind that is not restored (CMYK, floats), or there are too many,
            or several pages of them.
    """
    try:
        with _opened(path) as image:
            check_size(*image.size, path, Limits(max_side))
            image.load()
            several = _left_out(path, image)
            read = _from_deep if _is_deep(path, image) else _from_pillow
            picture = read(path, image, target or path)
            return replace(picture, warnings=picture.warnings + several)
    except GfpvideoError:
        raise
    except UNREADABLE as error:
        told = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise InputError(f"{path}: not a readable picture ({told})") from None


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A picture whose header has been read, of any size.

    Pillow is handed an open file: one that it opens itself it may map, and then it reads turned TIFFs awry. Its own
    limit, which nobody can raise, is lifted while it looks at the header.
    """
    with path.open("rb") as file:
        with _OPENING:
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(file)
            finally:
                Image.MAX_IMAGE_PIXELS = limit
        with image:
            yield image


def _left_out(path: Path, image: Image.Image) -> tuple[str, ...]:
    """A warning where further pictures go with the first one; pages and moving pictures are refused."""
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return ()
    if image.format != _SEVERAL:
        raise UnsupportedMediaError(f"{path}: holds {count} pictures; split it first")
    return (f"{path}: holds {count} pictures: the first is restored, the rest is left out",)


def check_sides(picture: Picture, target: Path, times: int) -> None:
    """Refuse to enlarge a photograph beyond what the target's format holds, before any work.

    Raises:
        OptionError: if it would be.
    """
    longest = _LONGEST.get(target.suffix.lower())
    width, height = (times * side for side in picture.frame.size)
    if longest is not None and max(width, height) > longest:
        raise OptionError(
            f"{target}: {width}x{height} pixels are more than {target.suffix} holds ({longest} a side); give a .png, or"
            " a smaller --upscale"
        )


def write_picture(picture: Picture, restored: RestoredFrame, target: Path, *, overwrite: bool) -> None:
    """Write a restored photograph in the format of its suffix, with what the source carried.

    Raises:
        OutputError: if it cannot be written; nothing is left behind then.
    """
    whole = restored.frame.picture
    assert isinstance(whole, np.ndarray), "frames of photographs carry their samples"
    pixels = whole.copy()
    lay_over(restored, components_of(pixels))
    with atomic_target(target, overwrite=overwrite) as scratch:
        carried = picture.carried
        if restored.frame.size != picture.frame.size:
            carried = carried.resized(*restored.frame.size)
        if picture.mode:
            Image.fromarray(pixels).save(scratch, **carried.saving(target))
        else:
            _write_deep(pixels, scratch, carried)


def _from_pillow(path: Path, image: Image.Image, target: Path) -> Picture:
    carried = Carried.of(path, image)
    lost = carried.lost_in(target)
    warnings = (f"{path}: {' and '.join(lost)} cannot be kept in a {target.suffix.lower()}",) if lost else ()
    modes = _CONVERTED_MODES | (_CLEAR_MODES if "transparency" in image.info else {})
    mode = modes.get(image.mode, image.mode)
    turn, image = _turn(image), image if mode == image.mode else image.convert(mode)
    if mode not in _DIRECT_MODES:
        raise UnsupportedMediaError(f"{path}: pictures in {mode} are not supported; convert it to RGB first")
    pixels = np.asarray(image)
    return Picture(_frame(pixels, 8, turn), mode, carried, warnings)


def _turn(image: Image.Image) -> Turn:
    return EXIF_TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1), EXIF_TURNS[1])


def _is_deep(path: Path, image: Image.Image) -> bool:
    """Whether the file holds more than 8 bits a sample; Pillow would drop them from colour pictures."""
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return True
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in _tiles(path))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(258, (8,))) > 8
    return False


def _tiles(path: Path) -> list[Any]:
    """Tiles as the file describes them; loading a picture empties Pillow's own list, so it is opened again."""
    with _opened(path) as fresh:
        return list(fresh.tile)  # type: ignore[attr-defined]  # a picture opened from a file has them


def _from_deep(path: Path, image: Image.Image, target: Path) -> Picture:
    """Turned upright: OpenCV writes samples alone, and in a TIFF the tag that says how they are turned is lost."""
    found = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)  # imread fails at turned TIFFs
    if found is None or found.dtype != np.uint16:
        raise UnsupportedMediaError(f"{path}: only whole samples of 8 or 16 bits are supported")
    pixels = _swap_red_blue(np.asarray(found, np.uint16))
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        pixels = np.iinfo(np.uint16).max - pixels  # OpenCV hands them on as they are, and writes black as zero
    pixels = Orientation(pixels.shape[1], pixels.shape[0], turn=_turn(image)).upright(pixels)
    carried = Carried.of(path, image).upright()
    lost, suffix = carried.lost_in(target, deep=True), target.suffix.lower()
    hint = "" if suffix == ".png" else " (a .png keeps more)"
    warnings = (f"{path}: {' and '.join(lost)} cannot be kept in a {suffix} of 16 bits{hint}",) if lost else ()
    return Picture(_frame(pixels, 16, EXIF_TURNS[1]), "", carried, warnings)


def _write_deep(pixels: NDArray[np.integer], scratch: Path, carried: Carried) -> None:
    done, coded = cv2.imencode(scratch.suffix, _swap_red_blue(pixels))
    if not done:
        raise OSError(f"OpenCV cannot write {scratch.suffix} with 16 bits a sample")
    written = coded.tobytes()  # OpenCV would not see that the end of a file fails
    scratch.write_bytes(carried.beside(written) if scratch.suffix.lower() == ".png" else written)


def write_sheet(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a (H, W, 3) BGR picture that stands for itself: a contact sheet, a preview, an aligned face.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        _, coded = cv2.imencode(path.suffix, picture)
        path.write_bytes(coded.tobytes())
    except (cv2.error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else f"unknown kind {path.suffix!r}"
        raise OutputError(
            f"{path}: the picture cannot be written ({why}); give a .png in a folder that exists"
        ) from None


def _swap_red_blue(pixels: NDArray[np.integer]) -> NDArray[np.integer]:
    """RGB or RGBA from OpenCV's order, and back."""
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]


def planes_of(pixels: NDArray[np.integer]) -> tuple[NDArray[np.integer], ...]:
    """Views of a photograph's samples, (H, W) or (H, W, C), one (H, W) array each; transparency is the last."""
    whole = pixels.reshape(*pixels.shape[:2], -1)
    return tuple(whole[..., index] for index in range(whole.shape[2]))


def components_of(pixels: NDArray[np.integer]) -> tuple[NDArray[np.integer], ...]:
    """The same without transparency: R, G, B, or shades of grey alone."""
    planes = planes_of(pixels)
    return planes[: 3 if len(planes) >= 3 else 1]


def _frame(pixels: NDArray[np.integer], bits: int, turn: Turn) -> Frame:
    height, width = pixels.shape[:2]
    colours = components_of(pixels)
    colour = pixels.reshape(height, width, -1)[..., : len(colours)]
    orientation = Orientation(width, height, turn=turn)
    return Frame(
        index=0,
        pts=0,
        time_base=Fraction(1),
        components=read_only(colours),
        samples=Samples("rgb" if len(colours) == 3 else "gray", bits, full_range=True),
        to_display=orientation.to_display(),
        shrink=partial(_shrunk, colour, bits, orientation),
        picture=pixels,
    )


def _shrunk(
    colour: NDArray[np.integer], bits: int, orientation: Orientation, width: int, height: int
) -> NDArray[np.uint8]:
    size = (height, width) if orientation.swaps_axes else (width, height)
    resized = cv2.resize(colour, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    small = (np.asarray(resized, colour.dtype) >> (bits - 8)).astype(np.uint8)
    bgr = np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small[..., ::-1]
    return orientation.upright(bgr)
