"""Films from standard input and to standard output, and what is reported of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from helpers import facts
from quick import QUICK, QUICK_ARGUMENTS

RUNNER = CliRunner()
SHORT = ["--preset", "ultrafast", "--end", "1", "-q", *QUICK_ARGUMENTS]


def run(*arguments: str, given: bytes = b"", cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "gfpvideo", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, cwd=cwd)


def test_a_film_goes_through_pipes_as_through_files(film: Path, tmp_path: Path) -> None:
    through, beside = tmp_path / "piped.mkv", tmp_path / "beside.mkv"
    done = run("restore", "-", "-o", "-", *SHORT, given=film.read_bytes(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(tmp_path.iterdir()) == []
    through.write_bytes(done.stdout)
    gfpvideo.restore(film, beside, RestoreOptions.parse(QUICK | {"preset": "ultrafast", "end": "1"}))
    assert facts(through, planes=True).planes == facts(beside, planes=True).planes
    assert facts(through).payloads == facts(beside).payloads
    assert facts(through).pts == facts(beside).pts


def test_wrong_pipes_are_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    for arguments, given, words in (
        (["-"], b"", b"needs a target: give -o"),
        (["-", "-o", "x.mkv"], b"", b"no film came in"),
        (["-", "-o", "x.mkv"], b"hello" * 1000, b"not a film"),
    ):
        done = run("restore", "-q", *arguments, given=given, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count(b"\n") == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_strange_names_are_names(film: Path, tmp_path: Path) -> None:
    """Spaces, quotes, other scripts, a leading dash and a percent sign mean nothing but themselves."""
    for name in ("a 'b' \"c\".mp4", "Großmutters 映画.mp4", "-film.mp4", "100%d.mp4", "a:b.mp4"):
        source = tmp_path / name
        source.write_bytes(film.read_bytes())
        done = run("restore", *SHORT, "--", name, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        target = tmp_path / name.replace(".mp4", ".restored.mp4")
        assert len(facts(target).pts) == 18
        source.unlink()
        target.unlink()
        assert list(tmp_path.iterdir()) == []


def test_the_report_is_json(film: Path, tmp_path: Path) -> None:
    target, report = tmp_path / "out.mkv", tmp_path / "report.json"
    result = RUNNER.invoke(app, ["restore", str(film), "-o", str(target), "--report", str(report), *SHORT])
    assert result.exit_code == 0
    found = json.loads(report.read_text())
    assert (found["frames"], found["faces"], found["tracks"], found["resumed"]) == (18, 18, 1, 0)
    assert found["model"] == "quick.safetensors"
    assert found["copied"] == ["audio 1 (aac, eng)"]
    assert found["warnings"] == []
    assert found["stages"]["generate"] > 0


def test_the_doctor_tells_what_is_here() -> None:
    result = RUNNER.invoke(app, ["doctor"])
    assert result.exit_code == 0
    for words in ("gfpvideo:", "  av 18", "openvino CPU", "libx264: yes", "installed: compact", "GB free"):
        assert words in result.stdout


def test_a_log_tells_what_was_done(film: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    target = tmp_path / "out.mkv"
    arguments = ["restore", str(film), "-o", str(target), *SHORT, "--log-level", "info", "--log-file", str(log)]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    text = log.read_text()
    assert "INFO gfpvideo.restoration.jobs.segments: segment 1 is finished: 18 frames" in text
    assert "18 frames, 18 faces in" in text
    refused = RUNNER.invoke(app, ["restore", str(film), "--log-level", "loud"])
    assert (refused.exit_code, "must be debug, info" in refused.stderr) == (2, True)
