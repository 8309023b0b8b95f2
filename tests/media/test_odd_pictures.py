"""Photographs that scanners, telephones and editors write, and that libraries read in ways of their own."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin
from PIL.ExifTags import Base

from gfpvideo.errors import InputError, UnsupportedMediaError
from gfpvideo.frames import RestoredFrame
from gfpvideo.media.still import read_picture, write_picture
from helpers import through

CHANCE = np.random.default_rng(1)
GREY = CHANCE.integers(0, 255, (6, 9), np.uint8)
DEEP = CHANCE.integers(0, 65_535, (6, 9), np.uint16)
TURNS: dict[int, Any] = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: np.transpose(x),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(np.transpose(x), 2),
    8: np.rot90,
}
"""How a picture is seen that is stored with a tag of its orientation."""


def seen(path: Path) -> NDArray[np.integer]:
    """A grey picture as a viewer shows it."""
    with path.open("rb") as file, Image.open(file) as image:
        image.load()
        return TURNS[image.getexif().get(Base.Orientation.value, 1)](np.asarray(image))


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("stored", [GREY, DEEP], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate"])
def test_turned_scans_are_read_upright(
    turn: int, stored: NDArray[np.integer], compression: str | None, tmp_path: Path
) -> None:
    """Pillow maps one that it opens itself by its turned width; OpenCV's reader of files fails at some."""
    source, target = tmp_path / "scan.tif", tmp_path / "out.tif"
    Image.fromarray(stored).save(source, tiffinfo={Base.Orientation.value: turn}, compression=compression)
    through(source, target)
    assert np.array_equal(seen(target), TURNS[turn](stored))


def test_deep_negatives_stay_what_they_show(tmp_path: Path) -> None:
    source, target = tmp_path / "negative.tif", tmp_path / "out.tif"
    Image.fromarray(DEEP).save(source)
    photometric = struct.Struct("<HHLHH").pack
    written = source.read_bytes()
    black_is_zero, white_is_zero = photometric(262, 3, 1, 1, 0), photometric(262, 3, 1, 0, 0)
    assert written.count(black_is_zero) == 1
    source.write_bytes(written.replace(black_is_zero, white_is_zero))
    through(source, target)
    with Image.open(target) as new:
        assert np.array_equal(np.asarray(new), 65_535 - DEEP)


@pytest.mark.parametrize("page", [GREY, DEEP], ids=["8 bits", "16 bits"])
def test_several_pages_are_refused(page: NDArray[np.integer], tmp_path: Path) -> None:
    first, second = Image.fromarray(page), Image.fromarray(page)
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    with pytest.raises(UnsupportedMediaError, match="holds 2 pictures; split it first"):
        read_picture(tmp_path / "pages.tif")


def test_a_long_history_is_carried(tmp_path: Path) -> None:
    """Editors write megabytes of it; Pillow reads one, as it comes."""
    history, source, target = "a step " * 300_000, tmp_path / "a.png", tmp_path / "b.png"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("history", history, zip=True)
    Image.fromarray(GREY).save(source, pnginfo=texts)
    assert through(source, target).warnings == ()
    with Image.open(target) as new:
        assert new.info["history"] == history


def test_broken_exif_data_goes_where_nobody_reads_it(tmp_path: Path) -> None:
    source, broken = tmp_path / "a.jpg", b"Exif\x00\x00garbage"
    Image.fromarray(GREY).save(source, exif=broken)
    assert through(source, tmp_path / "same.jpg").warnings == ()
    assert broken in (tmp_path / "same.jpg").read_bytes()
    (warning,) = through(source, tmp_path / "other.tif").warnings
    assert "EXIF data cannot be kept in a .tif" in warning


def test_broken_exif_data_stops_no_enlarging(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jpg", tmp_path / "large.jpg"
    Image.fromarray(GREY).save(source, exif=b"Exif\x00\x00garbage")
    Image.fromarray(np.repeat(np.repeat(GREY, 2, 0), 2, 1)).save(tmp_path / "large.png")
    large = read_picture(tmp_path / "large.png")
    write_picture(read_picture(source, target), RestoredFrame(large.frame, ()), target, overwrite=True)
    with Image.open(target) as new:
        assert new.size == (18, 12)


def test_colours_that_are_meant_otherwise_are_named_where_they_are_lost(tmp_path: Path) -> None:
    """HDR, or linear light: without its tag a picture looks altogether different."""
    plain, hdr = tmp_path / "plain.png", tmp_path / "hdr.png"
    Image.fromarray(DEEP).save(plain)
    written, tag = plain.read_bytes(), b"cICP" + bytes([9, 16, 0, 1])
    behind = 8 + 25  # the signature, and the chunk of the size
    chunk = struct.pack(">I", 4) + tag + struct.pack(">I", zlib.crc32(tag))
    hdr.write_bytes(written[:behind] + chunk + written[behind:])
    assert read_picture(plain).warnings == ()
    (warning,) = read_picture(hdr, tmp_path / "out.tif").warnings
    assert "how its colours are meant cannot be kept in a .tif of 16 bits (a .png keeps more)" in warning
    assert through(hdr, tmp_path / "out.png").warnings == ()
    assert chunk in (tmp_path / "out.png").read_bytes()


def test_deep_scans_keep_their_profile_in_a_png(tmp_path: Path) -> None:
    """Scanners write it, and without it the colours are others."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif, texts = Image.Exif(), PngImagePlugin.PngInfo()
    exif[Base.Artist.value], exif[Base.Orientation.value] = "somebody", 6
    texts.add_text("Software", "scanner")
    source, target = tmp_path / "scan.png", tmp_path / "out.png"
    Image.fromarray(DEEP).save(source, icc_profile=profile, exif=exif, dpi=(600, 600), pnginfo=texts)
    assert through(source, target).warnings == ()
    with Image.open(target) as new:
        new.load()
        assert np.array_equal(np.asarray(new), np.rot90(DEEP, -1))
        assert (new.info["icc_profile"], new.info["Software"]) == (profile, "scanner")
        assert new.info["dpi"] == pytest.approx((600, 600), abs=0.1)
        found = new.getexif()
    assert (found[Base.Artist.value], found[Base.Orientation.value]) == ("somebody", 1)


def test_large_photographs_are_read_up_to_the_limit(tmp_path: Path) -> None:
    """Telephones make them of 200 megapixels, more than Pillow takes for honest."""
    source = tmp_path / "large.png"
    Image.new("1", (16_320, 12_240)).save(source)
    assert read_picture(source).frame.size == (16_320, 12_240)
    with pytest.raises(UnsupportedMediaError, match="16320x12240 pixels; if that is meant, raise --max-side"):
        read_picture(source, max_side=16_000)


def test_a_full_disk_leaves_no_half_picture(tmp_path: Path) -> None:
    """OpenCV does not look whether the last of a PNG could be written."""
    source = tmp_path / "a.png"
    Image.fromarray(CHANCE.integers(0, 65_535, (90, 120), np.uint16)).save(source)
    through(source, tmp_path / "whole.png")
    size = (tmp_path / "whole.png").stat().st_size
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f" resource.setrlimit(resource.RLIMIT_FSIZE, ({size - 100}, {size - 100}));"
        " from pathlib import Path; from helpers import through;"
        f" through(Path({str(source)!r}), Path({str(tmp_path / 'cut.png')!r}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert run.returncode == 1
    assert "OutputError" in run.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "whole.png"}


def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 40)
    with pytest.raises(InputError, match="not a readable picture") as refused:
        read_picture(tmp_path / "a.png")
    assert "\n" not in str(refused.value)
