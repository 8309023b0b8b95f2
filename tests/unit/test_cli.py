"""The command line: exit codes, one-line errors, quick help."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gfpvideo import __version__
from gfpvideo.cli import app
from gfpvideo.cli.doctor import _unused
from gfpvideo.data import data_folder
from gfpvideo.errors import StoppedError
from gfpvideo.options.restore import RestoreOptions
from quick import QUICK_ARGUMENTS

runner = CliRunner()


def test_restore_prints_a_summary(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    result = runner.invoke(app, ["restore", str(film), "-o", str(target), "--preset", "ultrafast", "--end", "1"])
    assert result.exit_code == 0
    summary = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[1:])
    assert summary["frames"] == "18"
    assert summary["tracks"] == "1"
    assert summary["faces"] == "18 restored, 0 left as they were"
    assert summary["model"].startswith("compact-fast on ")
    assert summary["copied"] == "audio 1 (aac, eng)"
    assert summary["warnings"] == "none"
    assert "18/18" in result.stderr
    assert target.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["restore", "missing.mp4"], "missing.mp4: no such file"),
        (["restore", "SAMPLE", "--engine", "quantum"], "option engine = 'quantum'"),
        (["restore", "SAMPLE", "--model", "gfpgan-1.4"], "gfpvideo weights get gfpgan-1.4"),
        (["restore", "SAMPLE", "--model", "GARBAGE"], "garbage.pth: not a readable model file"),
        (["restore", "SAMPLE", "--detector", "retinaface"], "gfpvideo weights get retinaface-resnet50"),
        (["restore", "SAMPLE", "--encoder-option", "tune"], "must be KEY=VALUE"),
        (["restore", "SAMPLE", "-o", "SAMPLE", "--overwrite"], "the same file"),
        (["restore", "SAMPLE", "--preview", "--report", "told.json"], "--preview writes nothing but its picture"),
        (["album", "missing"], "missing: no such folder"),
        (["bench", "missing.mp4"], "missing.mp4: no such file"),
        (["restore", "SAMPLE", "--only", ""], "option only = '': names nothing"),
        (["restore", "SAMPLE", "--skip", ","], "option skip = ',': names nothing"),
        (["jobs", "list", "missing"], "missing: no such folder"),
        (["restore", "SAMPLE", "--report", "missing/report.json"], "in a folder that exists"),
        (["restore", "GARBAGE", "--report", "GARBAGE"], "is the source or the target"),
        (["restore", "SAMPLE", "-o", "out.json", "--report", "out.json"], "is the source or the target"),
        (["restore", f"{'x' * 300}.mp4"], "File name too long"),
        (["album", "x" * 300], "File name too long"),
        (["weights", "get", "nonsense"], "no weights are called 'nonsense'"),
        (["weights", "verify", "GARBAGE"], "not that of any known weights"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments: list[str], words: str, film: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"garbage")
    arguments = [{"SAMPLE": str(film), "GARBAGE": str(garbage)}.get(part, part) for part in arguments]
    if arguments[0] == "restore" and "-o" not in arguments:
        arguments += ["-o", str(tmp_path / "out.mkv")]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith("gfpvideo: ")]
    assert len(lines) == 1
    assert words in lines[0]
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == [garbage]


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        ("inspect", "--tracks", "there.json"),
        ("inspect", "--sheet", "there.png"),
        ("album", "--sheet", "there.png"),
        ("bench", "--json", "there.json"),
    ],
)
def test_files_that_are_there_stay_unless_somebody_says_otherwise(
    command: str, option: str, name: str, film: Path, tmp_path: Path
) -> None:
    there, source = tmp_path / name, tmp_path if command == "album" else film
    there.write_text("of value")
    result = runner.invoke(app, [command, str(source), option, str(there)])
    told = f"gfpvideo: option {option[2:]}: {there} exists already; give --overwrite to replace it, or another name\n"
    assert (result.exit_code, result.stderr) == (2, told)
    assert there.read_text() == "of value"
    wrong = runner.invoke(app, [command, str(source), option, str(tmp_path / "missing" / name)])
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "in a folder that exists" in wrong.stderr


def test_a_film_is_not_overwritten_by_what_is_said_of_it(film: Path) -> None:
    before = film.read_bytes()
    for arguments in (["inspect", str(film), "--tracks"], ["bench", str(film), "--json"]):
        result = runner.invoke(app, [*arguments, str(film), "--overwrite"])
        assert (result.exit_code, "is the source" in result.stderr) == (2, True)
    assert film.read_bytes() == before


def test_a_sheet_is_a_picture_by_its_name(film: Path, tmp_path: Path) -> None:
    for arguments in (
        ["inspect", str(film), "--sheet", str(tmp_path / "sheet.docx")],
        ["restore", str(film), "--preview", "-o", str(tmp_path / "sheet.mkv")],
    ):
        result = runner.invoke(app, arguments)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert "unknown kind of picture" in result.stderr


@pytest.mark.parametrize("log", [[], ["--log-file", "LOG"], ["--log-level", "error"], ["--log-level", "info"]])
def test_warnings_exit_1_and_are_told_once(log: list[str], tape: Path, tmp_path: Path) -> None:
    """The log tells them as well; both go to standard error unless the log has a file."""
    file = tmp_path / "log.txt"
    more = [{"LOG": str(file)}.get(part, part) for part in log]
    arguments = ["restore", str(tape), "-o", str(tmp_path / "out.mp4"), "--end", "0.1", "-q", *QUICK_ARGUMENTS, *more]
    result = runner.invoke(app, [*arguments, "--preset", "ultrafast"])
    assert result.exit_code == 1
    assert result.stdout == ""
    words = "warning: subtitle 2 (srt, eng) cannot be held by .mp4"
    assert result.stderr.count("subtitle 2 (srt, eng) cannot be held") == 1
    assert [line for line in result.stderr.splitlines() if line.startswith(f"gfpvideo: {words}")]
    if file.exists():
        assert file.read_text().count("subtitle 2 (srt, eng) cannot be held") == 1


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Whatever is opened makes us crash; returns the file that tells where."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def crash(*_: object, **__: object) -> None:
        raise KeyError("something\nthat nobody thought of")

    monkeypatch.setattr("gfpvideo.restoration.run.restore", crash)
    return tmp_path / "log.txt"


@pytest.mark.logs_errors
def test_a_crash_is_one_line_exit_70_and_a_traceback_in_the_log(crashing: Path, film: Path, tmp_path: Path) -> None:
    arguments = ["restore", str(film), "-o", str(tmp_path / "out.mkv"), "-q", "--log-file", str(crashing)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("gfpvideo: KeyError: ")
    for words in ("a bug of gfpvideo", "`gfpvideo doctor`", str(crashing)):
        assert words in result.stderr
    assert "Traceback" in crashing.read_text()
    assert __version__ in crashing.read_text()
    assert not (tmp_path / "state").exists()


@pytest.mark.logs_errors
@pytest.mark.skipif(sys.platform != "linux", reason="the folder's variable is Linux's")
def test_without_a_log_file_a_crash_gets_a_file_of_its_own(crashing: Path, film: Path, tmp_path: Path) -> None:
    for _ in range(2):
        result = runner.invoke(app, ["restore", str(film), "-o", str(tmp_path / "out.mkv"), "-q"])
        assert result.exit_code == 70
        assert result.stderr.count("\n") == 1
    file = next((tmp_path / "state").rglob("crash.txt"))
    assert str(file) in result.stderr
    assert file.read_text().count("Traceback") == 1


def test_a_crash_that_cannot_be_written_down_is_a_line_all_the_same(crashing: Path, film: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    result = runner.invoke(app, ["restore", str(film), "-o", str(tmp_path / "out.mkv"), "-q"])
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert "--log-file" in result.stderr


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_file_that_the_system_denies_is_no_bug(
    number: int, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was met: a folder on the way to a film that may not be entered, a disk that cannot be read."""

    def deny(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "a\nb"))

    monkeypatch.setattr("gfpvideo.restoration.run.restore", deny)
    result = runner.invoke(app, ["restore", str(film), "-o", str(tmp_path / "o.mkv"), "-q"])
    assert (result.exit_code, result.stderr) == (2, f"gfpvideo: {tmp_path / 'a?b'}: {os.strerror(number)}\n")


