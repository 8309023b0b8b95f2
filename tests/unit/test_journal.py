"""The journal: records in any order, by anybody, cut anywhere; one owner of a work folder at a time."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gfpvideo.cli import app
from gfpvideo.errors import GfpvideoError, OutputError, StoppedError
from gfpvideo.media.places import Segment
from gfpvideo.report import Report
from gfpvideo.restoration.events import SegmentDone
from gfpvideo.restoration.jobs.fingerprint import Fingerprint, read_begun
from gfpvideo.restoration.jobs.folder import clean, in_use, is_work_folder, work_folder
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.foreman import Foreman, _Work
from gfpvideo.restoration.jobs.journal import Journal, open_journal
from gfpvideo.restoration.jobs.record import SegmentRecord, record_path, segment_path
from gfpvideo.restoration.jobs.segments import write_segments

FINGERPRINT = Fingerprint(
    version="1", libraries={}, source="a", files={}, model="m", networks={}, options={"steady": 4}
)
RUNNER = CliRunner()
CONTENT = b"a segment's picture"


class GaveUpError(Exception):
    pass


def record(first: int, count: int, size: int = len(CONTENT)) -> SegmentRecord:
    pts = [1001 * (first + offset) for offset in range(count)]
    return SegmentRecord(
        first=first,
        bytes=size,
        pts=pts,
        reorder=2,
        faces=0,
        spared=0,
        hopeless=0,
        pictures=0,
        tracks=[],
    )


def add(journal: Journal, number: int, total: int, begin: int = 0) -> SegmentRecord:
    """A segment of a film of ``total`` frames, made and added."""
    first = number * journal.length
    made = record(begin + first, min(journal.length, total - first))
    journal.scratch(number).write_bytes(CONTENT)
    journal.add(number, made)
    return made


def test_every_segment_is_counted_once(tmp_path: Path) -> None:
    """Two workers have written theirs before the first is heard, and one of them was at it as well."""
    work = _Work(Journal(tmp_path, 16), Followed(tmp_path, 16), 0, {})
    others = Journal(tmp_path, 16)
    for number in (0, 1):
        add(others, number, 25)
    crew: Any = None
    foreman = Foreman(crew, threading.Event(), Report("", ""), 25)
    told = [(0, 1), (1, 0), (0, 0)]
    events = [event for worker, number in told for event in foreman._hear(work, worker, {"segment": number})]
    assert [event.number for event in events if isinstance(event, SegmentDone)] == [1, 0]
    assert foreman.report.frames == 25


def interrupted(target: Path, numbers: list[int], length: int = 4, total: int = 100) -> Path:
    """The work folder of a restoration that gave up after these segments."""
    with pytest.raises(GaveUpError), open_journal(target, FINGERPRINT, length, resume=False) as journal:
        for number in numbers:
            add(journal, number, total)
        raise GaveUpError
    return work_folder(target)


def damage(how: str, folder: Path, number: int, data: st.DataObject) -> None:
    path = record_path(folder, number) if how.endswith("record") else segment_path(folder, number)
    if how.startswith("lost"):
        path.unlink()
    elif how.startswith("cut"):
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(1, 24), st.integers(0, 1000), st.data())
def test_exactly_the_whole_segments_are_seen(
    tmp_path_factory: pytest.TempPathFactory, length: int, total: int, begin: int, data: st.DataObject
) -> None:
    """Whatever the order of adding, whatever is lost or cut afterwards, and however often somebody looks."""
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # hundreds of files, and no power fails
        check_any_order(folder, length, total, begin, data)


def check_any_order(folder: Path, length: int, total: int, begin: int, data: st.DataObject) -> None:
    count = -(-total // length)
    order = data.draw(st.permutations(range(count)))[: data.draw(st.integers(0, count))]
    made = {number: add(Journal(folder, length), number, total, begin) for number in order}
    ways = st.sampled_from(["whole", "lost record", "lost segment", "cut record", "cut segment"])
    fates = {number: data.draw(ways) for number in made}
    for number, fate in fates.items():
        damage(fate, folder, number, data)
    whole = sorted(number for number, fate in fates.items() if fate == "whole")

    journal = Journal(folder, length)
    assert list(journal.records()) == [(number, made[number]) for number in whole]
    assert journal.frames == sum(len(made[number].pts) for number in whole)
    assert journal.missing(total) == sorted(set(range(count)) - set(whole))
    gapless = min(journal.missing(total), default=count)
    assert journal.next_index == (begin + min(total, gapless * length) if gapless else None)
    for number in journal.missing(total):
        add(Journal(folder, length), number, total, begin)
    journal.refresh()
    assert journal.missing(total) == []
    assert [ticks for segment in journal.segments() for ticks in segment.pts] == record(begin, total).pts


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the test asks Linux what a descriptor is")
def test_a_record_is_written_when_its_segment_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, fsync, replace = list[str](), os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(f"sync {'.'.join(name.split('.')[:2])}")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        done.append(f"name {target.name}")
        return replace(self, target)

    journal = Journal(tmp_path, 4)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    add(journal, 0, 4)
    assert done == [
        "sync segment-00000.mkv", "name segment-00000.mkv", "sync segment-00000.json", "name segment-00000.json",
        f"sync {tmp_path.name}",
    ]  # fmt: skip


def test_a_hole_is_not_made_into_a_film(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 4)
    for number in (0, 1, 3):
        add(journal, number, 16)
    with pytest.raises(
        OutputError, match=r"segment-00002\.mkv: the segment is missing or damaged; go on with --resume"
    ):
        journal.segments()
    add(journal, 2, 16)
    segment_path(tmp_path, 3).write_bytes(b"half")
    with pytest.raises(OutputError, match=r"segment-00003\.mkv: the segment is missing or damaged"):
        journal.segments()


def test_another_process_adds_without_the_lock(tmp_path: Path) -> None:
    """Two make the same segment; the first stays, and neither writes where the other does."""
    with open_journal(tmp_path / "film.mkv", FINGERPRINT, 4, resume=False) as owner:
        one, other = Journal(owner.folder, 4), Journal(owner.folder, 4)
        assert one.scratch(1) != other.scratch(1)
        other.scratch(1).write_bytes(b"later")
        add(one, 1, 8)
        other.add(1, record(4, 4, len(b"later")))
        assert segment_path(owner.folder, 1).read_bytes() == CONTENT
        owner.refresh()
        assert owner.missing(8) == [0]
        assert not list(owner.folder.glob("*.partial"))
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_of_its_segment_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 4)
    add(journal, 0, 100, begin=7)
    for wrong in (record(10, 4), record(11, 5)):
        with pytest.raises(ValueError, match="are not segment 1 of 4 frames"):
            journal.add(1, wrong)
    for path in (record_path, segment_path):
        path(tmp_path, 5).write_bytes(path(tmp_path, 0).read_bytes())
    assert [number for number, _ in Journal(tmp_path, 4).records()] == [0]


def test_a_journal_ends_by_being_left_well(tmp_path: Path) -> None:
    """What stays and what goes does not hang on what a caller does to the journal."""
    target = tmp_path / "film.mkv"
    folder = interrupted(target, [0, 1])
    assert {item.name for item in folder.iterdir()} == {
        "job.json", "lock", "segment-00000.json", "segment-00000.mkv", "segment-00001.json", "segment-00001.mkv",
    }  # fmt: skip
    with open_journal(target, FINGERPRINT, 4, resume=True) as journal:
        assert journal.next_index == 8
    assert list(tmp_path.iterdir()) == []
    interrupted(target, [])
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_kill_go_when_work_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    folder = interrupted(target, [0, 1, 2])
    segment_path(folder, 1).write_bytes(b"half")
    (folder / "segment-00003.mkv.0a1b2c3d.partial").touch()
    with open_journal(target, FINGERPRINT, 4, resume=True) as journal:
        assert journal.next_index == 4
        assert sorted(item.name for item in folder.glob("segment-*")) == [
            "segment-00000.json", "segment-00000.mkv", "segment-00002.json", "segment-00002.mkv",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "length", "told"),
    [
        ({"options": {"steady": 2}}, 4, "other options: steady"),
        ({}, 5, "other options: segment"),
        ({"networks": {"detector": "other"}}, 4, "other weights of networks: detector"),
        ({"libraries": {"scipy": "2"}}, 4, "other versions of libraries: scipy"),
        ({"version": "2"}, 4, r"gfpvideo has another version \(1 before, now 2\)"),
        ({"model": "other"}, 4, "the model or its engine is another one"),
        ({"files": {"tracks": "other"}}, 4, "the source, or a file that an option names, has changed"),
    ],
)
def test_only_the_same_goes_on(values: dict[str, Any], length: int, told: str, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    folder = interrupted(target, [0])
    other = FINGERPRINT.model_copy(update=values)
    with pytest.raises(OutputError, match=f"cannot go on: {told}"), open_journal(target, other, length, resume=True):
        pass
    with open_journal(target, FINGERPRINT, 4, resume=True) as journal:
        assert journal.next_index == 4
    assert not folder.exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"length": 4}', b"\xff"])
def test_work_without_its_beginning_is_kept_and_refused(content: bytes | None, tmp_path: Path) -> None:
    target = tmp_path / "it's a film.mkv"
    folder = interrupted(target, [0, 1])
    (folder / "job.json").unlink()
    if content is not None:
        (folder / "job.json").write_bytes(content)
    with (
        pytest.raises(OutputError, match=r"job\.json is damaged, or of another version .* jobs clean '.*\.gfpvideo'"),
        open_journal(target, FINGERPRINT, 4, resume=True),
    ):
        pass
    assert segment_path(folder, 1).exists()
    assert "cannot be gone on with" in RUNNER.invoke(app, ["jobs", "list", str(tmp_path)]).stdout
    assert RUNNER.invoke(app, ["jobs", "clean", str(folder)]).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_work_of_an_older_version_is_kept_and_refused(tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    folder = work_folder(target)
    folder.mkdir()
    for name in ("journal.jsonl", "segment-00000.mkv", "segment-00001.partial"):
        (folder / name).touch()
    with (
        pytest.raises(OutputError, match=r"made by an older gfpvideo, .*; remove it with: gfpvideo jobs clean .*film"),
        open_journal(target, FINGERPRINT, 4, resume=True),
    ):
        pass
    assert (folder / "journal.jsonl").exists()
    assert RUNNER.invoke(app, ["jobs", "clean", str(folder)]).exit_code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyboardInterrupt(), "interrupted at once; 4 frames are done: "), (OutputError("the disk is full"), "full; 4 ")],
)
def test_who_is_stopped_short_is_told_of_what_is_kept(error: BaseException, told: str, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    with pytest.raises(type(error)) as plain, open_journal(target, FINGERPRINT, 4, resume=False):
        raise error
    assert plain.value is error
    with (
        pytest.raises(GfpvideoError, match=f"{told}.*go on with --resume"),
        open_journal(target, FINGERPRINT, 4, resume=False) as journal,
    ):
        add(journal, 0, 18)
        raise error
    with open_journal(target, FINGERPRINT, 4, resume=True) as journal:
        assert journal.frames == 4


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    with open_journal(target, FINGERPRINT, 4, resume=False) as journal:
        add(journal, 0, 4)
        (journal.folder / "notes.txt").touch()
        assert is_work_folder(journal.folder)
    assert {item.name for item in journal.folder.iterdir()} == {"notes.txt", "lock"}
    assert not is_work_folder(journal.folder)


def test_a_run_that_begins_as_another_ends_keeps_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock was released before the folder was removed: whoever took it in between lost the folder again."""
    target, release, second = tmp_path / "film.mkv", FileLock.release, []

    def released(self: FileLock, *args: Any, **values: Any) -> None:
        release(self, *args, **values)
        if not second:
            second.append(open_journal(target, FINGERPRINT, 4, resume=False))
            add(second[0].__enter__(), 0, 100)

    with open_journal(target, FINGERPRINT, 4, resume=False) as journal:
        add(journal, 0, 100)
        monkeypatch.setattr(FileLock, "release", released)
    assert segment_path(work_folder(target), 0).exists()
    second[0].__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove a file that is open")
