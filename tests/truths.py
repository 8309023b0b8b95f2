"""What a demuxer and a decoder find in each real clip, written down once, after FFmpeg's FATE.

    python tests/truths.py FOLDER_OF_CLIPS > tests/media/truths.toml

made the table of truths, with PyAV 18.1. A clip's ``exit``, ``frames`` and ``words`` (of the warning, or of the
refusal) were written by hand: they say what gfpvideo must answer, and are kept when the table is made anew.
"""

import sys
import tomllib
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from helpers import FilmFacts, facts

TABLE = Path(__file__).parent / "media" / "truths.toml"
LONG = "androidx/long_1080p_lowbitrate.mp4"
"""10,883 frames: restored once, by test_memory.py."""


@dataclass(frozen=True)
class Truth:
    """A row of the table."""

    exit: int
    """Exit code of a restoration."""
    frames: int
    """Frames that it gives."""
    words: str
    """Part of a warning, or of the refusal."""
    times: str
    """Presentation times from the first frame's on, seconds: how long each frame is shown, and how often in a row."""
    others: list[str]
    """Every other stream that has packets: type, packets, SHA-256 of their payload."""
    starts: list[str]
    """When the first stream of each type begins, seconds from the first frame."""


def read_truths() -> dict[str, Truth]:
    """The table, by the clips' paths."""
    rows: dict[str, Any] = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: Truth(**row) for name, row in rows.items()}


def times(found: FilmFacts) -> str:
    """Intervals between frames, runs of equal ones counted."""
    steps = [after - before for before, after in pairwise(found.pts)]
    return " ".join(f"{step}*{len(list(run))}" for step, run in groupby(steps))


def others(found: FilmFacts) -> list[str]:
    """The streams beside the picture."""
    return [f"{kind} {count} {digest}" for kind, count, digest in found.payloads]


def starts(found: FilmFacts) -> list[str]:
    """When those begin."""
    return [f"{kind} {start}" for kind, start in sorted(found.starts.items())]


def main() -> None:
    """Print the table anew."""
    known = read_truths()
    for name, truth in known.items():
        found = facts(Path(sys.argv[1]) / name)
        print(f'["{name}"]')
        print(f'exit = {truth.exit}\nframes = {truth.frames}\nwords = "{truth.words}"\ntimes = "{times(found)}"')
        for key, values in (("others", others(found)), ("starts", starts(found))):
            lines = "".join(f'  "{value}",\n' for value in values)
            print(f"{key} = [\n{lines}]" if values else f"{key} = []")
        print()


if __name__ == "__main__":
    main()
