"""Films from standard input and to standard output, and what is reported of them."""

import io
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.cli.piped import PIPE, piped
from gfpvideo.errors import OutputError
from gfpvideo.report import Report
from gfpvideo.restoration.events import FrameDone
from helpers import facts
from quick import QUICK, QUICK_ARGUMENTS

RUNNER = CliRunner()
SHORT = ["--preset", "ultrafast", "--end", "1", "-q", *QUICK_ARGUMENTS]


def run(*arguments: str, given: bytes = b"", cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "gfpvideo", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, cwd=cwd)


def test_a_film_goes_through_pipes_as_through_files(film: Path, tmp_path: Path) -> None:
    through, beside = tmp_path / "piped.mkv", tmp_path / "beside.mkv"
    report = tmp_path / "report.json"
    done = run("restore", "-", "-o", "-", "--report", "report.json", *SHORT, given=film.read_bytes(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(tmp_path.iterdir()) == [report]
    assert {json.loads(report.read_text())[name] for name in ("source", "target")} == {"-"}
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


def test_what_cannot_be_kept_is_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    """Before anything is read, if it can be known by then; and nothing of what came in is left."""
    there = tmp_path / "there.mkv"
    there.touch()
    for arguments, words in (
        (["-", "-o", "nowhere/x.mkv"], b"nowhere: no such folder"),
        (["-", "-o", "there.mkv"], b"there.mkv: exists already; give --overwrite"),
        ([str(film), "-o", "-", "--resume"], b"option resume: no work is kept"),
    ):
        done = run("restore", "-q", *arguments, given=film.read_bytes(), cwd=tmp_path)
        assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
        assert words in done.stderr
        assert list(tmp_path.iterdir()) == [there]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of resources are Unix's")
def test_a_disk_that_fills_up_keeps_nothing_of_what_came_in(film: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "gfpvideo", "restore", "-", "-o", "x.mkv", "-q"]
    limited = f"trap '' XFSZ; ulimit -f 100; exec {shlex.join(program)}"
    done = subprocess.run(["bash", "-c", limited], input=film.read_bytes(), capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"standard input: cannot be kept in " in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_keeps_nothing_of_what_came_in(number: signal.Signals, film: Path, tmp_path: Path) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("this signal is ignored here, as under nohup; what is started then has to ignore it as well")
    command = [sys.executable, "-m", "gfpvideo", "restore", "-", "-o", "x.mkv", "-q"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert running.stdin is not None
    running.stdin.write(film.read_bytes())
    running.stdin.flush()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".gfpvideo-*/source")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.5)  # until it waits for more: Python does not see a signal that comes on its way into the system
    running.send_signal(number)
    assert running.wait(20) == 130
    assert list(tmp_path.iterdir()) == []


class GaveUpError(Exception):
    pass


@pytest.mark.slow
def test_a_film_that_comes_again_is_gone_on_with(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for it is a new file each time: its content tells that it is the same film, or another."""
    target, whole = tmp_path / "film.mkv", tmp_path / "whole.mkv"
    options = RestoreOptions.parse(QUICK | {"preset": "ultrafast", "end": "1", "segment": 8})
    other = bytearray(film.read_bytes())
    other[len(other) // 2] ^= 1  # far from both ends, and of the same length

    def restored(content: bytes, options: RestoreOptions, give_up: int | None = None) -> Report:
        def watch(progress: FrameDone) -> None:
            if progress.restored.frame.index == give_up:
                raise GaveUpError

        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        with piped(PIPE, target, options) as (source, to):
            return gfpvideo.restore(source, to, options, on_frame=watch)

    with pytest.raises(GaveUpError):
        restored(film.read_bytes(), options, give_up=12)
    going_on = options.model_copy(update={"resume": True})
    with pytest.raises(OutputError, match="the source, or a file that an option names, has changed"):
        restored(bytes(other), going_on)
    assert restored(film.read_bytes(), going_on).resumed == 8
    gfpvideo.restore(film, whole, options)
    assert facts(target, planes=True).planes == facts(whole, planes=True).planes


@pytest.mark.slow
def test_a_reader_that_leaves_ends_it_quietly(film: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gfpvideo", "restore", str(film), "-o", "-", *SHORT]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert running.stdout is not None
    assert running.stderr is not None
    assert len(running.stdout.read(1000)) == 1000
    running.stdout.close()
    assert running.wait(60) == 141
    assert running.stderr.read() == b""


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
    for words in ("gfpvideo:", "  av 18", "openvino CPU", "libx264: yes", "installed: centerface, compact", "GB free"):
        assert words in result.stdout


def test_a_log_tells_what_was_done(film: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    target = tmp_path / "out.mkv"
    arguments = ["restore", str(film), "-o", str(target), *SHORT, "--log-level", "info", "--log-file", str(log)]
    assert RUNNER.invoke(app, arguments).exit_code == 0
    text = log.read_text()
    assert "INFO gfpvideo.restoration.jobs.segments: segment 0 is finished: 18 frames" in text
    assert "18 frames, 18 faces in" in text
    refused = RUNNER.invoke(app, ["restore", str(film), "--log-level", "loud"])
    assert (refused.exit_code, "must be debug, info" in refused.stderr) == (2, True)
