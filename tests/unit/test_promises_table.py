"""Every promise names tests that exist and check something; one of which nothing passed is told."""

import ast

import pytest

from conftest import ROOT
from promises import TABLE, broken, promises

PROMISES = promises(TABLE.read_text(encoding="utf-8"))


def test_the_table_is_read() -> None:
    rows = "| 1 | a | `media/a.py::one`, `::two` |\n| 2 | b | the same; `unit/b.py` |\n|---|---|---|\n| x | y | z |\n"
    assert promises(rows) == {
        1: ["tests/media/a.py::one", "tests/media/a.py::two"],
        2: ["tests/media/a.py::one", "tests/media/a.py::two", "tests/unit/b.py"],
    }
    assert list(PROMISES) == list(range(1, len(PROMISES) + 1))
    assert len(PROMISES) >= 25


@pytest.mark.parametrize("number", PROMISES)
def test_a_promise_is_held_by_tests_that_check_something(number: int) -> None:
    assert PROMISES[number]
    for name in PROMISES[number]:
        path, _, test = name.partition("::")
        functions = [
            node
            for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef) and (node.name == test if test else node.name.startswith("test_"))
        ]
        assert functions, f"{name} does not exist"
        for function in functions:
            checks = [
                part for part in ast.walk(function)
                if isinstance(part, ast.Assert)
                or (isinstance(part, ast.Attribute) and part.attr == "raises")
                or (isinstance(part, ast.Name) and part.id.startswith("check_"))
            ]  # fmt: skip
            assert checks, f"{path}::{function.name} checks nothing"


def test_a_promise_of_which_no_test_passed_is_told() -> None:
    table = {1: ["tests/a.py::one"], 2: ["tests/a.py::one", "tests/b.py"]}
    assert broken(table, {"tests/a.py::one[x-1]", "tests/b.py::any"}) == []
    assert broken(table, {"tests/a.py::one_more", "tests/b.py::any"}) == [
        "promise 1 is not held: no case of tests/a.py::one passed",
        "promise 2 is not held: no case of tests/a.py::one passed",
    ]
    assert broken(table, {"tests/a.py::one"}) == ["promise 2 is not held: no case of tests/b.py passed"]
