"""Weights are found, checked and fetched; nothing else touches the network."""

import http.server
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from gfpvideo.errors import WeightsError
from gfpvideo.faces.detectors.centerface import CenterFace
from gfpvideo.generator.engines.choose import _MAKERS
from gfpvideo.generator.models import find_model
from gfpvideo.networks import weights
from gfpvideo.networks.gfpgan.network import Variant
from gfpvideo.networks.weights import check_hash, entry, fetch, installed, sha256

ROOT = Path(__file__).parent.parent.parent
CONTENT = b"pretend these are weights"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine that offers ``model.pth``."""
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "model.pth").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/model.pth"
        running.shutdown()
        thread.join()


def _offer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    truth = tmp_path / "truth"
    truth.write_bytes(CONTENT)
    known = replace(entry("gfpgan-1.4"), url=url, sha256=sha256(truth))
    monkeypatch.setattr(weights, "manifest", lambda: {"gfpgan-1.4": known})


def test_embedded_weights_are_intact_and_small() -> None:
    known = entry("compact")
    path = installed("compact")
    assert path.stat().st_size == known.bytes
    assert path.stat().st_size < 20e6


def test_every_published_entry_is_complete() -> None:
    for known in weights.manifest().values():
        assert len(known.sha256) == 64
        assert known.licence
        assert known.embedded or known.url.startswith("https://")
        assert known.use != "generator" or known.family in _MAKERS
        assert known.family != "gfpgan" or known.variant in get_args(Variant)


def test_get_writes_the_checked_file(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offer(monkeypatch, tmp_path, server)
    folder = tmp_path / "weights"
    path = fetch("gfpgan-1.4", folder, progress=False)
    assert path == folder / "gfpgan-1.4.pth"
    assert path.read_bytes() == CONTENT
    assert [file.name for file in folder.iterdir()] == ["gfpgan-1.4.pth"]
    assert fetch("gfpgan-1.4", folder, progress=False) == path


def test_a_wrong_download_leaves_nothing(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = replace(entry("gfpgan-1.4"), url=server)
    monkeypatch.setattr(weights, "manifest", lambda: {"gfpgan-1.4": known})
    folder = tmp_path / "weights"
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch("gfpgan-1.4", folder, progress=False)
    assert list(folder.iterdir()) == []


def test_a_failed_download_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _offer(monkeypatch, tmp_path, "http://127.0.0.1:9/model.pth")
    with pytest.raises(WeightsError, match="download failed") as caught:
        fetch("gfpgan-1.4", tmp_path / "weights", progress=False)
    assert "\n" not in str(caught.value)


def test_a_missing_model_names_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gfpvideo weights get gfpgan-1\.3"):
        find_model("gfpgan-1.3", tmp_path)


def test_a_wrong_hash_is_an_error_and_the_file_is_removed(tmp_path: Path) -> None:
    path = entry("gfpgan-1.4").path(tmp_path)
    path.write_bytes(b"truncated download")
    with pytest.raises(WeightsError, match="wrong SHA-256"):
        find_model("gfpgan-1.4", tmp_path)
    assert not path.exists()


def test_damaged_embedded_weights_are_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "compact.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="install gfpvideo again"):
        check_hash(entry("compact"), path)
    assert path.exists()


def test_the_detectors_network_is_checked_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It comes with another package, of which another version may bring another network."""
    package = tmp_path / "brings_a_network"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    content = installed("centerface").read_bytes()
    known = replace(entry("centerface"), package="brings_a_network")
    monkeypatch.setattr(weights, "manifest", lambda: {"centerface": known})
    with pytest.raises(WeightsError, match=r"missing; install brings_a_network again"):
        CenterFace(0.5)
    (package / "centerface.onnx").write_bytes(content + b"other")
    with pytest.raises(WeightsError, match=r"damaged \(SHA-256 .*\); install brings_a_network again"):
        CenterFace(0.5)
    assert (package / "centerface.onnx").exists()


def test_the_packages_licence_is_that_of_all_that_it_holds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shipped = {known.licence for known in weights.manifest().values() if known.embedded and not known.package}
    assert shipped == {"CC-BY-NC-SA-4.0"}
    assert set(project["license"].split(" AND ")) == {"Apache-2.0"} | shipped
    assert all((ROOT / name).is_file() for name in project["license-files"])


def test_auto_is_compact_unless_a_published_model_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_model("auto", tmp_path).name == "compact"
    assert find_model("auto", tmp_path, over_time=True).name == "compact-fast"
    content = tmp_path / "content"
    content.write_bytes(CONTENT)
    known = dict(weights.manifest())
    for name in ("gfpgan-1.3", "gfpgan-1.2"):
        known[name] = replace(known[name], sha256=sha256(content))
        known[name].path(tmp_path).write_bytes(CONTENT)
    monkeypatch.setattr(weights, "manifest", lambda: known)
    for over_time in (False, True):
        assert find_model("auto", tmp_path, over_time=over_time).name == "gfpgan-1.3"


def test_auto_takes_nothing_that_needs_an_extra(tmp_path: Path) -> None:
    for name in ("restoreformer", "codeformer"):
        entry(name).path(tmp_path).write_bytes(CONTENT)
    assert find_model("auto", tmp_path).name == "compact"


def test_other_weights_are_no_generators(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="parsenet is a parser"):
        find_model("parsenet", tmp_path)


def test_nor_are_they_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(CONTENT)
    known = replace(entry("parsenet"), sha256=sha256(path))
    monkeypatch.setattr(weights, "manifest", lambda: {known.name: known})
    with pytest.raises(WeightsError, match=r"mine\.pth: parsenet is a parser, not a generator"):
        find_model(str(path))


@pytest.mark.parametrize("name", ["nonsense", "missing.pth", "film.mp4"])
def test_unknown_models_are_refused(name: str) -> None:
    with pytest.raises(WeightsError, match=name):
        find_model(name)
