"""What a restoration was begun with: going on with anything else would give another film."""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from gfpvideo.errors import InputError
from gfpvideo.options.groups import no_matter
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.version import __version__

_ENDS = 1 << 20
"""Bytes at either end of a file that are hashed: with its size and date they tell a film from another."""


class Identity(BaseModel):
    """Everything that the picture of a restored film depends on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    """gfpvideo's own."""
    libraries: dict[str, str]
    source: str
    """Hash of the source's size, date and ends."""
    files: dict[str, str]
    """Hashes of the files that options name."""
    model: str
    """SHA-256 of the model's file, and the engine."""
    options: dict[str, Any]

    @classmethod
    def of(cls, source: Path, options: RestoreOptions, model: str) -> Self:
        """The identity of a restoration that is about to begin; ``model`` names the model's content and the engine."""
        ignored = no_matter(RestoreOptions)
        files = {name: value for name, value in options if isinstance(value, Path) and name not in ignored}
        return cls(
            version=__version__,
            libraries={name: version(name) for name in ("av", "numpy", "opencv-python", "openvino", "torch")},
            source=file_identity(source),
            files={name: file_identity(path) for name, path in files.items()},
            model=model,
            options=options.model_dump(mode="json", exclude=ignored),
        )

    def difference(self, other: Self) -> str | None:
        """In a few words, what is not as it was in ``other``; ``None`` if all is."""
        if self.source != other.source or self.files != other.files:
            return "the source, or a file that an option names, has changed"
        if self.model != other.model:
            return "the model or its engine is another one"
        if self.version != other.version or self.libraries != other.libraries:
            return "gfpvideo or a library that it uses has another version"
        changed = [name for name in self.options if self.options[name] != other.options.get(name)]
        return f"other options: {', '.join(name.replace('_', '-') for name in changed)}" if changed else None


def file_identity(path: Path) -> str:
    """Hash of a file's size, date of change, beginning and end.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            digest = hashlib.sha256(f"{facts.st_size} {facts.st_mtime_ns}".encode())
            digest.update(file.read(_ENDS))
            file.seek(max(0, facts.st_size - _ENDS))
            digest.update(file.read(_ENDS))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
