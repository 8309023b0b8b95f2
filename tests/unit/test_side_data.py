"""Side data of a kind that PyAV does not name hides no other."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from PIL import Image, ImageCms

from gfpvideo.media.hdr import hdr_options
from gfpvideo.media.orientation import EXIF_TURNS, turn_of
from gfpvideo.media.side_data import display_matrix, side_data


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """One PNG with EXIF data, which FFmpeg hands on as side data of kind 31, and a colour profile, kind 15."""
    exif, path = Image.Exif(), tmp_path / "film.png"
    exif[0x13B], exif[0x112] = "somebody", 6
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(path, exif=exif, icc_profile=_profile())
    return path


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_kinds_without_a_name_leave_the_others_readable(film: Path) -> None:
    with av.open(str(film)) as container:
        picture = next(container.decode(video=0))
    assert side_data(picture).keys() == {"DISPLAYMATRIX", "UNKNOWN_31"}, "FFmpeg hands EXIF data on as that kind"
    matrix = display_matrix(picture)
    assert matrix is not None
    assert turn_of(matrix) == EXIF_TURNS[6]
    assert hdr_options("libx264", picture) == ({}, [])


def test_metadata_of_side_data_is_freed_once(film: Path) -> None:
    """PyAV frees the profile's name when its wrapper goes, FFmpeg when the picture goes: that ends the program."""
    code = (
        "import gc, sys; from pathlib import Path; from gfpvideo.media.source import VideoSource\n"
        "for _ in range(20):\n"
        "    with VideoSource(Path(sys.argv[1])) as source: assert len(list(source.frames())) == 1\n"
        "    gc.collect()\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(film)], check=False).returncode == 0


def test_numbers_of_views_are_taken_and_nonsense_is_not() -> None:
    assert (Type(29).name, Type(29).value) == ("UNKNOWN_29", 29)
    assert Type(6) is Type.DISPLAYMATRIX
    with pytest.raises(ValueError, match="nonsense"):
        Type("nonsense")
