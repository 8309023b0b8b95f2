"""Every real clip through a whole restoration: what docs/promises.md promises, clip by clip, after FFmpeg's FATE."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import GfpvideoError
from gfpvideo.media.target import default_target
from helpers import FilmFacts, facts, write_film
from quick import QUICK, QUICK_ARGUMENTS
from truths import LONG, Truth, others, read_truths, times

PLUMBING: dict[str, Any] = {"preset": "ultrafast", "detect_size": 128, "min_score": 0.99}
"""Hardly any face is found at this size: the generator is not what is tested here."""

TRUTHS = read_truths()
NO_TIMES_OF_THEIR_OWN = {"sample-with-large-length.avi", "sample_with_fake_auxiliary_tracks.mp4"}
_UNSAID = (0, 1)
"""Limited range said and left unsaid: x264 does not say it where nothing else is tagged, and players take it so."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRUTHS.keys() - {LONG}))
def test_a_clip_keeps_its_promises(name: str, media: Path, tmp_path: Path) -> None:
    truth, source = TRUTHS[name], media / name
    target = tmp_path / default_target(source, "libx264").name
    if truth.exit == 2:
        with pytest.raises(GfpvideoError, match=truth.words) as refused:
            gfpvideo.restore(source, target, RestoreOptions.parse(PLUMBING))
        assert refused.value.exit_code == 2
        assert "\n" not in str(refused.value)
        assert not list(tmp_path.iterdir())
        return
    report = gfpvideo.restore(source, target, RestoreOptions.parse(PLUMBING))
    assert (report.exit_code, report.frames) == (truth.exit, truth.frames), report.warnings
    assert any(truth.words in warning for warning in report.warnings) or not truth.words
    assert list(tmp_path.iterdir()) == [target]
    found = facts(target)
    if _several_pictures(source) or source.name in NO_TIMES_OF_THEIR_OWN:
        assert found.pts == sorted(set(found.pts))
    else:
        assert times(found) == truth.times
        _check_starts(truth, found)
        _check_picture(facts(source), found)
    _check_others(truth, found, report.warnings)


def _several_pictures(source: Path) -> bool:
    """Whether a reader may take another stream of the target for the film than of the source."""
    with av.open(str(source)) as container:
        return len([stream for stream in container.streams.video if stream.frames != 0]) > 1


def _check_starts(truth: Truth, found: FilmFacts) -> None:
    for start in truth.starts:
        kind, seconds = start.split()
        if kind in found.starts:
            assert abs(found.starts[kind] - Fraction(seconds)) <= Fraction(1, 1000)  # Matroska's; others are finer


def _check_others(truth: Truth, found: FilmFacts, warnings: list[str]) -> None:
    """Streams come back bit for bit, or a warning names them; a second picture may be the one that is read back."""
    kept = Counter(others(found))
    before = Counter(truth.others)
    left_out = [warning for warning in warnings if "left out" in warning and "metadata" not in warning]
    lost = [stream.split()[0] for stream in (before - kept).elements() if not stream.startswith("video")]
    assert len(lost) <= len(left_out)
    assert set(lost) <= {"data"} or "unknown codec" in " ".join(left_out)
    assert all(stream.startswith("video") for stream in kept - before)


def _check_picture(before: FilmFacts, after: FilmFacts) -> None:
    old, new = before.first, after.first
    assert (new.width, new.height) == (old.width, old.height)
    assert (after.aspect or 1) == (before.aspect or 1)
    assert new.rotation == old.rotation
    for tag in ("colorspace", "color_primaries", "color_trc"):
        assert getattr(new, tag) == getattr(old, tag)
    assert new.color_range == old.color_range or {new.color_range, old.color_range} <= set(_UNSAID)
    for data in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"):
        assert _side_data(new, data) == _side_data(old, data) or "HDR_PLUS" in str(list(old.side_data))


def _side_data(picture: Any, name: str) -> bytes | None:
    found = [bytes(item) for item in picture.side_data if item.type.name == name]
    return found[0] if found else None


def test_the_same_options_give_the_same_bytes(film: Path, tmp_path: Path) -> None:
    """Whatever the number of crops that go through the generator at once."""
    payloads = set()
    for batch in (1, 3, 8):
        target = tmp_path / f"{batch}.mkv"
        gfpvideo.restore(film, target, RestoreOptions.parse(QUICK | {"batch": batch, "end": "1.5"}))
        payloads.add(target.read_bytes())
    assert len(payloads) == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset binds a process to some of the cores")
@pytest.mark.parametrize("codec", ["libx264", "libx265", "ffv1", "libsvtav1", "libvpx-vp9"])
def test_the_number_of_cores_changes_no_byte(codec: str, film: Path, tmp_path: Path) -> None:
    """Encoders count the cores that they may use, and some give other bytes for another number of threads."""
    payloads = set()
    cores = sorted(os.sched_getaffinity(0))
    for number in {1, len(cores)}:
        target = tmp_path / f"{number}.mkv"
        command = [sys.executable, "-m", "gfpvideo", "restore", str(film), "-o", str(target), "--codec", codec]
        bound = ["taskset", "-c", ",".join(map(str, cores[:number]))]
        subprocess.run([*bound, *command, "--end", "1", "-q", *QUICK_ARGUMENTS], check=True)
        payloads.add(target.read_bytes())
    assert len(payloads) == 1


def test_limits_refuse_and_options_raise_them(tape: Path, tmp_path: Path) -> None:
    for option, words in (({"max_side": 100}, "raise --max-side"), ({"max_streams": 2}, "has 3 streams")):
        with pytest.raises(GfpvideoError, match=words):
            gfpvideo.restore(tape, tmp_path / "out.mkv", RestoreOptions.parse(option))
    assert not list(tmp_path.iterdir())


def test_strict_makes_a_lost_stream_an_error(tape: Path, tmp_path: Path) -> None:
    with pytest.raises(GfpvideoError, match=r"--strict: subtitle 2 .*mkv holds it"):
        gfpvideo.restore(tape, tmp_path / "out.mp4", RestoreOptions(strict=True))
    assert not list(tmp_path.iterdir())


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    import numpy as np

    film = write_film(tmp_path / "film.mkv", [np.full((64, 64, 3), 90, np.uint8)] * 3)
    with av.open(str(film)) as old, av.open(str(tmp_path / "evil.mkv"), "w") as new:
        new.metadata["title"] = "\x1b]0;owned\x07\x1b[2J"
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.metadata["language"] = "\x1b[1"
        data = new.add_stream("aac", rate=8000)
        data.metadata["language"] = "\x1b[1"
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    report = gfpvideo.restore(tmp_path / "evil.mkv", tmp_path / "out.mp4")
    assert "\x1b" not in "".join([*report.warnings, *report.copied])


@pytest.mark.slow
def test_the_encoder_does_not_read_memory_that_nobody_wrote(film: Path, tmp_path: Path) -> None:
    """x264 must give the same bytes whatever fresh memory holds (glibc fills it where MALLOC_PERTURB_ says so)."""
    code = (
        "import sys, gfpvideo; options = gfpvideo.RestoreOptions(end=1, model=sys.argv[3]);"
        " gfpvideo.restore(sys.argv[1], sys.argv[2], options)"
    )
    payloads = set()
    for number in (0, 90):
        target = tmp_path / f"{number}.mkv"
        environment = os.environ | {"MALLOC_PERTURB_": str(number)}
        subprocess.run(
            [sys.executable, "-c", code, str(film), str(target), QUICK["model"]], env=environment, check=True
        )
        payloads.add(target.read_bytes())
    assert len(payloads) == 1
