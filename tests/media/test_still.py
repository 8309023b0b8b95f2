"""Photographs go the same way, and keep what they carry."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image, TiffImagePlugin
from PIL.ExifTags import Base

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import InputError, OutputError, UnsupportedMediaError
from gfpvideo.restoration.events import FrameDone


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """A face of about 60 pixels, blurred."""
    picture = cv2.GaussianBlur(skimage.data.astronaut()[:320, 80:400], (0, 0), 1.5)
    return Image.fromarray(picture)


def test_a_jpeg_keeps_its_exif_profile_and_quality(portrait: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[Base.Artist.value], exif[Base.Orientation.value] = "somebody", 1
    portrait.save(source, quality=83, subsampling=1, exif=exif, icc_profile=b"profile", dpi=(300, 300))
    report = gfpvideo.restore(source)
    assert (report.frames, report.faces, report.exit_code) == (1, 1, 0)
    assert Path(report.target) == tmp_path / "photo.restored.jpg"
    with Image.open(source) as old, Image.open(report.target) as new:
        assert new.size == old.size
        assert new.getexif()[Base.Artist.value] == "somebody"
        assert new.info["icc_profile"] == b"profile"
        assert new.info["dpi"] == old.info["dpi"]
        assert getattr(new, "quantization", None) == getattr(old, "quantization", None)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 5])
def test_exif_orientation_is_obeyed_and_kept(orientation: int, portrait: Image.Image, tmp_path: Path) -> None:
    """The stored pixels are turned so that the viewer sees the face upright: it must be found and stay turned."""
    undo = {
        1: None,
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
        5: Image.Transpose.TRANSPOSE,
    }[orientation]
    stored = portrait if undo is None else portrait.transpose(undo)
    exif = Image.Exif()
    exif[Base.Orientation.value] = orientation
    source = tmp_path / "photo.png"
    stored.save(source, exif=exif)
    seen: list[FrameDone] = []
    report = gfpvideo.restore(source, on_frame=seen.append)
    assert report.faces == 1
    with Image.open(report.target) as new:
        assert new.getexif()[Base.Orientation.value] == orientation
        assert new.size == stored.size
        changed = np.abs(np.asarray(new, int) - np.asarray(stored, int)).sum(axis=2)
    upright = Image.fromarray(changed.astype(np.uint8))
    if undo is not None:
        inverse = {2: 4, 4: 2}.get(undo.value, undo.value)
        upright = upright.transpose(Image.Transpose(inverse))
    rows, columns = np.nonzero(np.asarray(upright) > 6)
    assert np.median(columns) == pytest.approx(145, abs=15)
    assert np.median(rows) == pytest.approx(120, abs=25)


@pytest.mark.parametrize("name", ["photo.png", "photo.webp", "photo.tiff"])
def test_other_formats(name: str, portrait: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / name
    if name.endswith("webp"):
        portrait.save(source, lossless=True)
    else:
        portrait.save(source)
    report = gfpvideo.restore(source)
    assert report.faces == 1
    with Image.open(report.target) as new, Image.open(source) as old:
        assert new.format == old.format
        assert new.mode == "RGB"
        corner = (slice(0, 20), slice(0, 20))
        assert np.abs(np.asarray(new, int)[corner] - np.asarray(old, int)[corner]).max() <= (
            12 if "webp" in name else 0
        )


@pytest.mark.parametrize("name", ["photo.png", "photo.tif"])
def test_sixteen_bits_stay_sixteen_bits(name: str, portrait: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / name
    random = np.random.default_rng(1)
    deep = np.asarray(portrait, np.uint16) * 256 + random.integers(0, 256, (320, 320, 3)).astype(np.uint16)
    assert cv2.imwrite(str(source), deep[..., ::-1])
    report = gfpvideo.restore(source)
    assert (report.faces, report.warnings) == (1, [])
    new = cv2.imread(report.target, cv2.IMREAD_UNCHANGED)
    assert new is not None
    assert new.dtype == np.uint16
    assert np.array_equal(new[:20, :, ::-1], deep[:20])
    assert not np.array_equal(new[..., ::-1], deep)


def test_deep_pictures_are_turned_upright_and_name_what_they_lose(portrait: Image.Image, tmp_path: Path) -> None:
    """A TIFF cannot be given its EXIF data back, so neither the tag that would turn it when it is shown."""
    source = tmp_path / "photo.png"
    deep = np.asarray(portrait.convert("L"), np.uint16) * 256
    exif = Image.Exif()
    exif[Base.Orientation.value] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(deep))).save(source, exif=exif)
    report = gfpvideo.restore(source, tmp_path / "photo.tif")
    assert report.faces == 1
    assert report.exit_code == 1
    assert len(report.warnings) == 1
    assert "EXIF data cannot be kept" in report.warnings[0]
    new = cv2.imread(report.target, cv2.IMREAD_UNCHANGED)
    assert new is not None
    assert np.array_equal(new[:20], deep[:20])


def test_grey_and_alpha_are_kept(portrait: Image.Image, tmp_path: Path) -> None:
    grey, alpha = tmp_path / "grey.png", tmp_path / "alpha.png"
    portrait.convert("L").save(grey)
    veil = Image.fromarray(np.tile(np.arange(320, dtype=np.uint8), (320, 1)))
    clear = portrait.copy()
    clear.putalpha(veil)
    clear.save(alpha)
    assert gfpvideo.restore(grey).faces == 1
    assert gfpvideo.restore(alpha).faces == 1
    with Image.open(tmp_path / "grey.restored.png") as new:
        assert new.mode == "L"
    with Image.open(tmp_path / "alpha.restored.png") as new:
        assert np.array_equal(np.asarray(new)[..., 3], np.asarray(veil))


def test_what_is_too_long_for_a_jpeg_is_left_out_and_named(portrait: Image.Image, tmp_path: Path) -> None:
    """A segment of a JPEG holds 64 kilobytes; layers of a TIFF may be megabytes, and are no EXIF data."""
    source, target = tmp_path / "photo.webp", tmp_path / "photo.jpg"
    portrait.save(source, lossless=True, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b" " * 70_000 + b"</x:xmpmeta>")
    report = gfpvideo.restore(source, target)
    assert [warning.partition(": ")[2] for warning in report.warnings] == ["XMP cannot be kept in a .jpg"]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[37724], tags[Base.Artist.value] = b"layers" * 20_000, "somebody"
    tags.tagtype[37724] = 7
    portrait.save(tmp_path / "layers.tif", tiffinfo=tags)
    assert gfpvideo.restore(tmp_path / "layers.tif", tmp_path / "layers.jpg").warnings == []
    with Image.open(tmp_path / "layers.jpg") as new:
        assert dict(new.getexif())[Base.Artist.value] == "somebody"


def test_a_photograph_does_not_wait_for_what_follows_faces(portrait: Image.Image, tmp_path: Path) -> None:
    """SciPy takes as long to import as all networks to load, and in one picture there is nothing to stabilise."""
    source = tmp_path / "photo.png"
    portrait.save(source)
    script = (
        f"import sys, gfpvideo; assert gfpvideo.restore({str(source)!r}).faces == 1;"
        " assert not {'scipy', 'filterpy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_folder_is_restored_picture_by_picture(portrait: Image.Image, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    portrait.save(folder / "a.png")
    portrait.rotate(5).save(folder / "b.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (folder / "notes.txt").write_text("left alone")
    report = gfpvideo.restore(folder)
    assert (report.frames, report.faces, report.exit_code) == (2, 2, 1)
    assert len(report.warnings) == 1
    assert "broken.jpg" in report.warnings[0]
    assert sorted(path.name for path in (tmp_path / "album.restored").iterdir()) == ["a.png", "b.jpg"]


def test_a_folder_needs_a_folder_as_its_target(portrait: Image.Image, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    portrait.save(folder / "a.png")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="is a file"):
        gfpvideo.restore(folder, tmp_path / "file")
    with pytest.raises(OutputError, match="no such folder"):
        gfpvideo.restore(folder, tmp_path / "nowhere" / "album")


def test_a_folder_of_nothing_but_broken_pictures_is_refused(portrait: Image.Image, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"broken")
    portrait.convert("CMYK").save(folder / "b.jpg")
    with pytest.raises(InputError, match="not one of its 2 pictures"):
        gfpvideo.restore(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_pictures_that_cannot_be_restored_are_refused(portrait: Image.Image, tmp_path: Path) -> None:
    broken, inks = tmp_path / "broken.png", tmp_path / "inks.jpg"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    portrait.convert("CMYK").save(inks)
    with pytest.raises(InputError, match=r"broken\.png: not a readable picture"):
        gfpvideo.restore(broken)
    with pytest.raises(UnsupportedMediaError, match="CMYK"):
        gfpvideo.restore(inks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.png", "inks.jpg"]


def test_strength_zero_changes_nothing(portrait: Image.Image, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    portrait.save(source)
    report = gfpvideo.restore(source, options=RestoreOptions(strength=0))
    with Image.open(report.target) as new:
        assert np.array_equal(np.asarray(new), np.asarray(portrait))
