"""A folder that is watched: what arrives is restored once, whatever stops the program meanwhile."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import InputError, OptionError, OutputError, StoppedError
from gfpvideo.media.still import write_sheet
from gfpvideo.restoration.arrivals import Arrivals, Identity, Ledger
from gfpvideo.restoration.events import FrameDone, SegmentDone
from gfpvideo.restoration.jobs.folder import JOB, work_folder
from gfpvideo.restoration.watch import FOLDER, LEDGER, Began, LeftOut, News, Restored, Watch
from helpers import facts
from quick import QUICK, QUICK_ARGUMENTS

PART = RestoreOptions.parse(QUICK | {"end": "1", "segment": 8, "preset": "ultrafast"})
RUNNER = CliRunner()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def photo(path: Path, grey: int = 90) -> Path:
    write_sheet(path, np.full((64, 64, 3), grey, np.uint8))
    return path


def watched(inbox: Path, out: Path, options: RestoreOptions = PART, **values: Any) -> list[News]:
    """The news of a watch that ends when it has nothing to do."""
    return list(Watch(inbox, out, options, settle=0.1, once=True, **values).run())


def restored(news: list[News]) -> list[str]:
    return [Path(each.report.source).name for each in news if isinstance(each, Restored)]


def left_out(news: list[News]) -> list[str]:
    return [each.text for each in news if isinstance(each, LeftOut)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_has_arrived_when_it_does_not_change_any_more(inbox: Path) -> None:
    now = 0.0
    arrivals = Arrivals(inbox, 5, clock=lambda: now)
    film = inbox / "film.mp4"
    film.write_bytes(b"half")
    (inbox / ".film.mkv").write_bytes(b"hidden")
    (inbox / "empty.mp4").touch()
    (inbox / "notes.txt").write_text("none of our business")
    found: list[list[str]] = []
    for now in range(12):
        if now == 3:
            film.write_bytes(b"the whole")
        if now == 6:
            (inbox / "another.png").write_bytes(b"whole at once")
        found.append([path.name for path, _ in arrivals.look()])
        assert arrivals.settled == (now == 11)
    assert found == [[]] * 8 + [["film.mp4"]] * 3 + [["film.mp4", "another.png"]]


def test_the_ledger_knows_every_state(inbox: Path, out: Path) -> None:
    out.mkdir()
    source, target, path = photo(inbox / "a.png"), out / "a.png", out / "ledger.json"

    def state(*, overwrite: bool = False) -> str:
        identity = Identity.of(source)
        assert identity is not None
        return Ledger(path).state(target, source, identity, overwrite=overwrite)

    def begin() -> bool:
        identity = Identity.of(source)
        assert identity is not None
        return Ledger(path).begin(target, source, identity)

    assert state() == "new"
    target.write_bytes(b"somebody else's")
    assert (state(), state(overwrite=True)) == ("there", "new")
    begin()
    assert state() == "new", "what was there before is not taken for what was made"
    target.write_bytes(b"made of it, before a kill")
    assert state() == "done"
    Ledger(path).finish(target)
    target.unlink()
    assert state() == "done", "whoever takes a result away does not want it again"
    target.write_bytes(b"brought back")
    photo(source, 10)
    os.utime(source, ns=(0, 1))
    with pytest.raises(OutputError, match=r"a\.png was made of an earlier file of that name"):
        state()
    assert state(overwrite=True) == "new"
    assert begin(), "work on the earlier file is of no use"
    path.write_text("torn")
    with pytest.raises(OutputError, match="damaged; remove it"):
        Ledger(path)


@pytest.mark.slow
def test_one_broken_file_stops_nothing_and_is_named_once(film: Path, inbox: Path, out: Path) -> None:
    (inbox / "a.mp4").write_bytes(b"not a film" * 1000)
    shutil.copy(film, inbox / "b.mp4")
    photo(inbox / "c.png")
    stop, news = Event(), []
    watch = Watch(inbox, out, PART, settle=0.1, stop=stop)
    with pytest.raises(StoppedError, match="the same command goes on"):
        for each in watch.run():
            news.append(each)
            if restored(news)[-1:] == ["c.png"] and not (inbox / "d.png").exists():
                photo(inbox / "d.png")
            if restored(news)[-1:] == ["d.png"]:
                stop.set()
    assert restored(news) == ["b.mp4", "c.png", "d.png"]
    (text,) = left_out(news)
    assert text.startswith(f"skipped: {inbox / 'a.mp4'}: not a film")
    assert watch.warned
    assert names(out) == [FOLDER, "b.mp4", "c.png", "d.png"]
    assert names(inbox) == ["a.mp4", "b.mp4", "c.png", "d.png"]
    assert len(facts(out / "b.mp4").pts) == 18
    again = watched(inbox, out)
    assert (restored(again), len(left_out(again))) == ([], 1)
    shutil.copy(film, inbox / "a.mp4")
    assert restored(watched(inbox, out)) == ["a.mp4"]


@pytest.mark.slow
def test_a_stopped_film_goes_on(film: Path, inbox: Path, out: Path) -> None:
    shutil.copy(film, inbox / "a.mp4")
    stop = Event()
    with pytest.raises(StoppedError, match=r"a\.mp4: interrupted; what is done of it is kept"):
        for each in Watch(inbox, out, PART, settle=0.1, stop=stop).run():
            if isinstance(each, SegmentDone):
                stop.set()
    assert names(out) == [FOLDER, "a.mp4.gfpvideo"]
    frames = [each.restored.frame.index for each in watched(inbox, out) if isinstance(each, FrameDone)]
    assert frames == list(range(8, 18))
    assert names(out) == [FOLDER, "a.mp4"]


@pytest.mark.slow
def test_work_on_a_file_that_was_replaced_is_dropped(film: Path, tape: Path, inbox: Path, out: Path) -> None:
    """The film was cut off when its restoration began: what was made of that is of no use to the whole one."""
    shutil.copy(film, inbox / "a.mkv")
    stop = Event()
    with pytest.raises(StoppedError):
        for each in Watch(inbox, out, PART, settle=0.1, stop=stop).run():
            if isinstance(each, SegmentDone):
                stop.set()
    shutil.copy(tape, inbox / "a.mkv")
    news = watched(inbox, out)
    assert (restored(news), left_out(news)) == (["a.mkv"], [])
    assert len(facts(out / "a.mkv").pts) == 25


@pytest.mark.slow
def test_a_film_that_grows_while_it_is_restored_is_restored_again(film: Path, inbox: Path, out: Path) -> None:
    shutil.copy(film, inbox / "a.mp4")
    news: list[News] = []
    for each in Watch(inbox, out, PART, settle=0.1, once=True).run():
        news.append(each)
        if isinstance(each, SegmentDone) and not left_out(news):
            with (inbox / "a.mp4").open("ab") as file:
                file.write(bytes(8))  # an atom that ends the file: players read no further
    assert left_out(news) == [f"{inbox / 'a.mp4'}: has changed while it was restored; it is restored again"]
    assert restored(news) == ["a.mp4"]
    assert sum(isinstance(each, Began) for each in news) == 2
    assert names(out) == [FOLDER, "a.mp4"]


def test_sources_that_are_done_are_moved_on_request(inbox: Path, out: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    photo(inbox / "a.png")
    (inbox / "b.mp4").write_bytes(b"not a film" * 1000)
    out.mkdir()
    photo(inbox / "c.png")
    photo(out / "c.png")  # not ours: its source is left where it is
    assert restored(watched(inbox, out, finished=done)) == ["a.png"]
    assert (names(done), names(inbox)) == (["a.png"], ["b.mp4", "c.png"])
    first = (out / "a.png").read_bytes()

    (inbox / "b.mp4").unlink()
    photo(inbox / "a.png", 10)  # cameras number from one again
    news = watched(inbox, out, finished=done)
    assert restored(news) == []
    assert left_out(news) == [
        f"{inbox / 'a.png'}: {out / 'a.png'} was made of an earlier file of that name; move that away, or give"
        " --overwrite"
    ]
    assert (out / "a.png").read_bytes() == first

    (out / "a.png").unlink()
    news = watched(inbox, out, finished=done)
    assert restored(news) == ["a.png"]
    assert left_out(news) == [
        f"{inbox / 'a.png'}: is restored, but not moved: {done / 'a.png'} exists already; move that away"
    ]
    (done / "a.png").unlink()
    assert watched(inbox, out, finished=done) == []
    assert names(done) == ["a.png"]


def test_what_a_kill_left_is_removed(inbox: Path, out: Path) -> None:
    photo(inbox / "a.png")
    (out / FOLDER).mkdir(parents=True)
    for left in (".a.0123abcd.partial.png", ".b.0123abcd.partial.png", f"{FOLDER}/{LEDGER}.0123abcd.partial"):
        (out / left).write_bytes(b"half")
    assert restored(watched(inbox, out)) == ["a.png"]
    assert names(out) == [".b.0123abcd.partial.png", FOLDER, "a.png"]
    assert set(names(out / FOLDER)) <= {LEDGER, "lock"}


def test_a_film_that_was_done_leaves_no_work_behind(inbox: Path, out: Path) -> None:
    """Killed between the two: the target had its name, its work folder was still there."""
    watched(photo(inbox / "a.png").parent, out)
    work = work_folder(out / "a.png")
    work.mkdir()
    (work / JOB).write_text("{}")
    assert watched(inbox, out) == []
    assert names(out) == [FOLDER, "a.png"]


def test_odd_names_stop_nothing(inbox: Path, out: Path) -> None:
    """Of old disks, which are no text, and too long for what is made of them."""
    photo(inbox / os.fsdecode(b"\xe9t\xe9.png"))
    photo(inbox / "b.png").rename(inbox / f"{'x' * 250}.avi")
    photo(inbox / "c.png")
    news = watched(inbox, out)
    assert restored(news) == ["c.png", os.fsdecode(b"\xe9t\xe9.png")]
    (told,) = left_out(news)
    assert f"{'x' * 250}.avi" in told
    assert len(left_out(watched(inbox, out))) == 1
    assert restored(watched(inbox, out)) == [], "they are known again"


def test_names_do_not_depend_on_who_comes_later(inbox: Path, out: Path) -> None:
    for name in ("a.avi", "a.mkv"):
        with av.open(str(inbox / name), "w") as container:
            stream = container.add_stream("mpeg4", 25, width=64, height=64, pix_fmt="yuv420p")
            for _ in range(2):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
            container.mux(stream.encode())
        assert restored(watched(inbox, out)) == [name]
    assert names(out) == [FOLDER, "a.avi.mkv", "a.mkv"]


def test_a_target_that_cannot_be_written_is_tried_again(
    inbox: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gfpvideo.restoration.watch.RETRY", 0.2)
    photo(inbox / "a.png")
    (out / "a.png").mkdir(parents=True)
    stop, news = Event(), []
    watch = Watch(inbox, out, PART, settle=0.1, stop=stop)
    with pytest.raises(StoppedError):
        for each in watch.run():
            news.append(each)
            if sum(isinstance(one, Began) for one in news) == 3 and (out / "a.png").is_dir():
                (out / "a.png").rmdir()
            if restored(news):
                stop.set()
    assert restored(news) == ["a.png"]
    assert len(left_out(news)) == 1


def test_folders_that_cannot_be_used_are_refused(inbox: Path, out: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        watched(tmp_path / "gone", out)
    with pytest.raises(OptionError, match="is the folder that is watched"):
        watched(inbox, inbox)
    with pytest.raises(OptionError, match="is the folder of the targets"):
        watched(inbox, out, finished=out)
    photo(inbox / "a.png")
    with pytest.raises(OutputError, match="another gfpvideo watch writes into it"):
        for each in Watch(inbox, out, PART, settle=0.1, once=True).run():
            if isinstance(each, Began):
                watched(inbox, out)
    assert names(inbox) == ["a.png"]


def test_the_command_line_tells_of_each(inbox: Path, out: Path) -> None:
    photo(inbox / "a.png")
    (inbox / "b.mp4").write_bytes(b"not a film" * 1000)
    command = ["watch", str(inbox), "-o", str(out), "--once", "--settle", "0.1", *QUICK_ARGUMENTS]
    done = RUNNER.invoke(app, command)
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{out / 'a.png'}: 1 frames, 0 faces restored")
    assert f"gfpvideo: warning: skipped: {inbox / 'b.mp4'}: not a film" in done.stderr
    (inbox / "b.mp4").unlink()
    assert RUNNER.invoke(app, command).exit_code == 0


@pytest.fixture(scope="module")
def faces(film: Path) -> NDArray[np.uint8]:
    """A picture of the sample."""
    with av.open(str(film)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8)


class Watcher:
    """The program at work on 20 files, to be killed."""

    def __init__(self, inbox: Path, out: Path, done: Path) -> None:
        self.out, self.inbox, self.done = out, inbox, done
        self.lines: list[str] = []
        self.first: dict[str, tuple[int, int]] = {}

    def run(self, *options: str) -> subprocess.Popen[str]:
        folders = [str(self.inbox), "-o", str(self.out), "--done", str(self.done), "--settle", "0.1"]
        flags = ["--end", "1", "--segment", "8", "--preset", "ultrafast", *QUICK_ARGUMENTS, *options]
        command = [sys.executable, "-m", "gfpvideo", "watch", *folders, *flags]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, running: subprocess.Popen[str]) -> str:
        """Wait for its end, and note what it has made."""
        output, errors = running.communicate(timeout=300)
        self.lines += output.splitlines()
        for path in self.targets():
            facts = path.stat()
            self.first.setdefault(path.name, (facts.st_ino, facts.st_mtime_ns))
        return errors

    def targets(self) -> list[Path]:
        return [path for path in self.out.glob("[!.]*") if path.is_file()]


@pytest.mark.slow
def test_kills_lose_nothing_and_do_nothing_twice(
    film: Path, faces: NDArray[np.uint8], inbox: Path, tmp_path: Path
) -> None:
    """Twenty files, some of which arrive late; killed again and again, at random, stopped once by Ctrl-C."""
    watcher = Watcher(inbox, tmp_path / "out", tmp_path / "done")
    late = [f"{number:02}.png" for number in range(10, 16)]
    for number in range(20):
        if f"{number:02}.png" in late:
            continue
        if number % 3:
            write_sheet(inbox / f"{number:02}.png", faces)
        else:
            shutil.copy(film, inbox / f"{number:02}.mp4")
    everything = {*names(inbox), *late}
    chance, kills = random.Random(3), 0
    while kills < 8:
        before = len(watcher.targets())
        running = watcher.run("-q") if kills % 2 else watcher.run()
        deadline = time.monotonic() + 240
        while len(watcher.targets()) == before and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)  # it has got to work: loading takes longer than a photograph
        time.sleep(chance.uniform(0, 0.6))
        running.send_signal(signal.SIGINT if kills == 3 else signal.SIGKILL)
        watcher.end(running)
        assert running.returncode == (130 if kills == 3 else -signal.SIGKILL)
        kills += 1
        for name in late[:1]:
            write_sheet(inbox / name, faces)
            late.remove(name)
    for name in late:
        write_sheet(inbox / name, faces)
    last = watcher.run("--once")
    assert watcher.end(last) is not None
    assert last.returncode == 0

    assert {path.name for path in watcher.targets()} == everything
    assert set(names(watcher.done)) == everything
    assert names(inbox) == []
    assert set(names(watcher.out)) == {FOLDER, *everything}
    assert not list(watcher.out.glob("*.gfpvideo"))
    assert LEDGER in names(watcher.out / FOLDER)
    assert set(names(watcher.out / FOLDER)) <= {LEDGER, "lock"}
    for path in watcher.targets():
        found = path.stat()
        assert (found.st_ino, found.st_mtime_ns) == watcher.first[path.name], "made a second time"
        assert len(facts(path).pts) == (18 if path.suffix == ".mp4" else 1)
    told = Counter(line.split(": ")[0] for line in watcher.lines)
    assert set(told.values()) <= {1}


def test_a_folder_that_is_not_there_is_told_before_anything_else(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["watch", str(tmp_path / "missing"), "-o", str(tmp_path / "out")])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no such folder" in result.stderr
    assert not (tmp_path / "out").exists()
