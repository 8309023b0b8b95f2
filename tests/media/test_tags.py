"""What a film says of itself as a whole, tags and chapters, comes back, or a warning names it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from helpers import remuxed, write_with_sound
from quick import QUICK

PHONE = {
    "com.apple.quicktime.make": "Maker",
    "com.apple.quicktime.location.ISO6709": "+48.1234+011.5678+520.000/",
    "creation_time": "2020-01-02T03:04:05.000000Z",
}


def film(path: Path, tags: dict[str, str], titles: list[str], options: dict[str, str] | None = None) -> Path:
    """Four frames, and a chapter for each title."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        container.metadata.update(tags)
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": 40 * number,
                    "end": 40 * number + 40,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, title in enumerate(titles)
            ]
        )
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 * index, np.uint8), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def told(path: Path) -> tuple[dict[str, str], list[str]]:
    """A film's tags, and the titles of its chapters."""
    with av.open(str(path)) as container:
        return dict(container.metadata), [chapter["metadata"]["title"] for chapter in container.chapters()]


@pytest.mark.parametrize("suffix", [".mov", pytest.param(".mp4", marks=pytest.mark.slow), ".mkv"])
def test_a_phones_tags_come_back(suffix: str, tmp_path: Path) -> None:
    source = film(tmp_path / "phone.mov", PHONE, [], {"movflags": "use_metadata_tags"})
    report = gfpvideo.restore(source, tmp_path / f"restored{suffix}", RestoreOptions(**QUICK))
    assert report.warnings == []
    tags = {key.lower(): value for key, value in told(Path(report.target))[0].items()}
    assert {key.lower(): value for key, value in PHONE.items()}.items() <= tags.items()


def test_a_title_stays_where_programs_look_for_it(tmp_path: Path) -> None:
    """Not in the list of tags that phones write."""
    source = film(tmp_path / "phone.mkv", {"title": "A film", "com.android.version": "14"}, [])
    report = gfpvideo.restore(source, tmp_path / "restored.mp4", RestoreOptions(**QUICK))
    assert b"\xa9nam" in Path(report.target).read_bytes()
    (warning,) = report.warnings
    assert "the tags COM.ANDROID.VERSION cannot be held by .mp4" in warning


@pytest.mark.parametrize("suffix", [".mp4", pytest.param(".mkv", marks=pytest.mark.slow)])
def test_chapters_of_mp4_are_no_lost_stream(suffix: str, tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", {"title": "A film"}, ["One", "Two"])
    report = gfpvideo.restore(source, tmp_path / f"restored{suffix}", RestoreOptions(strict=True, **QUICK))
    assert (report.warnings, report.exit_code) == ([], 0)
    tags, titles = told(Path(report.target))
    assert (tags["title"], titles) == ("A film", ["One", "Two"])


@pytest.mark.parametrize(
    ("suffix", "left_out"),
    [(".mp4", ["tags OWN_TAG "]), (".ts", ["tags title, OWN_TAG ", "chapters "]), (".flv", ["chapters "])],
)
def test_what_a_container_does_not_tell_is_named(suffix: str, left_out: list[str], tmp_path: Path) -> None:
    source = film(tmp_path / "film.mkv", {"title": "A film", "own tag": "1"}, ["One"])
    report = gfpvideo.restore(source, tmp_path / f"restored{suffix}", RestoreOptions(**QUICK))
    named = [warning for warning in report.warnings if f"cannot be held by {suffix}" in warning]
    assert len(named) == len(left_out)
    assert all(what in warning for what, warning in zip(left_out, named, strict=True))


@pytest.mark.parametrize(("language", "told_as"), [("deu", "ger"), ("swe", "sve"), ("fra", "fra"), ("mkd", None)])
def test_mov_knows_languages_by_other_codes(language: str, told_as: str | None, tmp_path: Path) -> None:
    def spoken(_: object, streams: dict[int, Any]) -> None:
        streams[1].metadata["language"] = language

    write_with_sound(tmp_path / "silence.mkv", "mpeg4", "aac", frames=5)
    source = remuxed(tmp_path / "silence.mkv", tmp_path / "film.mkv", prepare=spoken)
    report = gfpvideo.restore(source, tmp_path / "restored.mov", RestoreOptions(**QUICK))
    with av.open(report.target) as container:
        assert container.streams.audio[0].metadata.get("language") == told_as
    warnings = [] if told_as else ["the languages mkd cannot be held by .mov: left out (.mp4 and .mkv do)"]
    assert report.warnings == warnings
