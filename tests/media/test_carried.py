"""What a photograph carries comes back with it, or a warning names it."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

import gfpvideo
from gfpvideo.errors import OptionError
from gfpvideo.media.carried import Carried
from gfpvideo.media.still import check_picture_target
from helpers import through

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def grey() -> Image.Image:
    pixels = np.full((64, 64, 3), 90, np.uint8)
    pixels[:20] = 30, 60, 200
    return Image.fromarray(pixels)


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x13B] = "somebody"
    found[0x8769] = {0x9003: "2001:02:03 04:05:06"}
    return found


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_a_colour_that_is_transparent_stays_so(mode: str, grey: Image.Image, tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    image = grey.convert(mode)
    value: Any = image.getpixel((40, 40))
    image.save(source, transparency=value)
    assert through(source, target).warnings == ()
    with Image.open(source) as old, Image.open(target) as new:
        before, after = (np.asarray(one.convert("RGBA")) for one in (old, new))
    assert (before[..., 3] == 0).any()
    assert (before[..., 3] == 255).any()
    assert np.array_equal(after, before)


def test_palettes_without_transparency_go_into_a_jpeg(grey: Image.Image, tmp_path: Path) -> None:
    grey.convert("P").save(tmp_path / "a.png")
    check_picture_target(tmp_path / "b.jpg", tmp_path / "a.png")
    assert through(tmp_path / "a.png", tmp_path / "b.jpg").mode == "RGB"


def test_text_and_xmp_of_a_png_are_kept_chunk_by_chunk(grey: Image.Image, tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "hello")
    info.add_text("Story", "long " * 200, zip=True)
    info.add_itxt("Title", "Grüße aus Köln", "de", "Überschrift")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add(b"gAMA", struct.pack(">I", 45455))
    grey.save(source, pnginfo=info, exif=exif(), dpi=(300, 300))
    assert through(source, target).warnings == ()
    before, after = chunks(source), chunks(target)
    for name in (b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"eXIf", b"pHYs"):
        assert sorted(c for n, c in after if n == name) == sorted(c for n, c in before if n == name) != []


def chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """All chunks of a PNG whose checksums are right."""
    data, found = path.read_bytes()[8:], []
    while data:
        length, name = struct.unpack(">I4s", data[:8])
        assert struct.unpack(">I", data[8 + length : 12 + length])[0] == zlib.crc32(data[4 : 8 + length])
        found.append((name, data[8 : 8 + length]))
        data = data[12 + length :]
    return found


def full_png(grey: Image.Image, path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "hello")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    grey.save(path, pnginfo=info, exif=exif(), icc_profile=PROFILE, dpi=(300, 300))


def full_jpeg(grey: Image.Image, path: Path) -> None:
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x04\x1c\x02\x05\x00"
    extra = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    grey.save(path, exif=exif(), icc_profile=PROFILE, dpi=(300, 300), xmp=XMP, comment=b"hello", extra=extra)


def full_webp(grey: Image.Image, path: Path) -> None:
    grey.save(path, exif=exif(), icc_profile=PROFILE, xmp=XMP)


def full_tiff(grey: Image.Image, path: Path) -> None:
    tags = Image.Exif()
    tags.load(exif().tobytes())
    tags[700] = XMP
    grey.save(path, exif=tags, icc_profile=PROFILE, dpi=(300, 300))


MAKERS: dict[str, Callable[[Image.Image, Path], None]] = {
    ".png": full_png, ".jpg": full_jpeg, ".webp": full_webp, ".tiff": full_tiff,
}  # fmt: skip


@pytest.mark.parametrize("to", MAKERS)
@pytest.mark.parametrize("start", MAKERS)
def test_every_format_carries_what_the_others_do(start: str, to: str, grey: Image.Image, tmp_path: Path) -> None:
    source, target = tmp_path / f"a{start}", tmp_path / f"b{to}"
    MAKERS[start](grey, source)
    warnings = through(source, target).warnings
    with Image.open(source) as old, Image.open(target) as new:
        old.load()
        new.load()
        assert new.getexif()[0x13B].strip("\x00") == "somebody"
        assert new.getexif().get_ifd(0x8769)[0x9003].strip("\x00") == "2001:02:03 04:05:06"
        assert new.info["icc_profile"] == PROFILE
        assert carried(target, new).xmp.strip(b"\x00") == XMP
        if to != ".webp" and start != ".webp":
            assert [round(float(value)) for value in new.info["dpi"]] == [300, 300]
        lost = {"text": start == ".png" and to != ".png"}
        lost |= {"IPTC": start == ".jpg" != to, "comment": start == ".jpg" and to not in {".jpg", ".png"}}
        for word, gone in lost.items():
            assert (word in " ".join(warnings)) == gone, (word, warnings)
        if start == to == ".jpg":
            assert carried(target, new).iptc == carried(source, old).iptc != b""
            assert new.info["comment"] == b"hello"
        if start != ".jpg" and to != ".jpg" and (start, to) != (".webp", ".webp"):
            assert to == ".webp" or np.array_equal(np.asarray(new), np.asarray(old))


def carried(path: Path, image: Image.Image) -> Carried:
    return Carried.of(path, image)


def test_a_webp_without_loss_stays_so(grey: Image.Image, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 4)).astype(np.uint8))
    exact, lossy, target = tmp_path / "a.webp", tmp_path / "b.webp", tmp_path / "c.webp"
    noise.save(exact, lossless=True, exact=True, exif=exif())
    through(exact, target)
    with Image.open(exact) as old, Image.open(target) as new:
        assert np.array_equal(np.asarray(new), np.asarray(old))
    noise.save(lossy, quality=80)
    through(lossy, target)
    with Image.open(target) as new:
        assert not Carried.of(target, new).lossless
    noise.save(tmp_path / "d.png")
    through(tmp_path / "d.png", target)
    with Image.open(target) as new:
        assert np.array_equal(np.asarray(new), np.asarray(noise))


def test_the_first_picture_of_several_is_restored_and_the_rest_is_named(grey: Image.Image, tmp_path: Path) -> None:
    """Telephones write a second picture behind the first (MPO), and call the file .jpg."""
    source, target = tmp_path / "phone.jpg", tmp_path / "out.jpg"
    grey.save(source, format="MPO", save_all=True, append_images=[grey.resize((32, 32))], exif=exif())
    with Image.open(source) as old:
        assert old.format == "MPO"
    picture = through(source, target)
    assert picture.warnings == (f"{source}: holds 2 pictures: the first is restored, the rest is left out",)
    with Image.open(source) as old, Image.open(target) as new:
        assert (new.format, new.size, new.getexif()[0x13B]) == ("JPEG", (64, 64), "somebody")
        assert getattr(new, "quantization", None) == getattr(old, "quantization", None)


def test_segments_that_nobody_knows_are_named(grey: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    grey.save(source, extra=b"\xff\xeb\x00\x06JPXX")
    assert through(source, tmp_path / "b.jpg").warnings == (
        f"{source}: data of other programs cannot be kept in a .jpg",
    )


def test_compression_of_a_tiff_is_kept(grey: Image.Image, tmp_path: Path) -> None:
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        source, target = tmp_path / f"{compression}.tif", tmp_path / "out.tif"
        grey.save(source, compression=compression, tiffinfo={315: "somebody"})
        through(source, target)
        with Image.open(target) as new, Image.open(source) as old:
            assert (new.info["compression"], new.getexif()[315]) == (compression, "somebody")
            assert np.abs(np.asarray(new, int) - np.asarray(old)).max() <= (0 if compression != "jpeg" else 8)


def test_faxes_become_grey(tmp_path: Path) -> None:
    """Their compression takes black and white alone, which a restoration is not."""
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    Image.fromarray(np.eye(64, dtype=np.uint8) * 255).convert("1").save(source, compression="group4")
    through(source, target)
    with Image.open(target) as new:
        assert np.array_equal(np.asarray(new.convert("L")), np.eye(64, dtype=np.uint8) * 255)


@pytest.mark.parametrize("name", ["photo.xyz", "x.mp4", "x", "x.gif"])
def test_unknown_kinds_of_pictures_are_refused_before_networks_are_loaded(
    name: str, grey: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise AssertionError("networks are loaded")

    monkeypatch.setattr("gfpvideo.restoration.run.load_parts", load)
    grey.save(tmp_path / "a.png")
    with pytest.raises(OptionError, match=r"unknown kind of picture '.*'; use one of \.jpeg, \.jpg") as refused:
        gfpvideo.restore(tmp_path / "a.png", tmp_path / name)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_formats_that_lose_a_part_of_the_picture_are_refused(grey: Image.Image, tmp_path: Path) -> None:
    import cv2

    clear, deep = tmp_path / "clear.png", tmp_path / "deep.png"
    grey.convert("RGBA").save(clear)
    cv2.imwrite(str(deep), np.full((32, 32, 3), 40_000, np.uint16))
    with pytest.raises(OptionError, match="JPEG holds no transparency"):
        check_picture_target(tmp_path / "out.jpg", clear)
    with pytest.raises(OptionError, match="holds 8 bits a sample"):
        check_picture_target(tmp_path / "out.webp", deep)
    for source, name in ((clear, "out.webp"), (clear, "out.tif"), (deep, "out.tiff"), (deep, "OUT.PNG")):
        check_picture_target(tmp_path / name, source)
