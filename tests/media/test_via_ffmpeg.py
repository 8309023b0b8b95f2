"""Films that are read and written through an ffmpeg program."""

from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from gfpvideo.cli import app
from helpers import facts
from quick import QUICK_ARGUMENTS

pytest.importorskip("imageio_ffmpeg")

RUNNER = CliRunner()
SHORT = ["-q", "--preset", "ultrafast", *QUICK_ARGUMENTS]


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


def test_ffmpeg_s_failures_come_back_as_ours(film: Path, tmp_path: Path) -> None:
    target, junk = tmp_path / "film.mkv", tmp_path / "junk.avi"
    junk.write_bytes(b"nothing" * 100)
    for source, arguments, words in (
        (junk, ["--via-ffmpeg", "in"], "junk.avi: ffmpeg failed: "),
        (film, ["--via-ffmpeg", "out", "--end", "0.2", "--ffmpeg-args=-c:v nosuch"], "film.mkv: ffmpeg failed: "),
        (film, ["--via-ffmpeg", "sideways"], "option via-ffmpeg = 'sideways': must be in or out"),
        (film, ["--via-ffmpeg", "in", "--via-ffmpeg", "out", "--ffmpeg-args=-y"], "give exactly one --via-ffmpeg"),
    ):
        done = RUNNER.invoke(app, ["restore", str(source), "-o", str(target), "-q", *arguments, *QUICK_ARGUMENTS])
        assert done.exit_code == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert list(tmp_path.iterdir()) == [junk]
