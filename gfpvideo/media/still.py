"""Photographs: read and write them with everything that they carry (EXIF, colour profile, resolution).

Pictures of 8 bits a sample go through Pillow, deeper ones through OpenCV, which keeps all of their bits.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from gfpvideo.errors import InputError, OutputError, UnsupportedMediaError
from gfpvideo.frames import Frame, RestoredFrame, Samples
from gfpvideo.media.atomic import atomic_target
from gfpvideo.media.orientation import EXIF_TURNS, Orientation, Turn
from gfpvideo.media.pixel_format import read_only
from gfpvideo.pixels.patches import lay_over

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}
"""Suffixes of files that are taken for photographs."""
_DIRECT_MODES = {"L", "LA", "RGB", "RGBA"}
"""Pillow modes whose samples are used as they are."""
_CONVERTED_MODES = {"P": "RGBA", "1": "L", "PA": "RGBA"}
"""Pillow modes that hold less than 8 bits of colour, and what they become without loss."""
_LAYOUT_TAGS = {*range(254, 260), 262, 266, 273, *range(277, 280), *range(282, 285), 296, 317, 338, 339}
"""TIFF tags that describe how samples are stored; the rest says something about the picture."""
_JPEG_QUALITY = 95
"""For targets whose source was no JPEG with tables of its own to keep."""


@dataclass(frozen=True)
class Picture:
    """An opened photograph: its frame, and what else the file held."""

    frame: Frame
    pixels: NDArray[np.integer]
    """(H, W) or (H, W, C) samples in storage orientation, RGB order, alpha last."""
    mode: str
    """Pillow's name for the samples, or empty for deep ones."""
    extras: dict[str, Any]
    """Keyword arguments for saving: metadata and, for JPEG, the source's own tables."""
    warnings: tuple[str, ...] = ()
    """What cannot be kept."""


def read_picture(path: Path) -> Picture:
    """Open a photograph as a film of one frame.

    Raises:
        InputError: if it cannot be read.
        UnsupportedMediaError: if its samples are of a kind that is not restored (CMYK, floats, several pages).
    """
    try:
        with Image.open(path) as image:
            image.load()
            return _from_deep(path, image) if _is_deep(image) else _from_pillow(path, image)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a readable picture ({str(error).splitlines()[0][:100]})") from None


def write_picture(picture: Picture, restored: RestoredFrame, target: Path, *, overwrite: bool) -> None:
    """Write a restored photograph in the format of its suffix, with what the source carried.

    Raises:
        OutputError: if it cannot be written; nothing is left behind then.
    """
    pixels = picture.pixels.copy()
    view = pixels[..., None] if pixels.ndim == 2 else pixels
    lay_over(restored, [view[..., index] for index in range(len(restored.frame.components))])
    with atomic_target(target, overwrite=overwrite) as scratch:
        if picture.mode:
            Image.fromarray(pixels, picture.mode).save(scratch, **_saving(picture, target))
        else:
            _write_deep(pixels, scratch)


def _from_pillow(path: Path, image: Image.Image) -> Picture:
    if getattr(image, "n_frames", 1) > 1:
        raise UnsupportedMediaError(f"{path}: holds {getattr(image, 'n_frames', 1)} pictures; split it first")
    extras = _extras(image)
    mode = image.mode
    if mode in _CONVERTED_MODES:
        mode = _CONVERTED_MODES[mode]
        image = image.convert(mode)
    if mode not in _DIRECT_MODES:
        raise UnsupportedMediaError(f"{path}: pictures in {mode} are not supported; convert it to RGB first")
    pixels = np.asarray(image)
    return Picture(_frame(pixels, 8, _turn(image)), pixels, mode, extras)


def _turn(image: Image.Image) -> Turn:
    return EXIF_TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1), EXIF_TURNS[1])


def _extras(image: Image.Image) -> dict[str, Any]:
    extras: dict[str, Any] = {
        key: image.info[key] for key in ("icc_profile", "dpi", "exif", "xmp") if key in image.info
    }
    if "exif" not in extras and image.getexif():
        extras["exif"] = image.getexif().tobytes()
    if image.format == "JPEG":
        from PIL import JpegImagePlugin

        sampling = JpegImagePlugin.get_sampling(image)
        extras["qtables"] = getattr(image, "quantization", None)
        extras["subsampling"] = sampling if sampling >= 0 else "4:2:0"
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        extras["compression"] = image.info.get("compression")
        extras.pop("exif", None)
        extras["tiffinfo"] = image.tag_v2
    return extras


