"""Memory does not depend on how long a film is."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import skimage.data

import gfpvideo
from helpers import facts
from quick import QUICK
from truths import LONG, others, read_truths, starts, times

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"),
]

MEASURE = """
import re, sys, time, gfpvideo
from pathlib import Path

peaks, times = {}, {}

def note(progress):
    if progress.done in (500, 1000) or progress.done % 1000 == 0:
        peaks[progress.done], times[progress.done] = peak(), time.monotonic()

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

options = gfpvideo.RestoreOptions(model=sys.argv[3], preset="ultrafast")
report = gfpvideo.restore(sys.argv[1], sys.argv[2], options, on_frame=note)
rates = [1000 / (times[done] - times[done - 1000]) for done in sorted(times) if done - 1000 in times]
print(report.frames, report.faces, peak(), peaks.get(500, 0))
print("frames a second, thousand by thousand:", *(f"{rate:.0f}" for rate in rates), file=sys.stderr)
"""
"""Not getrusage: its peak begins with that of the process that started this one."""


def _film(path: Path, frames: int) -> Path:
    """1080p, one face, a slow pan."""
    portrait = cv2.resize(skimage.data.astronaut(), (1200, 1200), interpolation=cv2.INTER_CUBIC)
    canvas = cv2.copyMakeBorder(portrait, 0, 0, 500, 500, cv2.BORDER_REFLECT_101)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for index in range(frames):
            left = int(140 + 130 * np.sin(index / 40))
            picture = np.ascontiguousarray(canvas[:1080, left : left + 1920])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _peaks(film: Path, model: str, target: Path) -> tuple[int, int, int, int]:
    """Frames and faces of a restoration, and its peak resident memory in KiB: at its end and after 500 frames."""
    command = [sys.executable, "-c", MEASURE, str(film), str(target), model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stderr)
    frames, faces, end, beginning = (int(word) for word in done.stdout.split())
    return frames, faces, end, beginning


def test_peak_memory_is_the_same_for_five_times_the_frames(tmp_path: Path) -> None:
    model = QUICK["model"]
    gfpvideo.load_generator(model)  # traced now, or the first run would be measured with torch in it
    *found, short, _ = _peaks(_film(tmp_path / "short.mp4", 200), model, tmp_path / "short.restored.mp4")
    assert found == [200, 200]
    *found, long, _ = _peaks(_film(tmp_path / "long.mp4", 1000), model, tmp_path / "long.restored.mp4")
    assert found == [1000, 1000]
    print(f"peak: {short / 1024:.0f} MiB for 200 frames, {long / 1024:.0f} MiB for 1000")
    assert long < 1.1 * short
    assert long < 2 * 1024 * 1024


def test_six_minutes_take_no_more_memory_than_their_beginning(media: Path, tmp_path: Path) -> None:
    """And the longest of the real clips keeps its promises."""
    gfpvideo.load_generator("compact")
    target, truth = tmp_path / "restored.mp4", read_truths()[LONG]
    frames, _, end, beginning = _peaks(media / LONG, "compact", target)
    print(f"peak: {beginning / 1024:.0f} MiB after 500 frames, {end / 1024:.0f} MiB at the end")
    assert end <= 1.1 * beginning  # usually 3 %: how many frames wait between threads at a time is chance
    found = facts(target)
    assert (frames, times(found), others(found), starts(found)) == (
        truth.frames, truth.times, truth.others, truth.starts,
    )  # fmt: skip
