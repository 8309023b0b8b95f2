"""Several processes restore a film together: the same film, whatever becomes of them."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import EngineError, GfpvideoError, OptionError, StoppedError, WorkersError
from gfpvideo.report import Report
from gfpvideo.restoration.events import Following, FramesDone, SegmentDone
from gfpvideo.restoration.jobs.crew import News, Processes, shares
from gfpvideo.restoration.jobs.foreman import Foreman
from gfpvideo.restoration.jobs.worker import Message
from gfpvideo.restoration.run import Job
from helpers import packets
from quick import QUICK, QUICK_ARGUMENTS

VALUES: dict[str, Any] = {"segment": 16, "preset": "ultrafast", **QUICK}
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def at_once(tape: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    return target, gfpvideo.restore(tape, target, RestoreOptions.parse(VALUES))


def children(program: int) -> list[int]:
    """Workers that a program has started."""
    lists = Path(f"/proc/{program}/task").glob("*/children")
    found = [int(number) for each in lists for number in each.read_text().split()]
    return [number for number in found if b"jobs.worker" in Path(f"/proc/{number}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"workers": 2}, {"devices": "cpu,cpu"}], ids=["workers", "devices"])
def test_two_workers_make_the_film_of_one(
    more: dict[str, Any], tape: Path, at_once: tuple[Path, Report], tmp_path: Path
) -> None:
    target = tmp_path / "film.mkv"
    job = Job(tape, target, RestoreOptions.parse(VALUES | more))
    events = list(job.run())
    assert packets(target) == packets(at_once[0])
    assert list(tmp_path.iterdir()) == [target]
    ours, whole = job.report, at_once[1]
    assert (ours.frames, ours.faces, ours.tracks, ours.spared, ours.copied, ours.warnings, ours.model) == (
        whole.frames, whole.faces, whole.tracks, whole.spared, whole.copied, whole.warnings, whole.model,
    )  # fmt: skip
    assert {"detect", "generate", "encode"} <= ours.stages.keys()
    segments = [event for event in events if isinstance(event, SegmentDone)]
    assert sorted(event.number for event in segments) == list(range(7))
    assert any(isinstance(event, Following) for event in events)
    assert [event.done for event in events if isinstance(event, FramesDone)][-1] == 100


def command(film: Path, target: Path, *more: str) -> list[str]:
    options = ["--segment", "16", "--preset", "ultrafast", "--workers", "2", "-q", *QUICK_ARGUMENTS]
    return [sys.executable, "-m", "gfpvideo", "restore", str(film), "-o", str(target), *options, *more]


def working(running: "subprocess.Popen[str]", target: Path) -> None:
    """Wait until workers write segments."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and running.poll() is None and not list(target.parent.glob("*/segment-*")):
        time.sleep(0.02)
    assert running.poll() is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the test finds workers in Linux's /proc")
def test_killed_workers_cost_nothing_but_time(tape: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    target, chance = tmp_path / "film.mkv", random.Random(2)
    running = subprocess.Popen(command(tape, target), stderr=subprocess.PIPE, text=True)
    working(running, target)
    for _ in range(2):
        os.kill(chance.choice(children(running.pid)), signal.SIGKILL)
        time.sleep(1)
    _, errors = running.communicate(timeout=300)
    assert (running.returncode, errors) == (0, "")
    assert packets(target) == packets(at_once[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the test finds workers in Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_who_stops_goes_on(number: signal.Signals, tape: Path, at_once: tuple[Path, Report], tmp_path: Path) -> None:
    """Ctrl-C finishes segments; killed, it leaves no worker behind. What is done is done for one process as well."""
    target = tmp_path / "film.mkv"
    running = subprocess.Popen(command(tape, target), stderr=subprocess.PIPE, text=True)
    working(running, target)
    workers = children(running.pid)
    assert workers
    running.send_signal(number)
    _, errors = running.communicate(timeout=300)
    if number == signal.SIGINT:
        assert running.returncode == 130
        assert "go on with --resume" in errors
        assert "Traceback" not in errors
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    report = gfpvideo.restore(tape, target, RestoreOptions.parse(VALUES | {"resume": True}))
    if number == signal.SIGINT:
        assert report.resumed >= 16
    assert packets(target) == packets(at_once[0])


@pytest.mark.slow
def test_a_mistake_is_told_as_by_one_process(tape: Path, tmp_path: Path) -> None:
    options = RestoreOptions.parse(VALUES | {"workers": 2, "model": str(tmp_path / "none.pth")})
    with pytest.raises(GfpvideoError, match="no such model file") as caught:
        gfpvideo.restore(tape, tmp_path / "film.mkv", options)
    assert type(caught.value).__name__ == "WeightsError"
    assert list(tmp_path.iterdir()) == []


def test_workers_share_the_cores() -> None:
    assert shares([0, 1, 2, 3, 4], 2) == [[0, 1], [2, 3, 4]]
    assert shares([4, 7], 2) == [[4], [7]]
    assert shares([4, 7], 3) == [[4], [7], [4]]


def test_workers_or_devices() -> None:
    with pytest.raises(OptionError, match="give workers or devices, not both"):
        RestoreOptions.parse({"devices": "cpu,cpu", "workers": 2})


def test_a_module_among_the_films_is_not_taken_for_pythons(
    tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    with Processes(tape, RestoreOptions.parse(VALUES), 1) as crew:
        crew.start()
        news = None
        while news is None:
            news = crew.news(30)
    assert "ready" in news[1], news


class Scripted:
    """Workers that tell what a test has written down."""

    size = 2
    doubles = False

    def __init__(self, news: list[News | None]) -> None:
        self.started = 0
        self._news = news

    def start(self) -> int:
        self.started += 1
        return self.started - 1

    def give(self, worker: int, task: Message) -> None:
        pass

    def kill(self, worker: int) -> None:
        pass

    def news(self, timeout: float) -> News | None:
        return self._news.pop(0)


def foreman(*news: News | None, stop: Event | None = None) -> Foreman:
    return Foreman(Scripted(list(news)), stop or Event(), Report("", ""), None)


def test_workers_that_cannot_start_are_given_up() -> None:
    died = {"died": "by signal 9"}
    told = r"3 workers ended while at loading, the last by signal 9: .* fewer --workers"
    with pytest.raises(EngineError, match=told):
        foreman((0, died), (1, died), None, (2, died)).begin()


def test_a_film_that_workers_die_of_ends_no_folder() -> None:
    """The next film may be a small one: only what all films share is an ``EngineError``, which ends a folder."""
    lost = foreman()
    with pytest.raises(WorkersError, match="3 workers ended while at segment 4, the last by signal 9"):
        for worker in range(3):
            lost._doing[worker] = range(4, 8)
            lost._bury(worker, "by signal 9")


def test_a_crash_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="a worker crashed: Traceback"):
        foreman((0, {"crashed": "Traceback ..."})).begin()


def test_a_stop_before_anything_is_ready() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        foreman(stop=stop).begin()
