"""Machines of a cluster restore a film together: the same film, whatever becomes of them."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import EngineError, OptionError
from gfpvideo.media.source import Account
from gfpvideo.report import Report
from gfpvideo.restoration.events import FilmDone, Following, FramesDone, SegmentDone
from gfpvideo.restoration.jobs.cluster import Hand, Machine, places
from gfpvideo.restoration.jobs.followed import Followed, Whole
from gfpvideo.restoration.jobs.foreman import _Work
from gfpvideo.restoration.jobs.journal import Journal
from gfpvideo.restoration.run import Job
from helpers import packets
from machines import Machines, machines, wait_until, workers, writing
from quick import QUICK, QUICK_ARGUMENTS

VALUES: dict[str, Any] = {"segment": 16, "preset": "ultrafast", **QUICK}
RUNNER = CliRunner()
HERE = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the test finds workers in Linux's /proc")


@pytest.fixture(scope="module")
def three() -> Iterator[Machines]:
    pytest.importorskip("ray")
    with machines(3) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def at_once(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    return target, gfpvideo.restore(tape, target, RestoreOptions.parse(VALUES))


def command(film: Path, target: Path, address: str, *more: str) -> list[str]:
    options = ["--segment", "16", "--preset", "ultrafast", "--cluster", address, "-q", *QUICK_ARGUMENTS]
    return [sys.executable, "-m", "gfpvideo", "restore", str(film), "-o", str(target), *options, *more]


@pytest.mark.slow
@HERE
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_who_stops_goes_on(
    number: signal.Signals, three: Machines, tape: Path, at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    """Ctrl-C finishes segments; killed, it leaves no worker behind. What is done stays done."""
    target = tmp_path / "film.mkv"
    running = subprocess.Popen(command(tape, target, three.address), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: list(tmp_path.glob("*/segment-*.json")) or running.poll() is not None, 120)
    assert running.poll() is None
    running.send_signal(number)
    _, errors = running.communicate(timeout=120)
    if number == signal.SIGINT:
        assert running.returncode == 130
        lines = [line for line in errors.splitlines() if line]
        assert len(lines) == 2
        assert "go on with --resume" in lines[1]
    wait_until(lambda: not workers(), 60)
    done = subprocess.run(command(tape, target, three.address, "--resume"), stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert packets(target) == packets(at_once[0])
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
@HERE
def test_twenty_random_kills(three: Machines, tape: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    """Workers are killed at random moments; CLUSTER_KILLS says how often, each time during a film of its own."""
    chance = random.Random(5)
    for number in range(int(os.environ.get("CLUSTER_KILLS", "1"))):
        target = tmp_path / f"film-{number}.mkv"
        killed: list[int] = []
        killer = threading.Thread(target=kill_one, args=(target, chance.uniform(0, 3), chance, killed))
        killer.start()
        gfpvideo.restore(tape, target, RestoreOptions.parse(VALUES | {"cluster": three.address}))
        killer.join()
        assert len(killed) == 1
        assert packets(target) == packets(at_once[0])
        target.unlink()
        print(f"{number + 1} killed, the film is identical", flush=True)


def kill_one(target: Path, delay: float, chance: random.Random, killed: list[int]) -> None:
    wait_until(lambda: list(target.parent.glob("*/followed*")), 120)
    time.sleep(delay)
    victim = chance.choice(workers())
    os.kill(victim, signal.SIGKILL)
    killed.append(victim)


@pytest.mark.slow
@HERE
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_machine_lost_in_the_middle_of_a_segment_costs_only_time(
    three: Machines, tape: Path, at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    """Three machines make the film of one process, though one of them is lost while its worker is at a segment."""
    target = tmp_path / "film.mkv"
    job = Job(tape, target, RestoreOptions.parse(VALUES | {"cluster": three.address}))
    events, lost = [], False
    for event in job.run():
        events.append(event)
        if not lost and isinstance(event, FramesDone) and (at := writing(".partial")):
            lost = True
            three.kill(at[0])
    assert lost
    assert packets(target) == packets(at_once[0])
    ours, whole = job.report, at_once[1]
    assert (ours.frames, ours.faces, ours.tracks, ours.spared, ours.copied, ours.warnings, ours.model) == (
        whole.frames, whole.faces, whole.tracks, whole.spared, whole.copied, whole.warnings, whole.model,
    )  # fmt: skip
    assert {"detect", "generate", "encode"} <= ours.stages.keys()
    assert sorted(event.number for event in events if isinstance(event, SegmentDone)) == list(range(7))
    assert any(isinstance(event, Following) for event in events)
    assert [event.done for event in events if isinstance(event, FramesDone)][-1] == 100
    wait_until(lambda: not workers(), 30)


@pytest.mark.slow
def test_an_archive_is_shared_out(three: Machines, film: Path, tape: Path, tmp_path: Path) -> None:
    """Whole films while there are enough for all, pieces of the last; a report of each, one broken reel skipped."""
    folder, out = tmp_path / "archive", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        shutil.copy(film, folder / f"{number}.mp4")
    shutil.copy(tape, folder / "tape.mkv")
    (folder / "broken.mp4").write_bytes(b"not a film" * 500_000)  # the largest: it is given first
    values = VALUES | {"end": "1", "cluster": three.address}
    job = Job(folder, out, RestoreOptions.parse(values))
    events = list(job.run())
    assert sorted(path.name for path in out.iterdir()) == ["0.mp4", "1.mp4", "2.mp4", "tape.mkv"]
    (warning,) = job.report.warnings
    assert warning.startswith(f"skipped: {folder / 'broken.mp4'}: not a film")
    frames = {Path(piece.target).name: piece.frames for piece in job.report.pieces}
    assert frames == {"0.mp4": 18, "1.mp4": 18, "2.mp4": 18, "tape.mkv": 25}
    assert job.report.frames == 79
    assert sorted(event.done for event in events if isinstance(event, FilmDone))[-1] <= 5
    assert len([event for event in events if isinstance(event, FilmDone)]) == 4
    gfpvideo.restore(tape, tmp_path / "tape.mkv", RestoreOptions.parse(VALUES | {"end": "1"}))
    assert packets(out / "tape.mkv") == packets(tmp_path / "tape.mkv")


@pytest.mark.slow
def test_a_mistake_is_told_as_by_one_process(three: Machines, tape: Path, tmp_path: Path) -> None:
    options = ["--model", str(tmp_path / "none.pth"), "--cluster", three.address, "-o", str(tmp_path / "film.mkv")]
    done = subprocess.run(
        [sys.executable, "-m", "gfpvideo", "restore", str(tape), "-q", *options], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"gfpvideo: {tmp_path / 'none.pth'}: no such model file\n"
    assert list(tmp_path.iterdir()) == []


def test_where_workers_belong() -> None:
    small, large = Machine("small", 2, 0), Machine("large", 8, 0)
    both = [small, Machine("head", 0, 0), large]
    assert [(place.machine, place.cores, place.parts) for place in places(both, None, gpus=True)] == [
        ("small", 2, 1), ("large", 8, 1),
    ]  # fmt: skip
    five = places(both, 5, gpus=True)
    assert [(place.machine, place.cores, place.part) for place in five] == [
        ("large", 2, 0), ("large", 2, 1), ("large", 2, 2), ("large", 2, 3), ("small", 2, 0),
    ]  # fmt: skip
    mixed = [small, Machine("gpus", 6, 2)]
    assert [(place.machine, place.cores, place.gpu) for place in places(mixed, None, gpus=True)] == [
        ("gpus", 3, True), ("gpus", 3, True),
    ]  # fmt: skip
    assert len(places(mixed, None, gpus=False)) == 2
    with pytest.raises(OptionError, match="option workers = 3: the cluster has 2 GPUs"):
        places(mixed, 3, gpus=True)
    with pytest.raises(EngineError, match="no machine with a core"):
        places([Machine("head", 0, 0)], None, gpus=True)


def test_a_worker_does_nothing_that_it_is_not_ready_for() -> None:
    """Ray may have started it again meanwhile, or repeat an earlier call late: of another film, say."""
    assert [json.loads(message) for message in Hand(0, 1).do("a film", '{"follow": true}')] == [
        {"died": "and was started again"}
    ]


def test_what_one_alone_is_at_is_done_twice_at_the_end(tmp_path: Path) -> None:
    """The last of the longest run, for its worker comes to that last; nothing a third time."""
    work = _Work(Journal(tmp_path, 8), Followed(tmp_path, 8), 0, {})
    assert work.double([range(0, 3)]) is None  # there may be more to do
    work.followed.whole = Whole(first=0, frames=64, account=Account((), None, 1, None))
    follow, load = range(-1, 0), range(-2, -1)
    assert work.double([range(0, 3), range(3, 4)]) == range(2, 3)
    assert work.double([load, range(0, 3), range(2, 3), range(3, 4)]) == range(1, 2)
    assert work.double([range(3, 4), range(3, 4), follow, load]) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"cluster": "auto", "devices": "cpu,cpu"}, "gets a device of its own there"),
        ({"cluster": "auto", "device": "cuda:1"}, "gets a device of its own there"),
        ({"cluster": "ray://head:10001"}, "run gfpvideo on a machine of the cluster itself"),
        ({"cluster": "head"}, "must be HOST:PORT"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as refused:
        RestoreOptions.parse(values)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [["film.mp4", "--cluster"], ["--cluster", "film.mp4"], ["--cluster", "-q", "film.mp4"], ["--cluster", "auto", "f"]],
)
def test_the_address_may_be_left_out(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ray that is told in one line; a film's name is no address."""
    monkeypatch.setattr("gfpvideo.restoration.jobs.cluster.find_spec", lambda _: None)
    for film in ("film.mp4", "f"):
        if film in words:
            words[words.index(film)] = str(Path(__file__).parents[2] / "samples" / "vhs_tape.mkv")
    done = RUNNER.invoke(app, ["restore", *words, "-o", "/tmp/never.mkv", "-q"])
    assert done.exit_code == 2
    assert (
        done.stderr == 'gfpvideo: option cluster: ray is not installed; get it with: pip install "gfpvideo[cluster]"\n'
    )


@pytest.mark.parametrize("command", [["watch"], ["album", "--restore", "1"]])
def test_the_address_may_be_left_out_wherever_films_are_restored(command: list[str], tmp_path: Path) -> None:
    """What stands behind it is an option of its own, not an address."""
    box = tmp_path / "none"
    done = RUNNER.invoke(app, [*command, str(box), "--cluster", "-o", str(tmp_path / "out"), "-q"])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"gfpvideo: {box}: no such folder")


def test_what_goes_to_a_pipe_is_not_shared(film: Path) -> None:
    done = RUNNER.invoke(app, ["restore", str(film), "-o", "-", "--cluster"])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "option cluster" in done.stderr