@pytest.mark.parametrize(("name", "piece"), [("film.mp4", "segment"), ("photo.PNG", "picture"), ("album", "picture")])
def test_who_stops_is_told_what_is_finished(
    name: str, piece: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is stopped between two pictures, which have no segments."""
    source = tmp_path / name
    source.mkdir() if name == "album" else source.touch()

    def interrupted(*_: object, stop: threading.Event, **__: object) -> None:
        handler: Any = signal.getsignal(signal.SIGINT)
        handler(signal.SIGINT, None)  # as Ctrl-C does, but never to another process's worker
        assert stop.is_set()
        raise StoppedError("interrupted")

    monkeypatch.setattr("gfpvideo.restoration.run.restore", interrupted)
    result = runner.invoke(app, ["restore", str(source), "-o", str(tmp_path / "out"), "-q"])
    assert result.exit_code == 130
    assert f"gfpvideo: finishing this {piece}; press Ctrl-C again" in result.stderr


def test_a_reader_that_leaves_a_list_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "gfpvideo", "weights", "list"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


RENAMED = {"encoder_options": "encoder_option", "filters": "filter", "filters_after": "filter_after"}
"""Options that may be given several times, and their flags."""


def test_a_command_that_gets_no_source_asks_for_one() -> None:
    """Also the one whose flags may stand alone, which looks at the words that follow them: there are none."""
    for name in ("restore", "watch", "album", "inspect"):
        result = runner.invoke(app, [name])
        assert (result.exit_code, "Missing argument" in result.stderr) == (2, True), result.output


def test_every_option_of_the_model_has_a_flag() -> None:
    text = re.sub(
        r"\s+", " ", runner.invoke(app, ["restore", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).stdout
    )
    for name in RestoreOptions.model_fields:
        assert f"--{RENAMED.get(name, name).replace('_', '-')} " in text


def test_weights_commands(tmp_path: Path) -> None:
    listed = runner.invoke(app, ["weights", "list"]).stdout
    assert re.search(r"compact\s+generator\s+15 MB\s+embedded\s+CC-BY-NC-SA-4.0", listed)
    assert re.search(r"gfpgan-1\.4\s+generator\s+349 MB\s+-\s+Apache-2\.0", listed)
    assert runner.invoke(app, ["weights", "verify"]).stdout == (
        "centerface: right\ncompact: right\ncompact-fast: right\nlandmarks: right\ngather: right\nconfidence: right\n"
    )
    assert runner.invoke(app, ["weights", "path", "--weights-dir", str(tmp_path)]).stdout.strip() == str(tmp_path)
    wrong = tmp_path / "gfpgan-1.4.pth"
    wrong.write_bytes(b"half a download")
    result = runner.invoke(app, ["weights", "verify", "--weights-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert not wrong.exists()


def test_the_doctor_names_libraries_that_lie_unused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "nvidia_cublas-13.1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: nvidia-cublas\nVersion: 13.1\n")
    (package / "RECORD").write_text("nvidia/libcublas.so,sha256=0,2500000000\nnvidia/LICENSE,,\n")
    monkeypatch.setattr("gfpvideo.generator.engines.choose.cuda_present", lambda: False)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert _unused() == ["unused: 2.5 GB of CUDA's libraries, and no CUDA device; README.md says how to do without"]
    monkeypatch.setattr("gfpvideo.generator.engines.choose.cuda_present", lambda: True)
    assert _unused() == []


def test_the_doctor_finds_what_is_amiss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(data_folder("weights"), tmp_path / "weights")
    (tmp_path / "weights" / "gather.safetensors").write_bytes(b"damaged")
    (tmp_path / "file").touch()
    assert runner.invoke(app, ["doctor"]).stdout.endswith("amiss:\n  nothing that was looked at\n")
    monkeypatch.setattr("gfpvideo.networks.weights.data_folder", lambda name: tmp_path / name)
    monkeypatch.setattr("gfpvideo.media.encoder.has_encoder", lambda name: name != "libx264")
    monkeypatch.setenv("GFPVIDEO_CACHE", str(tmp_path / "file" / "cache"))
    result = runner.invoke(app, ["doctor"])
    amiss = result.stdout.partition("amiss:\n")[2].splitlines()
    assert result.exit_code == 1
    told = ("libx264", "weights are damaged", "cannot be written; set GFPVIDEO_CACHE")
    for words, line in zip(told, amiss, strict=True):
        assert words in line


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"gfpvideo {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["weights", "list"]])
def test_light_commands_load_no_heavy_library(arguments: list[str]) -> None:
    """They must answer at once: importing torch alone takes seconds."""
    code = (
        "import sys; from gfpvideo.cli import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'openvino', 'av', 'cv2', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_signal_may_come_while_the_bar_is_being_written() -> None:
    """A stream that is in the middle of a write takes no other: what a signal has to say goes past it."""
    code = (
        "import io, os, signal, sys, threading\n"
        "from gfpvideo.cli.common import stopping\n"
        "class Slow(io.RawIOBase):\n"
        "    def writable(self): return True\n"
        "    def fileno(self): return 2\n"
        "    def write(self, data):\n"
        "        if data == b'bar': os.kill(os.getpid(), signal.SIGINT)\n"
        "        return os.write(2, data)\n"
        "sys.stderr = io.TextIOWrapper(io.BufferedWriter(Slow()), write_through=True)\n"
        "stop = threading.Event()\n"
        "with stopping(stop):\n"
        "    sys.stderr.write('bar'); sys.stderr.flush()\n"
        "assert stop.is_set()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "finishing this segment" in done.stderr, "bar" in done.stderr) == (0, True, True), (
        done.stderr
    )
