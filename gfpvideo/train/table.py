"""Tables of options of trainings, read from TOML files."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from gfpvideo.errors import OptionError
from gfpvideo.options.restore import one_line


def _counted(numbers: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= numbers[0] <= numbers[1]:
        raise ValueError("wants the first and the last number, counted from 1")
    return numbers


Numbers = Annotated[tuple[int, int], AfterValidator(_counted)]
"""First and last of a sorted list, counted from 1."""


class Table(BaseModel):
    """A table that knows all its keys; the outermost one is a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file; folders in it are relative to where the command runs.

        Raises:
            OptionError: if it is missing, no TOML, or holds an unknown key or a wrong value.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise OptionError(f"{path}: no options file ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise OptionError(f"{path}: not a TOML file: {error}") from None
        return cls.parse(values, path)

    @classmethod
    def parse(cls, values: dict[str, Any], path: Path) -> Self:
        """Validate ``values``, read from ``path``."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise OptionError(f"{path}: {one_line(error, dashes=False)}") from None
