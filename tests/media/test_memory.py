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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"),
]

MEASURE = """
import re, sys, gfpvideo
from pathlib import Path
report = gfpvideo.restore(sys.argv[1], sys.argv[2], gfpvideo.RestoreOptions(model="compact", preset="ultrafast"))
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(report.frames, report.faces, peak)
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


def _peak(film: Path, frames: int, target: Path) -> int:
    """Peak resident memory of a restoration, KiB."""
    command = [sys.executable, "-c", MEASURE, str(film), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, faces, peak = (int(word) for word in done.stdout.split())
    assert (found, faces) == (frames, frames)
    return peak


def test_peak_memory_is_the_same_for_five_times_the_frames(tmp_path: Path) -> None:
    gfpvideo.load_generator("compact")  # traced now, or the first run would be measured with torch in it
    short = _peak(_film(tmp_path / "short.mp4", 200), 200, tmp_path / "short.restored.mp4")
    long = _peak(_film(tmp_path / "long.mp4", 1000), 1000, tmp_path / "long.restored.mp4")
    print(f"peak: {short / 1024:.0f} MiB for 200 frames, {long / 1024:.0f} MiB for 1000")
    assert long < 1.1 * short
    assert long < 2 * 1024 * 1024
