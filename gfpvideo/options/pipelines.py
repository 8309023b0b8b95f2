"""Presets: the options for a kind of film, in TOML files that people read, copy and change.

Those that ship with gfpvideo lie in ``pipelines/``. A file has up to four tables: ``[before]`` (what is done to the
pictures first), ``[restore]`` (options of the restoration), ``[after]`` and ``[encode]``.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gfpvideo.data import data_folder
from gfpvideo.errors import OptionError
from gfpvideo.media.filters import check_filters
from gfpvideo.options.restore import RestoreOptions, one_line

_TABLES: dict[str, dict[str, str]] = {
    "before": {"deinterlace": "deinterlace", "telecine": "telecine", "filters": "filters"},
    "restore": {
        name: name
        for name in (
            "model", "engine", "device", "precision", "batch", "reuse", "detector", "detect_size", "detect_every",
            "min_score", "min_face", "max_faces", "lag", "max_gap", "smooth", "steady", "adapt", "grain", "mask",
            "guard", "strength", "color",
        )
    },
    "after": {
        "filters": "filters_after", "compare": "compare", "upscale": "upscale", "background_model": "background_model",
    },
    "encode": {
        "container": "container", "codec": "codec", "crf": "crf", "preset": "preset", "options": "encoder_options",
        "audio_codec": "audio_codec", "audio_kbits": "audio_kbits",
    },
}  # fmt: skip
"""Keys of each table, and the options that they set."""


_KNOWN = "description, [before], [restore], [after] and [encode]"


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: str = Field(min_length=1)
    before: dict[str, Any] = {}
    restore: dict[str, Any] = {}
    after: dict[str, Any] = {}
    encode: dict[str, Any] = {}


@dataclass(frozen=True)
class Preset:
    """A preset that was read and is right."""

    name: str
    description: str
    path: Path
    values: dict[str, Any]
    """Values of :class:`gfpvideo.RestoreOptions`, by name."""

    @property
    def text(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")


def preset_names() -> list[str]:
    """Names of the presets that ship with gfpvideo."""
    found = data_folder("pipelines").glob("*.toml")
    return sorted(path.stem for path in found if not path.stem.startswith("train_"))


def load_preset(name_or_path: str) -> Preset:
    """Read a preset and check every key, value and filter.

    Args:
        name_or_path: a name of :func:`preset_names`, or the path of a ``.toml`` file.

    Raises:
        OptionError: naming the file, and the line that is wrong.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = data_folder("pipelines") / f"{name_or_path}.toml"
        if name_or_path not in preset_names():
            raise OptionError(
                f"no pipeline {name_or_path!r}; give one of {', '.join(preset_names())}, or the path of a .toml file"
            )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: the pipeline cannot be read ({error})") from None
    return parse_preset(text, path)


def parse_preset(text: str, path: Path) -> Preset:
    """Check the text of a preset; ``path`` is where it comes from.

    Raises:
        OptionError: naming the file, and the line that is wrong.
    """
    wrong = _Wrong(text, path)
    try:
        content = _Content(**tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"{path}: not a TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        reasons = {"missing": f"a preset needs a {key}", "extra_forbidden": f"unknown {key!r}; known are {_KNOWN}"}
        raise wrong("", key, reasons.get(first["type"], one_line(error))) from None
    values: dict[str, Any] = {}
    for table, keys in _TABLES.items():
        for key, value in getattr(content, table).items():
            if key not in keys:
                raise wrong(table, key, f"unknown key {key!r} in [{table}]; known are {', '.join(keys)}")
            values |= _checked(keys[key], value, lambda reason, at=(table, key): wrong(*at, reason))
    try:
        RestoreOptions.parse(values)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from None
    return Preset(path.stem, content.description, path, values)


def _checked(option: str, value: Any, wrong: Callable[[str], OptionError]) -> dict[str, Any]:
    """One option, its value tried by itself."""
    try:
        RestoreOptions.parse({option: value})
        if option in {"filters", "filters_after"}:
            check_filters(value)
    except OptionError as error:
        raise wrong(str(error)) from None
    return {option: value}


class _Wrong:
    """Makes errors that name a line."""

    def __init__(self, text: str, path: Path) -> None:
        self._lines, self._path = text.splitlines(), path

    def __call__(self, table: str, key: str, reason: str) -> OptionError:
        return OptionError(f"{self._path}, line {self._line(table, key)}: {reason}")

    def _line(self, table: str, key: str) -> int:
        inside = table == ""
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[+\s*([\w.\"'-]+)", line)
            if header:
                inside = header[1].strip("\"'").split(".")[0] == table
            if (inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line)) or (header and header[1] == key):
                return number
        return 1
