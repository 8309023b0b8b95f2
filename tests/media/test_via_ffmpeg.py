"""Films that are read and written through an ffmpeg program."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.cli.external import via_ffmpeg
from gfpvideo.errors import OutputError
from gfpvideo.media.external import ffmpeg_program, read_through
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.jobs.fingerprint import file_fingerprint
from gfpvideo.restoration.jobs.folder import owned
from helpers import facts
from quick import QUICK_ARGUMENTS

pytest.importorskip("imageio_ffmpeg")

RUNNER = CliRunner()
SHORT = ["-q", *QUICK_ARGUMENTS]


@pytest.mark.slow
def test_a_film_read_through_ffmpeg_is_the_same(film: Path, tmp_path: Path) -> None:
    through, straight = tmp_path / "through.mkv", tmp_path / "straight.mkv"
    for target, more in ((through, ["--via-ffmpeg", "in"]), (straight, [])):
        done = RUNNER.invoke(
            app, ["restore", str(film), "-o", str(target), "--codec", "ffv1", "-q", *more, *QUICK_ARGUMENTS]
        )
        assert done.exit_code == 0, done.stderr
    assert facts(through, planes=True).planes == facts(straight, planes=True).planes
    assert facts(through).payloads == facts(straight).payloads
    assert sorted(tmp_path.iterdir()) == sorted([through, straight])


@pytest.mark.slow
def test_ffmpeg_encodes_with_the_user_s_arguments(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    arguments = ["--via-ffmpeg", "out", "--ffmpeg-args=-c:v mpeg4 -q:v 3"]
    done = RUNNER.invoke(app, ["restore", str(tape), "-o", str(target), *SHORT, *arguments])
    assert done.exit_code == 0, done.stderr
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
        assert len(container.streams.subtitles) == 1
    assert len(facts(target).pts) == len(facts(tape).pts)
    assert facts(target).payloads == facts(tape).payloads
    assert list(tmp_path.iterdir()) == [target]


def test_what_ffmpeg_does_not_hear_is_refused(tape: Path, tmp_path: Path) -> None:
    arguments = ["--via-ffmpeg", "out", "--crf", "30", "--encoder-option", "tune=film"]
    done = RUNNER.invoke(app, ["restore", str(tape), "-o", str(tmp_path / "film.mkv"), *SHORT, *arguments])
    assert done.exit_code == 2
    assert "hears nothing of --crf, --encoder-option; give --ffmpeg-args" in done.stderr


@pytest.mark.parametrize("way", ["in", "out"])
def test_the_source_is_never_the_target(way: str, tape: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    shutil.copy(tape, film)
    done = RUNNER.invoke(app, ["restore", str(film), "-o", str(film), "--overwrite", *SHORT, "--via-ffmpeg", way])
    assert done.exit_code == 2
    assert "target and source are the same file" in done.stderr
    assert film.read_bytes() == tape.read_bytes()


def test_ffmpeg_s_failures_come_back_as_ours(film: Path, tmp_path: Path) -> None:
    target, junk = tmp_path / "film.mkv", tmp_path / "junk.avi"
    junk.write_bytes(b"nothing" * 100)
    for source, arguments, words in (
        (junk, ["--via-ffmpeg", "in"], "junk.avi: ffmpeg failed: "),
        (film, ["--via-ffmpeg", "out", "--end", "0.2", "--ffmpeg-args=-c:v nosuch"], "film.mkv: ffmpeg failed: "),
        (film, ["--via-ffmpeg", "out", "--ffmpeg-args=-metadata title='it"], "option ffmpeg-args = "),
        (film, ["--via-ffmpeg", "sideways"], "option via-ffmpeg = 'sideways': must be in or out"),
        (film, ["--via-ffmpeg", "in", "--via-ffmpeg", "out", "--ffmpeg-args=-y"], "give exactly one --via-ffmpeg"),
    ):
        done = RUNNER.invoke(app, ["restore", str(source), "-o", str(target), "-q", *arguments, *QUICK_ARGUMENTS])
        assert done.exit_code == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert list(tmp_path.iterdir()) == [junk]


def test_what_the_target_cannot_hold_is_refused_before_the_work(tape: Path, tmp_path: Path) -> None:
    """MP4 does not hold the tape's subtitles, and ffmpeg leaves nothing out by itself."""

    def work(*_: object) -> Report:
        raise AssertionError

    with pytest.raises(
        OutputError, match=r"film\.mp4: ffmpeg failed: .*; nothing was restored: give other --ffmpeg-args"
    ):
        via_ffmpeg(tape, tmp_path / "film.mp4", RestoreOptions(), ["out"], None, work)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def failing_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ffmpeg on the PATH that works the first time, and no more until the file that is returned is removed."""
    folder, tried = tmp_path / "program", tmp_path / "program" / "tried"
    folder.mkdir()
    real = ffmpeg_program()
    script = f'#!/bin/sh\n[ -e "{tried}" ] && {{ echo no more >&2; exit 1; }}\n: > "{tried}"\nexec "{real}" "$@"\n'
    (folder / "ffmpeg").write_text(script)
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return tried


@pytest.mark.skipif(sys.platform == "win32", reason="the failing ffmpeg is a shell script")
def test_a_finished_film_is_kept_if_ffmpeg_fails(film: Path, tmp_path: Path, failing_late: Path) -> None:
    """Hours may be in it; the message says where it is, and what does the rest."""
    target, kept = tmp_path / "my film.mkv", tmp_path / "my film.lossless.mkv"
    command = ["restore", str(film), "-o", str(target), "-q", "--end", "0.5", "--via-ffmpeg", "out", *QUICK_ARGUMENTS]
    command += ["--ffmpeg-args=-c:v mpeg4 -q:v 3"]
    done = RUNNER.invoke(app, command)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"gfpvideo: {target}: ffmpeg failed: no more; the restored film is kept")
    assert str(kept) in done.stderr
    assert {item.name for item in tmp_path.iterdir()} == {"program", kept.name}
    assert len(facts(kept).pts) == 9
    again = RUNNER.invoke(app, [*command, "--overwrite"])
    assert (again.exit_code, "my film.lossless.mkv: is there already" in again.stderr) == (2, True)
    failing_late.unlink()
    advised = shlex.split(done.stderr.partition("as: ")[2])
    subprocess.run(advised, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert facts(target).payloads == facts(kept).payloads
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"


def test_a_target_is_left_to_who_is_restoring_into_it(film: Path, tmp_path: Path) -> None:
    """Who owns it removes what seems to be left half written beside it."""
    target = tmp_path / "film.mkv"
    command = ["restore", str(film), "-o", str(target), "-q", "--end", "0.1", "--via-ffmpeg", "out", *QUICK_ARGUMENTS]
    with owned(target):
        done = RUNNER.invoke(app, command)
    assert (done.exit_code, "another gfpvideo is restoring into it" in done.stderr) == (2, True), done.stderr
    assert "the restored film is kept" in done.stderr
    assert [item.name for item in tmp_path.iterdir()] == ["film.lossless.mkv"]


@pytest.mark.slow
def test_a_film_read_through_ffmpeg_is_gone_on_with(film: Path, tmp_path: Path) -> None:
    """What is read is a new file each time, but of the same content and date as long as the film is."""
    first, second = tmp_path / "first.mkv", tmp_path / "second.mkv"
    for target in (first, second):
        read_through(film, target, [])
    assert file_fingerprint(first) == file_fingerprint(second)
    read_through(film, second, ["-t", "1"])
    assert file_fingerprint(first) != file_fingerprint(second)
