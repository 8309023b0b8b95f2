"""Every code block of README.md and docs/ works: it runs, or where it cannot run here, its options are checked."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
import typer

import gfpvideo
from conftest import ROOT
from gfpvideo.cli import app

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
NOT_HERE = (
    "pip install",
    "weights get",
    "gfpvideo train",
    "gfpvideo evaluate",
    "gfpvideo align",
    "vapoursynth config",
    "--cluster",
    "script.avs",
    "watch in ",
)
"""Commands that need the network, hours, machines, programs or faces that are not here; only options are checked."""


def blocks(language: str) -> list[Any]:
    found = []
    for page in PAGES:
        for number, (indent, name, text) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            if name == language:
                lines = [line.removeprefix(indent) for line in text.splitlines()]
                found.append(pytest.param("\n".join(lines), id=f"{page.name}-{number}"))
    return found


def commands(text: str) -> list[str]:
    parts = [part.strip() for line in text.splitlines() for part in re.split(r"&&|\|", line)]
    return [re.split(r"[<>]", part)[0] for part in parts if part.startswith("gfpvideo")]


@pytest.mark.parametrize("text", blocks(""))
def test_commands_are_ours(text: str) -> None:
    """Each names a command that exists, with options and arguments that it takes."""
    for line in commands(text):
        words = shlex.split(line)[1:]
        command: Any = typer.main.get_command(app)
        while getattr(command, "commands", None):
            command = command.commands[words.pop(0)]
        command.make_context("gfpvideo", words)


def test_what_troubleshooting_quotes_is_what_gfpvideo_says() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = [text for line in page.splitlines() if line.startswith("| `") for text in _quotes(line)]
    package = Path(gfpvideo.__file__).parent
    said = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in sorted(package.rglob("*.py")))
    said = re.sub(r'" f?"', "", said)  # texts that go on in the next line
    assert len(quoted) > 12
    assert [text for text in quoted if text not in said] == []


def _quotes(line: str) -> list[str]:
    return re.findall(r"`([^`]+)`", line.split("|")[1])


@pytest.fixture
def place(tmp_path: Path, film: Path) -> Path:
    """A folder as the pages take it for granted: films, somebody's picture, and a checkout's samples and settings."""
    (tmp_path / "box").mkdir()
    for copy in (tmp_path / "film.mp4", tmp_path / "box" / "film.mp4"):
        shutil.copy(film, copy)
    with av.open(str(film)) as container:
        next(container.decode(video=0)).to_image().save(tmp_path / "anna.jpg")
    for name in ("samples", "pipelines", "training"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks(""))
def test_commands_run(text: str, place: Path) -> None:
    if any(words in text for words in NOT_HERE) or not commands(text):
        pytest.skip("cannot run here")
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    tools = place / "tools"
    tools.mkdir()
    (tools / "ffmpeg").symlink_to(ffmpeg)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    for line in text.splitlines():
        for left in place.glob("film.restored.*"):
            left.unlink()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=place, env=os.environ | {"PATH": path}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()[-500:]


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks("python"))
def test_python_runs(text: str, place: Path) -> None:
    if "vapoursynth" in text:
        pytest.importorskip("vapoursynth")
    subprocess.run([sys.executable, "-c", text], cwd=place, check=True, capture_output=True)


def test_the_site_is_made_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", str(ROOT / ".mkdocs.yml")]
    subprocess.run([*command, "-d", str(tmp_path / "site")], check=True, capture_output=True)
    page = (tmp_path / "site" / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    assert "gfpvideo restore" in page
    assert "--detect-every" in page
    assert "max_faces" in (tmp_path / "site" / "reference" / "python" / "index.html").read_text(encoding="utf-8")