def _saving(picture: Picture, target: Path) -> dict[str, Any]:
    """Arguments for saving in the target's format; the tables of a JPEG only fit a JPEG."""
    suffix, extras = target.suffix.lower(), dict(picture.extras)
    tables = {key: extras.pop(key) for key in ("qtables", "subsampling") if key in extras}
    if suffix in {".jpg", ".jpeg"}:
        return extras | (tables or {"quality": _JPEG_QUALITY, "subsampling": 0})
    if suffix == ".webp":
        return extras | {"quality": _JPEG_QUALITY, "method": 4}
    return extras


def _is_deep(image: Image.Image) -> bool:
    """Whether the file holds more than 8 bits a sample; Pillow would drop them from colour pictures."""
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        return True
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in _tiles(image))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(258, (8,))) > 8
    return False


def _tiles(image: Image.Image) -> list[Any]:
    """Tiles as the file describes them; loading a picture empties Pillow's own list, so it is opened again."""
    with Image.open(str(image.filename)) as fresh:  # type: ignore[attr-defined]  # a picture opened from a file has a name
        return list(fresh.tile)


def _from_deep(path: Path, image: Image.Image) -> Picture:
    """OpenCV writes samples alone: the picture is turned upright, for the tag that says so goes with the rest."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise UnsupportedMediaError(f"{path}: only whole samples of 8 or 16 bits are supported")
    pixels = _swap_red_blue(np.asarray(found, np.uint16))
    pixels = Orientation(pixels.shape[1], pixels.shape[0], turn=_turn(image)).upright(pixels)
    carried = {
        "EXIF data": set(image.getexif()) - _LAYOUT_TAGS,
        "colour profile": image.info.get("icc_profile"),
    }
    lost = [name for name, there in carried.items() if there]
    warnings = (f"{path}: {' and '.join(lost)} cannot be kept in a picture of 16 bits",) if lost else ()
    return Picture(_frame(pixels, 16, EXIF_TURNS[1]), pixels, "", {}, warnings)


def _write_deep(pixels: NDArray[np.integer], scratch: Path) -> None:
    if not cv2.imwrite(str(scratch), _swap_red_blue(pixels)):
        raise OSError(f"OpenCV cannot write {scratch.suffix} with 16 bits a sample")


def write_sheet(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a (H, W, 3) BGR picture that stands for itself: a contact sheet, a preview, an aligned face.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        written = cv2.imwrite(str(path), picture)
    except cv2.error:
        written = False
    if not written:
        raise OutputError(f"{path}: the picture cannot be written; give a .png in a folder that exists")


def _swap_red_blue(pixels: NDArray[np.integer]) -> NDArray[np.integer]:
    """RGB or RGBA from OpenCV's order, and back."""
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]


def _frame(pixels: NDArray[np.integer], bits: int, turn: Turn) -> Frame:
    height, width = pixels.shape[:2]
    colour = (
        pixels[..., :3] if pixels.ndim == 3 and pixels.shape[2] >= 3 else pixels.reshape(height, width, -1)[..., :1]
    )
    orientation = Orientation(width, height, turn=turn)
    return Frame(
        index=0,
        pts=0,
        time_base=Fraction(1),
        components=read_only(tuple(colour[..., index] for index in range(colour.shape[2]))),
        samples=Samples("rgb" if colour.shape[2] == 3 else "gray", bits, full_range=True),
        to_display=orientation.to_display(),
        shrink=partial(_shrunk, colour, bits, orientation),
    )


def _shrunk(
    colour: NDArray[np.integer], bits: int, orientation: Orientation, width: int, height: int
) -> NDArray[np.uint8]:
    size = (height, width) if orientation.swaps_axes else (width, height)
    resized = cv2.resize(colour, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    small = (np.asarray(resized, colour.dtype) >> (bits - 8)).astype(np.uint8)
    bgr = np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small[..., ::-1]
    return orientation.upright(bgr)
