"""Damaged files: whatever is wrong with them ends in a film, or in one line."""

import random
from pathlib import Path
from typing import Any

import av
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import GfpvideoError
from helpers import facts

pytestmark = pytest.mark.slow
PLUMBING: dict[str, Any] = {"preset": "ultrafast", "detect_size": 64, "min_score": 0.99}


@pytest.fixture(params=[".mp4", ".mkv", ".ts"])
def whole(request: pytest.FixtureRequest, film: Path, tmp_path: Path) -> bytes:
    """The sample in different containers."""
    path = tmp_path / f"whole{request.param}"
    with av.open(str(film)) as old, av.open(str(path), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    content = path.read_bytes()
    path.unlink()
    return content


def outcome(content: bytes, folder: Path) -> int:
    """Frames of the restored film, 0 if it was refused; a film is whole and has as many frames as were reported."""
    source, target = folder / "damaged", folder / "restored.mkv"
    source.write_bytes(content)
    report, refusal = None, ""
    try:
        report = gfpvideo.restore(source, target, RestoreOptions.parse(PLUMBING))
    except GfpvideoError as error:
        refusal = str(error)
    if report is None:
        assert "\n" not in refusal
        assert {path.name for path in folder.iterdir()} == {"damaged"}
        return 0
    found = facts(target)
    assert len(found.pts) == report.frames
    assert found.pts == sorted(set(found.pts))
    target.unlink()
    assert {path.name for path in folder.iterdir()} == {"damaged"}
    return report.frames


def test_flipped_bytes(whole: bytes, tmp_path: Path) -> None:
    chance, frames = random.Random(3), []
    for _ in range(8):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 10, 200])):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        frames.append(outcome(bytes(content), tmp_path))
    assert max(frames) > 60


def test_cut_off_files(whole: bytes, tmp_path: Path) -> None:
    frames = [outcome(whole[: len(whole) * percent // 100], tmp_path) for percent in (1, 10, 50, 90, 99)]
    assert frames == sorted(frames)


def test_bytes_that_are_no_film(tmp_path: Path) -> None:
    chance = random.Random(4)
    for header in (b"", b"\x1aE\xdf\xa3", b"\x00\x00\x00\x20ftypisom", b"RIFF\xff\xff\xff\x7fAVI ", b"G" * 188):
        assert outcome(header + chance.randbytes(5000), tmp_path) == 0
