"""What a photograph's file carries beside its samples, and how each format takes it."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, TiffTags, UnidentifiedImageError

_QUALITY = 95
"""For pictures that are not lossless and whose source was no JPEG with tables of its own to keep."""
_RESOLUTION_TAGS = {282, 283, 296}
_LAYOUT_TAGS = {
    *range(254, 260), 262, 266, 273, *range(277, 280), 284, 317, 320, *range(322, 326), 330, 338, 339, 347,
    *range(512, 522), *range(529, 533),
}  # fmt: skip
"""TIFF tags that describe how samples are stored, or where other pictures are."""
_XMP = 700
_ELSEWHERE = {_XMP, 33723, 34377, 34675, 37724}
"""TIFF tags of XMP, IPTC, Photoshop, colour profile and layers: in other formats elsewhere, or nowhere."""
_EXIF_DIRECTORY, _SIDES = 0x8769, (0xA002, 0xA003)
"""The TIFF tag of EXIF's own directory, and in it those of width and height."""
_EXIF = b"Exif\x00\x00"
_XMP_KEY = b"XML:com.adobe.xmp\x00"
_TEXT_CHUNKS = {b"tEXt", b"iTXt", b"zTXt"}
_HEADER = 8 + 25
"""Bytes of a PNG's signature and its first chunk, which says how large it is."""
_OF_SAMPLES = {b"IHDR", b"PLTE", b"tRNS"}
"""Chunks of a PNG that say how its samples are stored."""
_COLOUR_CHUNKS = {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
_SEGMENT = 65_500
"""Bytes that a segment of a JPEG holds, less what stands before the content."""
_IN_ONE_SEGMENT = {"exif", "xmp", "comment", "iptc"}
UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error)
"""What Pillow raises at files that are broken in one way or another."""
_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_OF_SRGB = {b"gAMA": struct.pack(">I", 45455), b"cHRM": struct.pack(">8I", *_PRIMARIES), b"sRGB": None}
"""What a PNG's chunks of colour hold where they say what is taken for granted anyway."""
_JPEG, _PNG, _WEBP, _TIFF = {".jpg", ".jpeg"}, {".png"}, {".webp"}, {".tif", ".tiff"}
_NAMES = {
    "exif": "EXIF data", "icc": "the colour profile", "xmp": "XMP", "comment": "the comment", "iptc": "IPTC data",
    "texts": "text", "others": "data of other programs",
    "tuned": "how its colours are meant",
}  # fmt: skip