def test_a_lock_on_a_folder_that_is_gone_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened the lock's file before its folder was removed must not own the folder that somebody makes next."""
    import fcntl

    target, flock, once = tmp_path / "film.mkv", fcntl.flock, []
    first = open_journal(target, FINGERPRINT, 4, resume=False)
    first.__enter__()

    def late(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_EX and not once:
            once.append(descriptor)
            first.__exit__(None, None, None)  # between the second's opening of the file and its locking
            assert not work_folder(target).exists()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(OutputError, match="another gfpvideo"), open_journal(target, FINGERPRINT, 4, resume=False):
        pass
    assert once
    with open_journal(target, FINGERPRINT, 4, resume=False):
        assert in_use(work_folder(target))
    assert list(tmp_path.iterdir()) == []


def test_many_runs_at_once_own_a_folder_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one looks at a folder while another removes it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    target, owners, wrong, runs = tmp_path / "film.mkv", [], [], []

    def run() -> None:
        for _ in range(150):
            try:
                with open_journal(target, FINGERPRINT, 4, resume=False) as journal:
                    owners.append(journal)
                    add(journal, 0, 4)
                    if len(owners) != 1 or read_begun(journal.folder) is None or not journal.segments():
                        wrong.append(list(owners))
                    runs.append(journal)
                    owners.remove(journal)
            except OutputError as error:
                if "another gfpvideo" not in str(error):
                    wrong.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert runs
    assert list(tmp_path.iterdir()) == []


def test_a_work_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "film.mkv.gfpvideo").touch()
    for target in (tmp_path / "film.mkv", tmp_path / "nowhere" / "film.mkv"):
        with (
            pytest.raises(OutputError, match=r"film\.mkv\.gfpvideo: cannot be written"),
            open_journal(target, FINGERPRINT, 4, resume=False),
        ):
            pass


