"""Every promise names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_every_promise_is_held_by_tests_that_exist() -> None:
    rows = re.findall(r"^\| \d+ \|.*", (ROOT / "docs/promises.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) >= 20
    for row in rows:
        file = ""
        named = re.findall(r"`([\w/]*\.py)?(?:::(\w+))?`", row)
        assert any(path or test for path, test in named), row
        for path, test in named:
            file = path or file
            text = (ROOT / "tests" / file).read_text(encoding="utf-8") if file else ""
            assert not (path or test) or text, row
            assert not test or f"def {test}(" in text, (row, test)
