"""The weights that gfpvideo knows, where they lie on this machine, and how to fetch and check them."""

import hashlib
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from gfpvideo.data import data_folder
from gfpvideo.errors import WeightsError

FOLDER_VARIABLE = "GFPVIDEO_WEIGHTS"
"""Environment variable that names the weights folder."""


@dataclass(frozen=True)
class WeightsEntry:
    """One file of ``weights/manifest.toml``."""

    name: str
    use: str
    """``generator``, ``detector``, ``landmarks``, ``gather``, ``confidence``, ``parser``, ``identity``,
    ``background`` or ``training``."""
    licence: str
    sha256: str
    family: str = ""
    """For generators: which loader reads it, ``gfpgan`` or ``spandrel``."""
    variant: str = ""
    """For generators: which of its family, where that cannot be seen from the file alone."""
    extra: str = ""
    """Extra of gfpvideo that must be installed to run it; empty if none."""
    bytes: int | None = None
    url: str = ""
    """Where it is published; empty for embedded weights."""
    file: str = ""
    """Name inside gfpvideo's own weights folder, or inside ``package``; empty for published weights."""
    package: str = ""
    """Package that brings the file, if that is not gfpvideo."""
    graph: str = ""
    """What ships of its traced graph, inside gfpvideo's own weights folder; see :mod:`gfpvideo.networks.shipped`."""
    graph_sha256: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the file ships with gfpvideo, or with a package that it needs."""
        return bool(self.file)

    def path(self, folder: Path) -> Path:
        """Where the file lies, or would lie, when downloads live in ``folder``."""
        if self.package:
            return Path(str(files(self.package) / self.file))
        if self.embedded:
            return data_folder("weights") / self.file
        return folder / f"{self.name}{Path(self.url).suffix}"


@cache
def manifest() -> dict[str, WeightsEntry]:
    """All known weights by name, best generator first."""
    table = tomllib.loads((data_folder("weights") / "manifest.toml").read_text(encoding="utf-8"))
    return {name: _entry(name, values) for name, values in table.items()}


def _entry(name: str, values: dict[str, Any]) -> WeightsEntry:
    return WeightsEntry(name=name, **values)


def entry(name: str) -> WeightsEntry:
    """The entry called ``name``.

    Raises:
        WeightsError: if there is none; the message lists the known names.
    """
    try:
        return manifest()[name]
    except KeyError:
        raise WeightsError(f"no weights are called {name!r}; known are {', '.join(manifest())}") from None


def weights_folder(folder: Path | None = None) -> Path:
    """The folder of downloaded weights: ``folder``, else ``GFPVIDEO_WEIGHTS``, else the user's data folder."""
    if folder is not None:
        return folder
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("gfpvideo", appauthor=False) / "weights"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed(name: str, folder: Path | None = None) -> Path:
    """Path of the weights called ``name``, checked against their hash.

    Raises:
        WeightsError: if they are not there (the message names the command that gets them), or the hash is wrong (a
            downloaded file is then removed).
    """
    known = entry(name)
    path = known.path(weights_folder(folder))
    if not path.is_file() and known.embedded:
        raise WeightsError(f"{path}: the embedded weights are missing; install {known.package or 'gfpvideo'} again")
    if not path.is_file():
        raise WeightsError(f"the weights {name!r} are not installed; get them with: gfpvideo weights get {name}")
    check_hash(known, path)
    return path


def graph_of(name: str) -> Path | None:
    """Path of what ships of the traced graph of the weights called ``name``, checked; ``None`` if nothing does.

    Raises:
        WeightsError: if it is damaged or missing.
    """
    known = manifest().get(name)
    if known is None or not known.graph:
        return None
    path = data_folder("weights") / known.graph
    if not path.is_file() or sha256(path) != known.graph_sha256:
        raise WeightsError(f"{path}: the embedded graph is damaged or missing; install gfpvideo again")
    return path


def check_hash(known: WeightsEntry, path: Path) -> None:
    """Compare a file with the manifest.

    Raises:
        WeightsError: if it differs; a downloaded file is removed, so that it cannot be used by accident.
    """
    found = sha256(path)
    if found == known.sha256:
        return
    if known.embedded:
        maker = known.package or "gfpvideo"
        raise WeightsError(f"{path}: the embedded weights are damaged (SHA-256 {found}); install {maker} again")
    path.unlink()
    raise WeightsError(
        f"{path}: wrong SHA-256 {found}, removed; get the weights again with: gfpvideo weights get {known.name}"
    )


def fetch(name: str, folder: Path | None = None, *, progress: bool = True) -> Path:
    """Download the weights called ``name`` unless they are there; the only code that touches the network.

    The file is written under a temporary name, checked against its SHA-256 and renamed.

    Raises:
        WeightsError: if the name is unknown, the download fails, or the hash is wrong.
    """
    known = entry(name)
    target = known.path(weights_folder(folder))
    if target.is_file():
        check_hash(known, target)
        return target
    import pooch
    import requests

    try:
        pooch.retrieve(known.url, f"sha256:{known.sha256}", fname=target.name, path=target.parent, progressbar=progress)
    except ValueError as error:
        raise WeightsError(f"{known.url}: the download does not have the SHA-256 of {name}, removed") from error
    except (OSError, requests.RequestException) as error:
        raise WeightsError(f"{known.url}: download failed ({_reason(error)}); try again later") from error
    return target


def _reason(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def identify(path: Path) -> WeightsEntry | None:
    """The entry whose hash ``path`` has, or ``None``: a file that we do not know."""
    return known_as(sha256(path))


def known_as(digest: str) -> WeightsEntry | None:
    """The entry of that SHA-256, or ``None``."""
    return next((known for known in manifest().values() if known.sha256 == digest), None)
