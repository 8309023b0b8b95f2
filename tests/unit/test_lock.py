"""uv.lock and .ci/lowest.txt hold what pyproject.toml asks for: who changes that makes both anew (CONTRIBUTING.md)."""

import tomllib
from collections.abc import Collection

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conftest import ROOT


def asked(*, extras: Collection[str] | None = None) -> list[Requirement]:
    """What pyproject.toml asks for, with all extras or those that are named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chosen = [lines for name, lines in project["optional-dependencies"].items() if extras is None or name in extras]
    requirements = [Requirement(line) for lines in [project["dependencies"], *chosen] for line in lines]
    return [item for item in requirements if item.name != "gfpvideo"]


def test_the_lock_is_of_these_dependencies() -> None:
    wanted = {(item.name, item.specifier) for item in asked()}
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (ours,) = (package for package in packages if package["name"] == "gfpvideo")
    locked = {(item["name"], SpecifierSet(item.get("specifier", ""))) for item in ours["metadata"]["requires-dist"]}
    assert locked == wanted
    versions = {package["name"]: package["version"] for package in packages if package["name"] != "gfpvideo"}
    assert all(requirement.contains(versions[name]) for name, requirement in wanted)


def test_the_lowest_versions_are_those_that_are_allowed() -> None:
    """A version may stand above a bound by its last figures alone: 1.26.0, or 2.1.3 where there is no 2.1.0."""
    lines = (ROOT / ".ci" / "lowest.txt").read_text(encoding="utf-8").split()
    listed = {name: Version(number) for name, number in (line.split("==") for line in lines)}
    for item in asked(extras=("test", "evaluate", "train")):
        (bound,) = (Version(part.version) for part in item.specifier if part.operator == ">=")
        assert item.specifier.contains(listed[item.name])
        assert listed[item.name].release[:2] == (*bound.release, 0)[:2], item
