"""uv.lock and .ci/lowest.txt hold what pyproject.toml asks for: who changes that makes both anew (CONTRIBUTING.md)."""

import tomllib
from collections.abc import Iterator, Mapping

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conftest import ROOT


def asked(*, extra: str | None = None) -> list[Requirement]:
    """What pyproject.toml asks for, with all extras or with the one that is named and those that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    chosen = [item for name in ([extra] if extra else extras) for item in _of(name, extras)]
    return [*map(Requirement, project["dependencies"]), *chosen]


def _of(name: str, extras: Mapping[str, list[str]]) -> Iterator[Requirement]:
    """What an extra asks for, and the extras that it names."""
    for item in map(Requirement, extras[name]):
        if item.name == "gfpvideo":
            for other in sorted(item.extras):
                yield from _of(other, extras)
        else:
            yield item


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
    for item in asked(extra="test"):
        (bound,) = (Version(part.version) for part in item.specifier if part.operator == ">=")
        assert item.specifier.contains(listed[item.name])
        assert listed[item.name].release[:2] == (*bound.release, 0)[:2], item