@dataclass(frozen=True)
class Carried:
    """What a file carries; empty where it has none of a kind."""

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    comment: bytes = b""
    iptc: bytes = b""
    """Content of Photoshop's segment of a JPEG."""
    texts: tuple[tuple[bytes, bytes], ...] = ()
    """Names and content of a PNG's chunks of text, XMP aside."""
    others: tuple[bytes, ...] = ()
    """Segments of a JPEG that nothing here knows."""
    dpi: tuple[float, float] | None = None
    colour: tuple[tuple[bytes, bytes], ...] = ()
    """Names and content of a PNG's chunks that say how its samples are to be seen."""
    jpeg: dict[str, Any] = field(default_factory=dict)
    """A JPEG's own tables, sampling and kind, as arguments for saving."""
    tiff: dict[str, Any] = field(default_factory=dict)
    """A TIFF's own tags and compression, as arguments for saving."""
    lossless: bool = True
    """Whether the file holds its samples exactly."""

    @classmethod
    def of(cls, path: Path, image: Image.Image) -> "Carried":
        """What an opened picture carries, which has been loaded."""
        common = {
            "exif": _exif(image),
            "icc": image.info.get("icc_profile") or b"",
            "xmp": _as_bytes(image.info.get("xmp") or b""),
            "dpi": image.info.get("dpi"),
        }
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            return cls(**common, **_of_jpeg(image), lossless=False)
        if image.format == "PNG":
            return cls(**common, **_of_png(path))
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            compression = image.info.get("compression")
            tags = {"tiffinfo": _tags(image), "compression": compression}
            return cls(**common, tiff=tags, lossless=compression not in {"jpeg", "tiff_jpeg", "webp"})
        return cls(**common, lossless=_is_lossless_webp(path))

    @property
    def tuned(self) -> bool:
        """Whether a PNG's samples are meant otherwise than those of most pictures (in HDR, or linear)."""
        chunks = dict(self.colour)
        if b"cICP" in chunks or b"sRGB" in chunks:
            return b"cICP" in chunks
        return any(_OF_SRGB[name] != content for name, content in chunks.items())

    def resized(self, width: int, height: int) -> "Carried":
        """The same for a picture of another size, which EXIF data may name."""
        exif = _parsed(self.exif)
        if exif is None:
            return self
        sides, tags = dict(zip(_SIDES, (width, height), strict=True)), exif.get_ifd(_EXIF_DIRECTORY)
        named = {tag: side for tag, side in sides.items() if tag in tags}
        if not named:
            return self
        tags.update(named)
        return replace(self, exif=_EXIF + exif.tobytes().removeprefix(_EXIF))

    def upright(self) -> "Carried":
        """The same for a picture that was turned as its EXIF data say."""
        exif = _parsed(self.exif)
        if exif is None or ExifTags.Base.Orientation not in exif:
            return self
        exif[ExifTags.Base.Orientation] = 1
        return replace(self, exif=_EXIF + exif.tobytes().removeprefix(_EXIF))

    def lost_in(self, target: Path, *, deep: bool = False) -> list[str]:
        """In words, what a target cannot keep.

        Args:
            target: its suffix names the format.
            deep: whether it is written with 16 bits a sample, which TIFF holds without anything else.
        """
        kept = set() if deep and _kind(target) != "png" else self._kept_in(target)
        return [name for key, name in _NAMES.items() if getattr(self, key) and key not in kept]

    def saving(self, target: Path) -> dict[str, Any]:
        """Pillow's arguments for saving in the format of a target's suffix."""
        held = _IN_ONE_SEGMENT & self._kept_in(target)
        return _SAVING[_kind(target)](replace(self, **dict.fromkeys(_IN_ONE_SEGMENT - held, b"")))

    def beside(self, png: bytes) -> bytes:
        """A PNG with all of this: it stands where Pillow puts it in a PNG of its own."""
        written = io.BytesIO()
        Image.new("L", (1, 1)).save(written, "PNG", **self.saving(Path("a.png")))
        ours = b"".join(_chunk(name, content) for name, content in _chunks(written) if name not in _OF_SAMPLES)
        return png[:_HEADER] + ours + png[_HEADER:]

    def _kept_in(self, target: Path) -> set[str]:
        """The kinds that a target has room for."""
        kind = _kind(target)
        too_long = {key for key in _IN_ONE_SEGMENT if len(getattr(self, key)) > _SEGMENT}
        lost = too_long if kind == "jpeg" else set()
        return _KEPT[kind] - (
            lost | {"exif"} if kind == "tiff" and not self.tiff and _parsed(self.exif) is None else lost
        )


def _kind(target: Path) -> str:
    suffix = target.suffix.lower()
    return next(name for name, suffixes in _SUFFIXES.items() if suffix in suffixes)


def _common(carried: Carried) -> dict[str, Any]:
    pairs = {"exif": carried.exif, "icc_profile": carried.icc, "dpi": carried.dpi}
    return {key: value for key, value in pairs.items() if value}


def _to_jpeg(carried: Carried) -> dict[str, Any]:
    found = _common(carried) | {"xmp": carried.xmp, "comment": carried.comment}
    if carried.iptc:
        found["extra"] = b"\xff\xed" + struct.pack(">H", len(carried.iptc) + 2) + carried.iptc
    return {key: value for key, value in found.items() if value} | (
        carried.jpeg or {"quality": _QUALITY, "subsampling": 0}
    )


def _to_png(carried: Carried) -> dict[str, Any]:
    chunks = PngImagePlugin.PngInfo()
    for name, content in carried.texts + carried.colour:
        chunks.add(name, content)
    if carried.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", carried.xmp)
    if carried.comment:
        chunks.add_text("Comment", carried.comment)
    return _common(carried) | {"pnginfo": chunks}


def _to_webp(carried: Carried) -> dict[str, Any]:
    how = {"lossless": True, "exact": True} if carried.lossless else {"quality": _QUALITY, "method": 4}
    return _common(carried) | ({"xmp": carried.xmp} if carried.xmp else {}) | how


