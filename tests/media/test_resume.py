"""Interrupted restorations go on where they stopped, and come out as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import OutputError, StoppedError
from gfpvideo.report import Report
from gfpvideo.restoration.events import FrameDone, Muxing
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.folder import locked, work_folder
from gfpvideo.restoration.jobs.journal import Journal, open_journal
from gfpvideo.restoration.jobs.record import SegmentRecord, record_path
from gfpvideo.restoration.run import Job
from helpers import facts, write_film
from quick import QUICK, QUICK_ARGUMENTS

VALUES: dict[str, Any] = {"segment": 16, "preset": "ultrafast", **QUICK}
FINGERPRINT = Fingerprint(version="1", libraries={}, source="a", files={}, model="m", networks={}, options={})
RUNNER = CliRunner()


class GaveUpError(Exception):
    pass


def interrupted_at(film: Path, target: Path, frame: int, **values: Any) -> None:
    def give_up(progress: FrameDone) -> None:
        if progress.restored.frame.index == frame:
            raise GaveUpError

    with pytest.raises(GaveUpError):
        gfpvideo.restore(film, target, RestoreOptions(**VALUES, **values), on_frame=give_up)


def kept_of(target: Path) -> list[SegmentRecord]:
    """Records of the segments that were finished before the interruption."""
    return [record for _, record in Journal(work_folder(target), VALUES["segment"]).records()]


def resumed(film: Path, target: Path) -> Report:
    return gfpvideo.restore(film, target, RestoreOptions(**VALUES, resume=True))


@pytest.fixture(scope="module")
def uninterrupted(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    return target, gfpvideo.restore(tape, target, RestoreOptions(**VALUES))


SLOW = pytest.mark.slow


@pytest.mark.parametrize("frame", [pytest.param(16, marks=SLOW), 45, pytest.param(99, marks=SLOW)])
def test_a_resumed_film_is_the_uninterrupted_one(
    frame: int, tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path
) -> None:
    target = tmp_path / "film.mkv"
    interrupted_at(tape, target, frame)
    assert not target.exists()
    kept = kept_of(target)
    assert [record.first for record in kept] == list(range(0, frame // 16 * 16, 16))
    report = resumed(tape, target)
    whole, expected = uninterrupted
    assert facts(target, planes=True).planes == facts(whole, planes=True).planes
    assert facts(target).pts == facts(whole).pts
    assert facts(target).payloads == facts(whole).payloads
    assert (report.frames, report.faces, report.tracks, report.spared) == (
        expected.frames, expected.faces, expected.tracks, expected.spared,
    )  # fmt: skip
    assert report.resumed == frame // 16 * 16
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
def test_a_hole_is_filled_and_what_lies_beyond_it_kept(
    tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path
) -> None:
    target, written = tmp_path / "film.mkv", list[int]()
    interrupted_at(tape, target, 66)
    record_path(work_folder(target), 1).write_bytes(b"{")
    report = gfpvideo.restore(
        tape,
        target,
        RestoreOptions(**VALUES, resume=True),
        on_frame=lambda progress: written.append(progress.restored.frame.index),
    )
    whole, expected = uninterrupted
    assert written == [*range(16, 32), *range(64, expected.frames)]
    assert facts(target, planes=True).planes == facts(whole, planes=True).planes
    assert facts(target).payloads == facts(whole).payloads
    assert (report.frames, report.faces, report.tracks, report.spared, report.resumed) == (
        expected.frames, expected.faces, expected.tracks, expected.spared, 48,
    )  # fmt: skip


def test_a_stop_keeps_whole_segments(tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path) -> None:
    target, stop = tmp_path / "film.mkv", Event()

    def ask(progress: FrameDone) -> None:
        if progress.restored.frame.index == 20:
            stop.set()

    with pytest.raises(StoppedError, match="32 frames are done: go on with --resume"):
        gfpvideo.restore(tape, target, RestoreOptions(**VALUES), on_frame=ask, stop=stop)
    assert resumed(tape, target).resumed == 32
    assert facts(target, planes=True).planes == facts(uninterrupted[0], planes=True).planes


def test_work_is_not_mistaken(tape: Path, film: Path, tmp_path: Path) -> None:
    """Left-over work is neither overwritten nor gone on with by other options or another source; `jobs` shows it."""
    target = tmp_path / "film.mkv"
    interrupted_at(tape, target, 40)
    with pytest.raises(OutputError, match=r"an interrupted restoration .* go on with --resume"):
        gfpvideo.restore(tape, target, RestoreOptions(**VALUES))
    with pytest.raises(OutputError, match="cannot go on: other options: steady"):
        gfpvideo.restore(tape, target, RestoreOptions(**VALUES, resume=True, steady=2))
    with pytest.raises(OutputError, match="the source, or a file that an option names, has changed"):
        resumed(film, target)
    listed = RUNNER.invoke(app, ["jobs", "list", str(tmp_path)])
    assert listed.exit_code == 0
    assert "film.mkv" in listed.stdout
    assert " 32 frames" in listed.stdout
    cleaned = RUNNER.invoke(app, ["jobs", "clean", str(work_folder(target))])
    assert cleaned.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_what_was_to_be_warned_of_is_told_whenever_it_ends(tmp_path: Path) -> None:
    """A run that encodes nothing any more has lost as much as the one that did."""
    film, target = tmp_path / "film.mkv", tmp_path / "out.mkv"
    write_film(film, [np.full((48, 64, 3), 20 * index, np.uint8) for index in range(4)], pix_fmt="yuva420p")
    options = RestoreOptions(**VALUES, codec="libx264")
    whole = gfpvideo.restore(film, tmp_path / "whole.mkv", options)
    assert [warning for warning in whole.warnings if "holds no transparency" in warning]
    run: Any = Job(film, target, options).run()
    for event in run:
        if isinstance(event, Muxing):
            run.close()
    assert kept_of(target)
    again = gfpvideo.restore(film, target, options.model_copy(update={"resume": True}))
    assert (again.warnings, again.exit_code) == (whole.warnings, 1)


def test_clean_removes_nothing_else(tmp_path: Path) -> None:
    for name, inside in (("pictures", "cat.png"), ("mine.gfpvideo", "cat.png"), ("empty.gfpvideo", None)):
        folder = tmp_path / name
        folder.mkdir()
        if inside:
            (folder / inside).touch()
        refused = RUNNER.invoke(app, ["jobs", "clean", str(folder)])
        assert refused.exit_code == 2
        assert "not a work folder" in refused.stderr
        assert folder.is_dir()


def test_two_runs_do_not_share_a_target(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    with open_journal(target, FINGERPRINT, 16, resume=False), pytest.raises(OutputError, match="another gfpvideo"):
        gfpvideo.restore(tape, target, RestoreOptions(**VALUES))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_kill_left_beside_the_target_is_removed_by_who_owns_it(tape: Path, tmp_path: Path) -> None:
    """Half a film that was being put together: nobody else's, and not while somebody may be writing it."""
    target, left, others = (
        tmp_path / name for name in ("film.mkv", ".film.0123abcd.partial.mkv", ".film.2.0123abcd.partial.mkv")
    )
    for path in (left, others):
        path.write_bytes(b"half")
    with locked(work_folder(target), ""), pytest.raises(OutputError, match="another gfpvideo"):
        gfpvideo.restore(tape, target, RestoreOptions(**VALUES))
    assert left.exists()
    gfpvideo.restore(tape, target, RestoreOptions(**VALUES))
    assert sorted(tmp_path.iterdir()) == [others, target]


