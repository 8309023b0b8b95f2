"""uv.lock holds what pyproject.toml asks for: who changes one makes the other anew, with `uv lock`."""

import tomllib

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conftest import ROOT


def test_the_lock_is_of_these_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    requirements = [Requirement(line) for line in asked]
    wanted = {(item.name, item.specifier) for item in requirements if item.name != "gfpvideo"}
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (ours,) = (package for package in packages if package["name"] == "gfpvideo")
    locked = {(item["name"], SpecifierSet(item.get("specifier", ""))) for item in ours["metadata"]["requires-dist"]}
    assert locked == wanted
    versions = {package["name"]: package["version"] for package in packages if package["name"] != "gfpvideo"}
    assert all(requirement.contains(versions[name]) for name, requirement in wanted)
