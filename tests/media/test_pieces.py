"""Segments that are made each by itself, in any order, are those of a film restored at once; so is going on."""

import json
import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest

from gfpvideo import RestoreOptions
from gfpvideo.frames import Frame, RestoredFrame
from gfpvideo.media.source import VideoSource
from gfpvideo.media.trace import Place
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.film import planned
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.folder import work_folder
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.journal import Journal, open_journal
from gfpvideo.restoration.jobs.pieces import Segments, follow_all
from gfpvideo.restoration.jobs.record import record_path
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.run import Job
from gfpvideo.restoration.way import reach
from helpers import packets
from quick import QUICK

OPTIONS = RestoreOptions.parse({"segment": 16, "preset": "ultrafast", "codec": "libx264", **QUICK})
FINGERPRINT = Fingerprint(version="1", libraries={}, source="a", files={}, model="m", networks={}, options={})


@pytest.fixture(scope="module")
def parts() -> Parts:
    return load_parts(OPTIONS)


@pytest.fixture(scope="module")
def keyed(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film with a key frame every 12 frames, in open groups of pictures."""
    path = tmp_path_factory.mktemp("keyed") / "keyed.mkv"
    options = {"x264-params": "keyint=12:min-keyint=12:bframes=3:b-adapt=0:open-gop=1:scenecut=0", "crf": "20"}
    with av.open(str(film)) as source, av.open(str(path), "w") as target:
        stream: Any = target.add_stream("libx264", rate=18, options=options)
        pictures = list(source.decode(video=0))
        stream.width, stream.height, stream.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
        for number, picture in enumerate(pictures):
            encoded: Any = picture.reformat()
            encoded.pts, encoded.time_base, encoded.pict_type = number, Fraction(1, 18), 0
            target.mux(stream.encode(encoded))
        target.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def at_once(keyed: Path, parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film restored in one go."""
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    job = Job(keyed, target, OPTIONS, parts)
    list(job.run())
    return target


def joined(source: Path, target: Path, journal: Journal) -> None:
    with open_film(source, OPTIONS) as film:
        assembly = planned(film, target, OPTIONS)
        whole = Followed(journal.folder, journal.length).whole
        assert whole is not None
        film.recall(whole.account)
        journal.refresh()
        assembly.write(journal.segments())


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "film.mkv", FINGERPRINT, 16, resume=False) as journal:
        yield journal


def test_any_order_gives_the_same_film(
    keyed: Path, at_once: Path, parts: Parts, begun: Journal, tmp_path: Path
) -> None:
    counts = list(follow_all(keyed, Followed(begun.folder, 16), parts, OPTIONS))
    assert counts == list(range(1, 91))
    makers = [Segments(keyed, begun.folder, 16, parts, OPTIONS) for _ in range(2)]
    runs = [range(0, 1), range(1, 3), range(3, 4), range(4, 6)]
    random.Random(4).shuffle(runs)
    for turn, numbers in enumerate(runs):
        made = makers[turn % 2].make(numbers, Event())
        done = [item.frame.index for item in made if isinstance(item, RestoredFrame)]
        assert done == list(range(16 * numbers.start, min(90, 16 * numbers.stop)))
    joined(keyed, tmp_path / "film.mkv", begun)
    assert packets(tmp_path / "film.mkv") == packets(at_once)


@pytest.mark.slow
def test_a_segment_reads_no_more_than_it_needs(
    keyed: Path, parts: Parts, begun: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(follow_all(keyed, Followed(begun.folder, 16), parts, OPTIONS))
    seen, frames = list[int](), VideoSource.frames

    def watched(self: VideoSource, since: Place | None = None) -> Iterator[Frame]:
        for frame in frames(self, since):
            seen.append(frame.index)
            yield frame

    monkeypatch.setattr(VideoSource, "frames", watched)
    list(Segments(keyed, begun.folder, 16, parts, OPTIONS).make(range(3, 4), Event()))
    around = reach(OPTIONS)
    assert seen[0] == (48 - around.back) // 12 * 12 == 12  # the key frame before
    assert seen[-1] <= 64 + around.ahead


@pytest.mark.slow
def test_a_jump_that_leads_elsewhere_is_not_believed(
    keyed: Path, at_once: Path, parts: Parts, begun: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that is off by a frame: whoever believed it would write the film's frames one too early."""
    list(follow_all(keyed, Followed(begun.folder, 16), parts, OPTIONS))
    place = Followed.place
    tried = []

    def off(self: Followed, until: int) -> Place | None:
        found = place(self, until)
        tried.append(found)
        return found and Place(found.index - 1, found.pts, found.packets, found.end, found.turn, found.colour)

    monkeypatch.setattr(Followed, "place", off)
    maker = Segments(keyed, begun.folder, 16, parts, OPTIONS)
    for number in range(6):
        list(maker.make(range(number, number + 1), Event()))
    assert any(tried)
    joined(keyed, tmp_path / "film.mkv", begun)
    assert packets(tmp_path / "film.mkv") == packets(at_once)


class GaveUpError(Exception):
    pass


def interrupted(source: Path, target: Path, parts: Parts, frame: int) -> None:
    job = Job(source, target, OPTIONS, parts)
    with pytest.raises(GaveUpError):
        for event in job.run():
            if isinstance(event, FrameDone) and event.restored.frame.index == frame:
                raise GaveUpError


@pytest.mark.slow
@pytest.mark.parametrize(("frame", "begins"), [(85, 48), (50, 12)])
def test_going_on_reads_from_where_it_must(
    frame: int, begins: int, keyed: Path, at_once: Path, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "film.mkv"
    interrupted(keyed, target, parts, frame)
    begun, frames = list[int](), VideoSource.frames

    def watched(self: VideoSource, since: Place | None = None) -> Iterator[Frame]:
        begun.append(0 if since is None else since.index)
        return frames(self, since)

    monkeypatch.setattr(VideoSource, "frames", watched)
    job = Job(keyed, target, OPTIONS.model_copy(update={"resume": True}), parts)
    list(job.run())
    assert begun == [begins]
    assert job.report.resumed == frame // 16 * 16
    assert packets(target) == packets(at_once)


@pytest.mark.slow
def test_going_on_mends_what_is_damaged(keyed: Path, at_once: Path, parts: Parts, tmp_path: Path) -> None:
    """What was followed is cut off, a number in it is wrong, a record is missing: the film is the same."""
    for number, harm in enumerate((_cut_off, _other_trace, _other_face, _no_record)):
        target = tmp_path / f"film{number}.mkv"
        interrupted(keyed, target, parts, 85)
        harm(work_folder(target))
        list(Job(keyed, target, OPTIONS.model_copy(update={"resume": True}), parts).run())
        assert packets(target) == packets(at_once)


def _cut_off(folder: Path) -> None:
    path = folder / "followed-00003.json"
    path.write_bytes(path.read_bytes()[:500])


def _other_trace(folder: Path) -> None:
    _changed(folder, "traces", lambda traces: [trace ^ 1 for trace in traces])


def _other_face(folder: Path) -> None:
    """Of a film that was not followed to its end: that is noticed when its last shot is followed once more."""
    (folder / "followed.json").unlink()
    (folder / "followed-00005.json").unlink()
    _changed(folder, "faces", lambda faces: [[(*face[:2], [x + 1 for x in face[2]]) for face in one] for one in faces])


def _changed(folder: Path, name: str, change: Any) -> None:
    path = folder / "followed-00004.json"
    record = json.loads(path.read_bytes())
    record[name] = change(record[name])
    path.write_text(json.dumps(record))


def _no_record(folder: Path) -> None:
    record_path(folder, 2).unlink()