def test_what_cannot_be_removed_beside_the_target_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another user's file in a folder of all, for one."""
    (tmp_path / ".film.0123abcd.partial.mkv").mkdir()
    with open_journal(tmp_path / "film.mkv", FINGERPRINT, 16, resume=False):
        pass
    assert "half written of" in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_keeps_the_work(tape: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this sandbox cannot mount")
    values = VALUES | {"codec": "ffv1", "preset": None, "disk_check": False}
    try:
        with pytest.raises(OutputError, match="disk is full"):
            gfpvideo.restore(tape, disk / "film.mkv", RestoreOptions(**values))
        kept = kept_of(disk / "film.mkv")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert gfpvideo.restore(tape, disk / "film.mkv", RestoreOptions(**values, resume=True)).resumed == sum(
            len(record.pts) for record in kept
        )
        assert kept
        assert [path.name for path in disk.iterdir()] == ["film.mkv"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [16, 5_000, 40_000, 300_000])
def test_a_sink_that_breaks_leaves_no_target(
    limit: int, tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path
) -> None:
    """No file may grow beyond ``limit`` bytes: journal, segment or film break there. Then the limit is gone."""
    resource = pytest.importorskip("resource")
    target = tmp_path / "film.mkv"
    assert uninterrupted[0].stat().st_size > limit

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    broken = subprocess.run(
        command(tape, target, "-q"), check=False, preexec_fn=limited, stderr=subprocess.PIPE, text=True
    )
    assert broken.returncode == 2
    assert broken.stderr.count("\n") == 1
    assert "cannot be written (File too large)" in broken.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {work_folder(target).name}
    resumed(tape, target)
    assert facts(target, planes=True).planes == facts(uninterrupted[0], planes=True).planes
    assert list(tmp_path.iterdir()) == [target]


def test_a_film_that_does_not_fit_is_refused_before_the_start(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gfpvideo.media.space.free_bytes", lambda _: 1000)
    with pytest.raises(OutputError, match=r"are needed and 0\.0 MB are free"):
        gfpvideo.restore(tape, tmp_path / "film.mkv")
    assert list(tmp_path.iterdir()) == []


def command(film: Path, target: Path, *more: str) -> list[str]:
    options = ["--segment", "16", "--preset", "ultrafast", *QUICK_ARGUMENTS]
    return [sys.executable, "-m", "gfpvideo", "restore", str(film), "-o", str(target), *options, *more]


def started(film: Path, target: Path, *more: str) -> "subprocess.Popen[str]":
    """A restoration in a process of its own, once it writes its first segment."""
    running = subprocess.Popen(command(film, target, *more), stderr=subprocess.PIPE, text=True)
    folder = work_folder(target)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None and not list(folder.glob("segment-*")):
        time.sleep(0.01)
    return running


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_finishes_the_segment_and_keeps_the_work(
    number: signal.Signals, tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path
) -> None:
    target = tmp_path / "film.mkv"
    running = started(tape, target)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "finishing this segment" in errors
    assert "go on with --resume" in errors
    assert "Traceback" not in errors
    assert not target.exists()
    if number == signal.SIGINT:
        done = subprocess.run([*command(tape, target, "-q"), "--resume"], check=False)
        assert done.returncode == 0
        assert facts(target, planes=True).planes == facts(uninterrupted[0], planes=True).planes


def test_a_second_signal_stops_at_once(tape: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    running = started(tape, target, "--segment", "96")
    running.send_signal(signal.SIGINT)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_twenty_kills(tape: Path, uninterrupted: tuple[Path, Report], tmp_path: Path) -> None:
    """Killed at twenty random points, the film comes out as if nothing had happened."""
    chance, kills, finished = random.Random(1), 0, 0
    while kills < 20:
        target = tmp_path / f"film{finished}.mkv"
        running = started(tape, target, "--resume", "-q")
        time.sleep(chance.uniform(0, 0.8))
        killed = running.poll() is None
        running.kill()
        running.communicate(timeout=60)
        kills += killed
        finished += target.exists()
    for number in range(finished + 1):
        target = tmp_path / f"film{number}.mkv"
        if not target.exists():
            assert subprocess.run([*command(tape, target, "-q"), "--resume"], check=False).returncode == 0
        assert facts(target, planes=True).planes == facts(uninterrupted[0], planes=True).planes
        assert facts(target).payloads == facts(uninterrupted[0]).payloads
    assert all(path.suffix == ".mkv" for path in tmp_path.iterdir())
