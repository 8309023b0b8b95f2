"""Pipelines: the options for a kind of film, in TOML files that people read, copy and change.

Those that ship with gfpvideo lie in ``pipelines/``. A file has a description and a table for each group of options
(:mod:`gfpvideo.options.groups`), with the options' own names.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gfpvideo.data import data_folder
from gfpvideo.errors import OptionError
from gfpvideo.options.groups import about, tables
from gfpvideo.options.restore import RestoreOptions, one_line

FilterCheck = Callable[[Sequence[str]], None]
"""Raises an :class:`OptionError` if FFmpeg filters do not exist or do not take their options."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that was read and is right."""

    name: str
    description: str
    path: Path
    values: dict[str, Any]
    """Values of :class:`gfpvideo.RestoreOptions`, by name."""

    @property
    def text(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")


def pipeline_names() -> list[str]:
    """Names of the pipelines that ship with gfpvideo."""
    return sorted(path.stem for path in data_folder("pipelines").glob("*.toml"))


def load_pipeline(name_or_path: str, check: FilterCheck) -> Pipeline:
    """Read a pipeline and check every key, value and filter.

    Args:
        name_or_path: a name of :func:`pipeline_names`, or the path of a ``.toml`` file.
        check: tries filters; that takes FFmpeg, which options know nothing of.

    Raises:
        OptionError: naming the file, and the line that is wrong.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = data_folder("pipelines") / f"{name_or_path}.toml"
        if name_or_path not in pipeline_names():
            raise OptionError(
                f"no pipeline {name_or_path!r}; give one of {', '.join(pipeline_names())}, or the path of a .toml file"
            )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: the pipeline cannot be read ({error})") from None
    return parse_pipeline(text, path, check)


def parse_pipeline(text: str, path: Path, check: FilterCheck) -> Pipeline:
    """Check the text of a pipeline; ``path`` is where it comes from.

    Raises:
        OptionError: naming the file, and the line that is wrong.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"{path}: not a TOML file: {error}") from None
    wrong = _Wrong(text, path)
    description = content.pop("description", None)
    if not isinstance(description, str) or not description:
        raise wrong("", "description", "a pipeline needs a description")
    values = _values(content, wrong)
    _check(values, wrong, check)
    return Pipeline(path.stem, description, path, values)


def _values(content: dict[str, Any], wrong: "_Wrong") -> dict[str, Any]:
    """Every option that the tables of a file set; each stands in the table of its group."""
    known = tables(RestoreOptions)
    values: dict[str, Any] = {}
    for table, keys in content.items():
        if table not in known:
            raise wrong(
                "", table, f"unknown {table!r}; known are description, {', '.join(f'[{name}]' for name in known)}"
            )
        if not isinstance(keys, dict):
            raise wrong("", table, f"option {table} = {keys!r}: must be a table, [{table}]")
        for key in keys:
            if key not in known[table]:
                raise wrong(table, key, _unknown(table, key))
        values |= keys
    return values


def _unknown(table: str, key: str) -> str:
    known = tables(RestoreOptions)
    right = next((group for group, names in known.items() if key in names), None)
    if right is not None:
        return f"{key!r} belongs in [{right}]"
    return f"unknown key {key!r} in [{table}]; known are {', '.join(known[table])}"


def _check(values: dict[str, Any], wrong: "_Wrong", check: FilterCheck) -> None:
    """See that values are right, also beside each other, and that filters work."""
    try:
        RestoreOptions(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first.get("ctx", {}).get("option") or first["loc"][0])
        raise wrong(_table(option), option, one_line(error)) from None
    for option, field in RestoreOptions.model_fields.items():
        try:
            if about(field).filters and option in values:
                check(values[option])
        except OptionError as error:
            raise wrong(_table(option), option, str(error)) from None


def _table(option: str) -> str:
    return about(RestoreOptions.model_fields[option]).group


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
