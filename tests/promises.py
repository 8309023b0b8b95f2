"""The table of docs/promises.md, and whether the tests that it names have held.

    python tests/promises.py FILE

reads the names of tests that passed, one a line (pytest writes them into the file that GFPVIDEO_PASSED names), and
fails if there is a promise without one: a test that was skipped holds nothing.
"""

import re
import sys
from collections.abc import Set
from pathlib import Path

TABLE = Path(__file__).parent.parent / "docs" / "promises.md"


def promises(text: str) -> dict[int, list[str]]:
    """Of each promise, the tests that hold it, as ``tests/media/test_x.py`` or ``tests/media/test_x.py::test_y``."""
    found: dict[int, list[str]] = {}
    before: list[str] = []
    for number, cell in re.findall(r"^\| (\d+) \|.*\|(.*)\|$", text, re.MULTILINE):
        file, names = "", list(before) if cell.strip().startswith("the same") else []
        for path, test in re.findall(r"`([\w/]+\.py)?(::\w+)?`", cell):
            file = path or file
            names.append(f"tests/{file}{test}")
        found[int(number)] = before = names
    return found


def broken(table: dict[int, list[str]], passed: Set[str]) -> list[str]:
    """A line for each test of the table of which not one case passed."""
    return [
        f"promise {number} is not held: no case of {name} passed"
        for number, names in table.items()
        for name in names
        if not any(case == name or case.startswith((f"{name}[", f"{name}::")) for case in passed)
    ]


if __name__ == "__main__":
    lines = broken(promises(TABLE.read_text(encoding="utf-8")), set(Path(sys.argv[1]).read_text().splitlines()))
    sys.exit("\n".join(lines) or None)  # an empty text would count as a failure
