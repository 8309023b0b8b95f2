"""Jobs: events in their order, pictures in them, networks that are kept, folders and films that stop."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
import skimage.data

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import StoppedError
from gfpvideo.media.still import write_sheet
from gfpvideo.restoration.events import Done, FrameDone, Loading, Muxing, PictureDone, SegmentDone
from gfpvideo.restoration.run import Job
from quick import QUICK

PART = RestoreOptions.parse(QUICK | {"end": "0.6", "segment": 8, "codec": "ffv1"})


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder of three photographs, one without a face."""
    folder = tmp_path / "album"
    folder.mkdir()
    face = np.ascontiguousarray(skimage.data.astronaut()[:256, 100:356, ::-1])
    for name, picture in (("1.png", face), ("2.png", np.full((64, 64, 3), 90, np.uint8)), ("3.png", face[:, ::-1])):
        write_sheet(folder / name, np.ascontiguousarray(picture))
    return folder


def test_events_tell_what_happens(film: Path, tmp_path: Path) -> None:
    job = Job(film, tmp_path / "restored.mkv", PART)
    plan = job.plan()
    assert (plan.kind, plan.target, plan.size) == ("film", tmp_path / "restored.mkv", (480, 360))
    events = list(job.run())
    kinds = [type(event) for event in events]
    assert kinds[0] is Loading
    assert kinds[-2:] == [Muxing, Done]
    frames = [event for event in events if isinstance(event, FrameDone)]
    segments = [event for event in events if isinstance(event, SegmentDone)]
    assert [event.done for event in frames] == list(range(1, job.report.frames + 1))
    assert [(event.number, event.frames) for event in segments] == [(0, 8), (1, 3)]
    assert kinds.index(SegmentDone) == kinds.index(FrameDone) + 8


def test_events_bear_pictures_before_and_after(film: Path, tmp_path: Path) -> None:
    """Also long after the frame was written, and of the frame that they speak of."""
    kept = [event for event in Job(film, tmp_path / "x.mkv", PART).run() if isinstance(event, FrameDone)]
    pictures = [(event.before(160), event.after(160)) for event in kept]
    for (before, after), event in zip(pictures, kept, strict=True):
        assert before.shape == after.shape == (120, 160, 3)
        ((_, rect),) = event.restored.touched
        inside = np.s_[rect.top // 3 : rect.bottom // 3, rect.left // 3 : rect.right // 3]
        change = np.abs(after.astype(int) - before)
        assert change[inside].mean() > 1
        change[rect.top // 3 - 2 : rect.bottom // 3 + 2, rect.left // 3 - 2 : rect.right // 3 + 2] = 0
        assert change.max() == 0
    assert not np.array_equal(pictures[0][0], pictures[-1][0])


def test_networks_are_kept_from_job_to_job(film: Path, tmp_path: Path) -> None:
    first = Job(film, tmp_path / "one.mkv", PART)
    list(first.run())
    second = Job(film, tmp_path / "two.mkv", PART.model_copy(update={"steady": 0}), first.parts)
    list(second.run())
    assert second.parts is first.parts
    other = Job(film, tmp_path / "three.mkv", PART.model_copy(update={"min_score": 0.4}), first.parts)
    assert other.parts is not first.parts


def test_a_folder_reports_what_its_pictures_did(album: Path, tmp_path: Path) -> None:
    job = Job(album, tmp_path / "out", RestoreOptions.parse(QUICK))
    done = [event for event in job.run() if isinstance(event, PictureDone)]
    assert [(event.source.name, event.done, event.expected) for event in done] == [
        ("1.png", 1, 3), ("2.png", 2, 3), ("3.png", 3, 3),
    ]  # fmt: skip
    assert (job.report.frames, job.report.faces, job.report.tracks) == (3, 2, 2)
    assert {"detect", "generate", "paste"} <= job.report.stages.keys()


def test_a_folder_stops_between_pictures(album: Path, tmp_path: Path) -> None:
    stop = Event()
    with pytest.raises(StoppedError, match="1 of 3 pictures are done"):
        gfpvideo.restore(album, tmp_path / "out", RestoreOptions.parse(QUICK), on_frame=lambda _: stop.set(), stop=stop)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1.png"]


def test_a_picture_that_is_stopped_beforehand_is_not_written(album: Path, tmp_path: Path) -> None:
    job = Job(album / "1.png", tmp_path / "x.png", RestoreOptions.parse(QUICK))
    job.stop()
    with pytest.raises(StoppedError):
        list(job.run())
    assert not (tmp_path / "x.png").exists()


@pytest.mark.slow
def test_the_preview_shows_the_chosen_face_as_the_film_will(film: Path) -> None:
    (moment,) = Job(film, options=PART).preview(side=200)
    assert moment.track == 1
    assert moment.before.shape == moment.after.shape == (200, 200, 3)
    assert np.abs(moment.after.astype(int) - moment.before).mean() > 0.5
    with pytest.raises(gfpvideo.GfpvideoError, match="no face was found that is to be restored"):
        Job(film, options=PART.model_copy(update={"end": None, "skip": (1, 2, 3)})).preview()


def test_a_preview_stops(film: Path) -> None:
    job = Job(film, options=PART)
    job.stop()
    with pytest.raises(StoppedError):
        job.preview()
