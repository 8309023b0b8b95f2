"""Folders of films and pictures: each restored by itself, one broken reel stops nothing, what is done stays done."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from typer.testing import CliRunner

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.cli import app
from gfpvideo.errors import InputError, OutputError, StoppedError, WorkersError
from gfpvideo.media.still import write_sheet
from gfpvideo.report import Report
from gfpvideo.restoration.batch import found_in, restore_one, targets_of
from gfpvideo.restoration.events import Done, FilmDone, FrameDone, Loading, PictureDone, SegmentDone
from gfpvideo.restoration.events import Event as News
from gfpvideo.restoration.jobs.folder import JOB, LOCK, work_folder
from gfpvideo.restoration.run import Job
from helpers import facts, packets, write_film
from quick import QUICK, QUICK_ARGUMENTS

PART = RestoreOptions.parse(QUICK | {"end": "1", "segment": 8, "preset": "ultrafast"})
RUNNER = CliRunner()


@pytest.fixture
def archive(film: Path, tape: Path, tmp_path: Path) -> Path:
    """A folder of two films, a broken one, a photograph, and what is none of our business."""
    folder = tmp_path / "archive"
    folder.mkdir()
    shutil.copy(film, folder / "a.mp4")
    (folder / "b.mp4").write_bytes(b"not a film" * 1000)
    shutil.copy(tape, folder / "c.mkv")
    write_sheet(folder / "photo.png", np.full((64, 64, 3), 90, np.uint8))
    (folder / "notes.txt").write_text("reel two is mouldy")
    return folder


def test_one_broken_reel_stops_nothing(archive: Path, tmp_path: Path) -> None:
    job = Job(archive, tmp_path / "out", PART)
    events = list(job.run())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "c.mkv", "photo.png"]
    report = job.report
    assert report.exit_code == 1
    (warning,) = report.warnings
    assert warning.startswith(f"skipped: {archive / 'b.mp4'}: not a film")
    frames = {Path(piece.target).name: piece.frames for piece in report.pieces}
    assert frames == {"photo.png": 1, "a.mp4": 18, "c.mkv": 25}
    assert report.frames == 44
    assert [type(event) for event in events if isinstance(event, Loading | Done)] == [Loading, Done]
    finished = [(event.source.name, event.done) for event in events if isinstance(event, PictureDone | FilmDone)]
    assert finished == [("photo.png", 1), ("a.mp4", 2), ("c.mkv", 4)]
    gfpvideo.restore(archive / "a.mp4", tmp_path / "alone.mp4", PART)
    assert packets(tmp_path / "out" / "a.mp4") == packets(tmp_path / "alone.mp4")


def test_a_name_that_is_too_long_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.mkv", f"{'b' * 235}.mkv"):
        write_film(folder / name, [np.full((48, 64, 3), 10 * index, np.uint8) for index in range(3)])
    report = gfpvideo.restore(folder, tmp_path / "out", RestoreOptions(preset="ultrafast", **QUICK))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mkv"]
    (warning,) = report.warnings
    assert warning.startswith("skipped: ")
    assert "the name is too long by 2 bytes" in warning


def test_what_was_made_of_a_folders_files_is_not_restored_with_them(tmp_path: Path) -> None:
    """One film was tried out first, and looked at; hidden files are a Mac's, or half written ones."""
    for name in (
        "a.mp4", "a.restored.mp4", "a.preview.png", "b.avi", "b.restored.mkv", "c.restored.mkv", "._a.mp4",
        "photo.jpg", "photo.restored.jpg", "._photo.jpg", ".photo.0123abcd.partial.jpg", "first.preview.png",
    ):  # fmt: skip
        (tmp_path / name).touch()
    pictures, films = found_in(tmp_path)
    assert [path.name for path in pictures] == ["first.preview.png", "photo.jpg"]
    assert [path.name for path in films] == ["a.mp4", "b.avi", "c.restored.mkv"]


