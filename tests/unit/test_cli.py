"""The command line: exit codes, one-line errors, quick help."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gfpvideo import __version__
from gfpvideo.cli import app
from gfpvideo.options.restore import RestoreOptions

runner = CliRunner()


def test_restore_prints_a_summary(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    result = runner.invoke(app, ["restore", str(film), "-o", str(target), "--preset", "ultrafast"])
    assert result.exit_code == 0
    summary = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[1:])
    assert summary["frames"] == "90"
    assert summary["tracks"] == "1"
    assert summary["faces"] == "90 restored, 0 left as they were"
    assert summary["model"].startswith("compact on ")
    assert summary["copied"] == "audio 1 (aac, eng)"
    assert summary["warnings"] == "none"
    assert "90/90" in result.stderr
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


def test_warnings_exit_1(tape: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["restore", str(tape), "-o", str(tmp_path / "out.mp4"), "--preset", "ultrafast", "-q"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "warning: subtitle 2 (srt, eng) cannot be held by .mp4" in result.stderr


RENAMED = {"encoder_options": "encoder_option", "filters": "filter", "filters_after": "filter_after"}
"""Options that may be given several times, and their flags."""


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
    assert runner.invoke(app, ["weights", "verify"]).stdout == "compact: right\nlandmarks: right\n"
    assert runner.invoke(app, ["weights", "path", "--weights-dir", str(tmp_path)]).stdout.strip() == str(tmp_path)
    wrong = tmp_path / "gfpgan-1.4.pth"
    wrong.write_bytes(b"half a download")
    result = runner.invoke(app, ["weights", "verify", "--weights-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert not wrong.exists()


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