def test_work_that_is_in_use_is_not_cleaned(tmp_path: Path) -> None:
    with open_journal(tmp_path / "film.mkv", FINGERPRINT, 4, resume=False) as journal:
        add(journal, 0, 4)
        with pytest.raises(OutputError, match="a gfpvideo works in it now; stop that first"):
            clean(journal.folder)
        refused = RUNNER.invoke(app, ["jobs", "clean", str(journal.folder)])
        assert refused.exit_code == 2
        assert "stop that first" in refused.stderr
        assert "film.mkv: running, 4 frames done" in RUNNER.invoke(app, ["jobs", "list", str(tmp_path)]).stdout
        assert journal.segments()


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b'{"first": 0}', b"null", b"[" * 5000])),
    st.sampled_from(["job.json", "segment-00000.json"]),
)
def test_a_journal_of_anything_is_read_without_a_crash(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("junk")
    (folder / name).write_bytes(content)
    segment_path(folder, 0).touch()
    assert read_begun(folder) is None
    assert list(Journal(folder, 4).records()) == []


class Encoder:
    """Writes as many bytes as there are frames."""

    def encode(self, path: Path, frames: Any) -> Any:
        pts = []
        for restored in frames:
            pts.append(restored.frame.pts)
            yield restored
        path.write_bytes(bytes(len(pts)))
        return Segment(path, tuple(pts), 0)


def written(journal: Journal, first: int, end: int, stop: threading.Event | None = None) -> Iterator[int]:
    """Have the frames of these indexes written; gives those that were."""
    frames: Any = (
        SimpleNamespace(
            frame=SimpleNamespace(index=index, pts=1001 * index), patches=(), spared=0, hopeless=0, whole=False
        )
        for index in range(first, end)
    )
    encoder: Any = Encoder()
    done = write_segments(frames, journal, encoder, stop or threading.Event())
    return (item.frame.index for item in done if not isinstance(item, SegmentDone))


@pytest.mark.parametrize("begin", [0, 57])
def test_frames_that_a_segment_holds_are_not_written_again(begin: int, tmp_path: Path) -> None:
    journal = Journal(tmp_path, 4)
    for number in (0, 1, 3):
        add(journal, number, 18, begin)
    before = segment_path(tmp_path, 3).stat().st_ino
    assert journal.next_index == begin + 8
    assert list(written(journal, begin + 5, begin + 18)) == [begin + place for place in (8, 9, 10, 11, 16, 17)]
    assert journal.missing(18) == []
    assert [ticks for segment in journal.segments() for ticks in segment.pts] == record(begin, 18).pts
    assert segment_path(tmp_path, 3).stat().st_ino == before


def test_a_finished_segment_does_not_wait_for_the_next_frame(tmp_path: Path) -> None:
    """What comes after it may be an error."""
    journal = Journal(tmp_path, 4)
    frames = written(journal, 0, 9)
    assert [next(frames) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert 0 in Journal(tmp_path, 4)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError, match="interrupted; 4 frames are done: go on with --resume"):
        list(written(journal, 4, 9, stop))


def test_a_film_that_can_be_read_further_than_before_is_not_cut_short(tmp_path: Path) -> None:
    """Its last segment was short since the disk, say, failed there: then that is no film's end."""
    journal = Journal(tmp_path, 4)
    assert len(list(written(journal, 0, 6))) == 6
    with pytest.raises(OutputError, match=r"broke off after frame 6 .* go on with --resume"):
        list(written(journal, journal.next_index or 0, 9))
    again = Journal(tmp_path, 4)
    assert again.next_index == 4
    assert list(written(again, 4, 9)) == [4, 5, 6, 7, 8]
    assert again.missing(9) == []