def test_a_folder_goes_to_one_beside_it_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From within it too; and what follows a dot in its name is no suffix."""
    folder = tmp_path / "summer 1.8.94"
    (folder / "reels").mkdir(parents=True)
    for where, named in ((tmp_path, folder.name), (tmp_path, folder), (folder, "."), (folder / "reels", "..")):
        monkeypatch.chdir(where)
        target = Job(named, options=PART).target
        assert target.resolve() == tmp_path / "summer 1.8.94.restored"
    refused = RUNNER.invoke(app, ["restore", ".", "--preview"])
    assert (refused.exit_code, ".: is a folder" in refused.stderr) == (2, True), refused.output


@pytest.mark.slow
def test_a_stopped_archive_goes_on(archive: Path, tmp_path: Path) -> None:
    (archive / "b.mp4").unlink()
    out, stop = tmp_path / "out", Event()
    job = Job(archive, out, PART, stop=stop)
    with pytest.raises(StoppedError, match=r"c\.mkv: interrupted; 8 frames are done: go on with --resume"):
        for event in job.run():
            if isinstance(event, SegmentDone) and (out / "a.mp4").exists():
                stop.set()
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "c.mkv.gfpvideo", "photo.png"]
    before = (out / "a.mp4").stat().st_mtime_ns
    again = Job(archive, out, PART.model_copy(update={"resume": True}))
    written = [event.restored.frame.index for event in again.run() if isinstance(event, FrameDone)]
    assert written == list(range(8, 25))
    assert (out / "a.mp4").stat().st_mtime_ns == before
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "c.mkv", "photo.png"]
    assert len(facts(out / "c.mkv").pts) == 25
    assert (again.report.frames, again.report.resumed, again.report.exit_code) == (25, 8, 0)
    assert list(Job(archive, out, PART.model_copy(update={"resume": True})).run())


def test_photographs_alone_go_on_too(tmp_path: Path) -> None:
    """As a folder of films does, and in the same words."""
    box, out, stop = tmp_path / "box", tmp_path / "out", Event()
    box.mkdir()
    for number in range(3):
        write_sheet(box / f"{number}.png", np.full((64, 64, 3), 60 * number, np.uint8))
    quick = RestoreOptions.parse(QUICK)
    with pytest.raises(StoppedError, match=r"^interrupted; 1 of 3 pictures are done: go on with --resume$"):
        for event in Job(box, out, quick, stop=stop).run():
            if isinstance(event, PictureDone):
                stop.set()
    assert [path.name for path in out.iterdir()] == ["0.png"]
    before = (out / "0.png").stat().st_mtime_ns
    again = list(Job(box, out, quick.model_copy(update={"resume": True})).run())
    assert [event.source.name for event in again if isinstance(event, PictureDone)] == ["1.png", "2.png"]
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png", "2.png"]
    assert (out / "0.png").stat().st_mtime_ns == before


def test_what_was_to_be_overwritten_is_when_a_run_goes_on(tmp_path: Path) -> None:
    """That a target is there says nothing then: those that the first run has not come to are old."""
    box, out, stop = tmp_path / "box", tmp_path / "out", Event()
    box.mkdir()
    out.mkdir()
    for number in range(3):
        write_sheet(box / f"{number}.png", np.full((64, 64, 3), 60 * number, np.uint8))
        (out / f"{number}.png").write_bytes(b"old")
    anew = RestoreOptions.parse(QUICK | {"overwrite": True})
    with pytest.raises(StoppedError):
        for event in Job(box, out, anew, stop=stop).run():
            if isinstance(event, PictureDone):
                stop.set()
    again = list(Job(box, out, anew.model_copy(update={"resume": True})).run())
    assert [event.source.name for event in again if isinstance(event, PictureDone)] == ["1.png", "2.png"]
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png", "2.png"]
    assert all((out / f"{number}.png").read_bytes() != b"old" for number in range(3))
    report = gfpvideo.restore(box, out, anew.model_copy(update={"resume": True}))
    assert report.frames == 3, "nothing was interrupted: all begin anew"


def test_what_is_skipped_is_named(tmp_path: Path) -> None:
    """Whatever the words of the error are."""

    class Failing:
        report = Report("", "")

        def run(self) -> Iterator[News]:
            raise WorkersError("3 workers ended")
            yield

    report = Report("", "")
    list(restore_one(tmp_path / "a.mp4", Failing(), report, first=True))
    assert report.warnings == [f"skipped: {tmp_path / 'a.mp4'}: 3 workers ended"]


@pytest.mark.slow
def test_what_kills_left_behind_goes(archive: Path, tmp_path: Path) -> None:
    """A film put together but not cleared up, a picture half written, one that was just renamed."""
    out = tmp_path / "out"
    gfpvideo.restore(archive, out, PART)
    write_sheet(archive / "second.png", np.full((64, 64, 3), 70, np.uint8))
    (out / ".second.0123abcd.partial.png").write_bytes(b"half")
    for name in ("a.mp4", "photo.png", "second.png"):
        work_folder(out / name).mkdir()
        (work_folder(out / name) / LOCK).touch()
    (work_folder(out / "a.mp4") / JOB).write_text("{}")
    (work_folder(out / "a.mp4") / "mine.txt").touch()
    gfpvideo.restore(archive, out, PART.model_copy(update={"resume": True}))
    assert sorted(path.name for path in out.iterdir()) == [
        "a.mp4",
        "a.mp4.gfpvideo",
        "c.mkv",
        "photo.png",
        "second.png",
    ]
    assert [path.name for path in work_folder(out / "a.mp4").iterdir() if path.name != LOCK] == ["mine.txt"]


def test_what_is_there_is_kept(archive: Path, tmp_path: Path) -> None:
    """Before anything is restored it is seen that nothing will be in the way."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "c.mkv").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"c\.mkv: exists already"):
        gfpvideo.restore(archive, out, PART)
    assert [path.name for path in out.iterdir()] == ["c.mkv"]
    assert (out / "c.mkv").read_bytes() == b"mine"