def _to_tiff(carried: Carried) -> dict[str, Any]:
    found = _common(carried)
    if not carried.tiff:
        exif = _parsed(carried.exif) or Image.Exif()
        if carried.xmp:
            exif[_XMP] = carried.xmp
        return found | {"exif": exif}
    found.pop("exif", None)  # the tags hold all of it
    found |= carried.tiff
    if str(found["compression"]).startswith(("group", "tiff_ccitt")):
        found["compression"] = "tiff_adobe_deflate"  # those of faxes take black and white alone
    if set(found["tiffinfo"]) & TiffTags.TAGS_V2_GROUPS.keys():
        found["compression"] = "raw"  # libtiff, which compresses, writes no directories within others
    return found | ({} if carried.lossless else {"quality": _QUALITY})


_SUFFIXES = {"jpeg": _JPEG, "png": _PNG, "webp": _WEBP, "tiff": _TIFF}
_SAVING = {"jpeg": _to_jpeg, "png": _to_png, "webp": _to_webp, "tiff": _to_tiff}
_KEPT = {
    "jpeg": {"exif", "icc", "xmp", "comment", "iptc"},
    "png": {"exif", "icc", "xmp", "comment", "texts", "tuned"},
    "webp": {"exif", "icc", "xmp"},
    "tiff": {"exif", "icc", "xmp"},
}


def _exif(image: Image.Image) -> bytes:
    """EXIF data as JPEG has it, from whichever place the format has for it."""
    exif = image.getexif()
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        found = image.info.get("exif") or (exif.tobytes() if exif else b"")
        return _EXIF + found.removeprefix(_EXIF) if found else b""
    for tag in (_LAYOUT_TAGS | _RESOLUTION_TAGS | _ELSEWHERE) & set(exif):
        del exif[tag]
    return exif.tobytes() if exif else b""


def _tags(image: TiffImagePlugin.TiffImageFile) -> TiffImagePlugin.ImageFileDirectory_v2:
    """A TIFF's tags with what those of them hold that point to further ones: the places will be others."""
    copied, exif = TiffImagePlugin.ImageFileDirectory_v2(), image.getexif()
    for tag in image.tag_v2.keys() - _LAYOUT_TAGS:
        copied[tag] = exif.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else image.tag_v2[tag]
        copied.tagtype[tag] = image.tag_v2.tagtype[tag]
    return copied


def _parsed(exif: bytes) -> Image.Exif | None:
    """EXIF data as tags, ``None`` where it is broken: what need not look into it carries it as it is."""
    found = Image.Exif()
    try:
        found.load(exif)
        found.tobytes()
    except UNREADABLE:
        return None
    return found


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _of_jpeg(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    sampling = JpegImagePlugin.get_sampling(image)
    tables = {"qtables": image.quantization, "subsampling": sampling if sampling >= 0 else "4:2:0"}
    if "progressive" in image.info:
        tables["progressive"] = True
    return {
        "jpeg": tables,
        "comment": _as_bytes(image.info.get("comment") or b""),
        "iptc": next((content for name, content in image.applist if name == "APP13"), b""),
        "others": tuple(content for name, content in image.applist if _is_unknown(name, content)),
    }


def _is_unknown(name: str, content: bytes) -> bool:
    """Whether a segment of a JPEG is none that is carried otherwise, or that describes what is no longer there."""
    if name == "APP1":
        return not content.startswith((b"Exif\x00", b"http://ns.adobe.com/xap/1.0/\x00"))
    if name == "APP2":
        return not content.startswith((b"ICC_PROFILE\x00", b"MPF\x00"))
    return name not in {"APP0", "APP13", "APP14", "COM"}


def _of_png(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        chunks = [chunk for chunk in _chunks(file) if not chunk[1].startswith(_XMP_KEY)]
    return {
        "texts": tuple(chunk for chunk in chunks if chunk[0] in _TEXT_CHUNKS),
        "colour": tuple(chunk for chunk in chunks if chunk[0] in _COLOUR_CHUNKS),
    }


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Names and content of a PNG's chunks, as far as they are whole; that of the samples is left out."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"IDAT":
            file.seek(length + 4, 1)
            continue
        content = file.read(length)
        if len(content) < length or name == b"IEND":
            return
        file.seek(4, 1)
        yield name, content


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _is_lossless_webp(path: Path) -> bool:
    """Whether a WebP holds its samples exactly: they lie in a chunk of another name."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name in {b"VP8L", b"VP8 "}:
                return name == b"VP8L"
            file.seek(length + length % 2, 1)
    return False