def test_a_folder_of_broken_reels_fails(tmp_path: Path) -> None:
    folder = tmp_path / "reels"
    folder.mkdir()
    for name in ("a.mp4", "b.avi"):
        (folder / name).write_bytes(b"not a film" * 1000)
    with pytest.raises(InputError, match=r"not one of its 2 files could be restored; skipped: .*a\.mp4"):
        gfpvideo.restore(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_two_films_get_one_name(tmp_path: Path) -> None:
    sources = [tmp_path / name for name in ("a.avi", "a.mkv", "b.wmv", "c.MP4", "d.png")]
    names = [path.name for path in targets_of(sources, tmp_path / "out", PART).values()]
    assert names == ["a.avi.mkv", "a.mkv", "b.mkv", "c.MP4", "d.png"]
    sources = [tmp_path / name for name in ("a.avi", "a.wmv")]
    names = [path.name for path in targets_of(sources, tmp_path / "out", PART).values()]
    assert names == ["a.avi.mkv", "a.wmv.mkv"]


def test_several_films_are_listed(archive: Path, tmp_path: Path) -> None:
    """Those that are named, under their own names, with one report for all; what cannot work is refused before."""
    films, out = [str(archive / name) for name in ("c.mkv", "b.mp4", "photo.png")], tmp_path / "out"
    options = ["--end", "0.3", "--preset", "ultrafast", *QUICK_ARGUMENTS, "--report", str(tmp_path / "report.json")]
    options += ["--container", "mkv"]
    done = RUNNER.invoke(app, ["restore", *films, "-o", str(out), "-q", *options])
    assert done.exit_code == 1
    assert f"warning: skipped: {archive / 'b.mp4'}: not a film" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["c.mkv", "photo.png"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert [Path(piece["source"]).name for piece in report["pieces"]] == ["photo.png", "c.mkv"]
    (archive / "more").mkdir()
    shutil.copy(archive / "a.mp4", archive / "more" / "a.mp4")
    twins = [str(archive / "a.mp4"), str(archive / "more" / "a.mp4")]
    for words, told in (
        ([*films], "several films need a folder to go to: give -o\n"),
        ([films[0], "better.mkv"], "(better.mkv does not exist: if it is the target, give -o better.mkv)"),
        ([*films, str(archive), "-o", "x"], "give one folder, or several films and pictures"),
        ([*films, "none.mp4", "-o", "x"], "none.mp4: no such file"),
        ([*films, "-o", str(archive / "notes.txt")], "several films go to a folder"),
        ([*films, "-o", str(tmp_path / "x.MKV")], "and .mkv is a file's suffix"),
        ([str(archive), "-o", str(tmp_path / "x.jpg")], "give the name of a folder with -o"),
        ([*films, "-o", "x", "--preview"], "give those one film at a time"),
        ([*films, "-o", "-"], "give those one film at a time"),
        ([*twins, "-o", str(tmp_path / "x")], "would both become"),
        (
            [films[0], films[2], "-o", str(archive), "--resume"],
            "photo.png: is to be restored, and would be its own target",
        ),
    ):
        done = RUNNER.invoke(app, ["restore", *words])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert told in done.stderr
    assert not list(tmp_path.glob("x*"))


def test_the_command_line_reports_each(archive: Path, tmp_path: Path) -> None:
    options = ["--end", "0.3", "--preset", "ultrafast", *QUICK_ARGUMENTS, "--report", str(tmp_path / "report.json")]
    done = RUNNER.invoke(app, ["restore", str(archive), "-o", str(tmp_path / "out"), "-q", *options])
    assert done.exit_code == 1
    assert f"warning: skipped: {archive / 'b.mp4'}: not a film" in done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert [Path(piece["source"]).name for piece in report["pieces"]] == ["photo.png", "a.mp4", "c.mkv"]
    assert report["frames"] == sum(piece["frames"] for piece in report["pieces"]) == 1 + 6 + 8
