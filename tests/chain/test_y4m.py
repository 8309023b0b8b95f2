"""YUV4MPEG2 in and out: the same pictures as through files, and quiet ends."""

import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
import pytest

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.y4m import open_y4m
from helpers import facts, smooth_picture
from quick import QUICK, QUICK_ARGUMENTS

PIPE = [sys.executable, "-m", "gfpvideo", "pipe", *QUICK_ARGUMENTS]


def y4m(source: Path, target: Path, pix_fmt: str | None = None, frames: int = 30) -> Path:
    """The first frames of a film as YUV4MPEG2."""
    with (
        av.open(str(source)) as film,
        av.open(str(target), "w", format="yuv4mpegpipe", container_options={"strict": "-1"}) as container,
    ):
        stream: Any = container.add_stream("wrapped_avframe", rate=18)
        for index, picture in zip(range(frames), film.decode(video=0), strict=False):
            wanted = picture.reformat(format=pix_fmt) if pix_fmt else picture
            if index == 0:
                stream.width, stream.height, stream.pix_fmt = wanted.width, wanted.height, wanted.format.name
            wanted.pts, wanted.time_base = index, Fraction(1, 18)
            container.mux(stream.encode(wanted))
    return target


def piped(content: bytes, *options: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*PIPE, *options], input=content, capture_output=True, check=False)


@pytest.mark.slow
def test_pictures_are_those_of_files(film: Path, tmp_path: Path) -> None:
    source, target = y4m(film, tmp_path / "film.y4m"), tmp_path / "film.mkv"
    done = piped(source.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    report = gfpvideo.restore(source, target, RestoreOptions(codec="ffv1", **QUICK))
    assert report.faces == 30
    found = facts(tmp_path / "out.y4m", planes=True)
    assert found.planes == facts(target, planes=True).planes
    assert found.planes != facts(source, planes=True).planes
    assert found.pts == [Fraction(index, 18) for index in range(30)]


@pytest.mark.slow
def test_a_film_comes_out_as_y4m(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    options = ["--filter-after", "hflip", "--strength", "0.5"]
    done = subprocess.run([*PIPE, str(film), *options], capture_output=True, check=True)
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    gfpvideo.restore(film, target, RestoreOptions(codec="ffv1", filters_after=("hflip",), strength=0.5, **QUICK))
    assert facts(tmp_path / "out.y4m", planes=True).planes == facts(target, planes=True).planes


FORMATS = [
    "gray",
    "yuv411p",
    "yuv422p",
    "yuv444p",
    "yuv420p9le",
    "yuv422p10le",
    "yuv444p12le",
    "gray16le",
    "yuv420p16le",
]


@pytest.mark.slow
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_every_format_goes_through(pix_fmt: str, film: Path, tmp_path: Path) -> None:
    """Unchanged where nothing is to be changed."""
    source = y4m(film, tmp_path / "film.y4m", pix_fmt, frames=4)
    done = piped(source.read_bytes(), "--strength", "0")
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "out.y4m").write_bytes(done.stdout)
    assert facts(tmp_path / "out.y4m", planes=True).planes == facts(source, planes=True).planes
    assert facts(tmp_path / "out.y4m").first.format.name == pix_fmt


AVS2YUV = {
    "C420mpeg2": "yuv420p",
    "C422": "yuv422p",
    "C444": "yuv444p",
    "Cmono": "gray",
    "Cmono16 XYSCSS=Cmono16": "gray16le",
    "C420p10 XYSCSS=C420p10": "yuv420p10le",
    "C422p16 XYSCSS=C422p16": "yuv422p16le",
}
"""What avs2yuv writes of a script's format, and FFmpeg's name of it; pixels have no shape unless it is given one."""


@pytest.mark.parametrize("words", AVS2YUV)
def test_scripts_of_avisynth_are_read(words: str, tmp_path: Path) -> None:
    layout = av.VideoFormat(AVS2YUV[words], 32, 16)
    size = sum(part.width * part.height * (2 if part.bits > 8 else 1) for part in layout.components)
    frame = b"FRAME\n" + bytes(range(256)) * (size // 256) + bytes(size % 256)
    path = tmp_path / "script.y4m"
    path.write_bytes(f"YUV4MPEG2 W32 H16 F24000:1001 Ip A0:0 {words}\n".encode() + 3 * frame)
    with open_y4m(str(path)) as container:
        pictures = list(container.decode(video=0))
        assert container.streams.video[0].average_rate == Fraction(24000, 1001)
    assert [(each.format.name, each.width, each.height) for each in pictures] == [(AVS2YUV[words], 32, 16)] * 3


@pytest.mark.slow
def test_pictures_are_handed_on_before_the_end(film: Path, tmp_path: Path) -> None:
    """The first come out while the last have not come in."""
    content = y4m(film, tmp_path / "film.y4m", frames=90).read_bytes()
    held = len(content) * 8 // 9
    running = subprocess.Popen(PIPE, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None
    assert running.stdout is not None
    first_is_out = threading.Event()

    def feed(stdin: IO[bytes]) -> None:
        stdin.write(content[:held])
        stdin.flush()
        if first_is_out.wait(60):
            stdin.write(content[held:])
        stdin.close()

    feeder = threading.Thread(target=feed, args=(running.stdin,), daemon=True)
    feeder.start()
    first = running.stdout.read(200_000)
    assert first.startswith(b"YUV4MPEG2")
    first_is_out.set()
    rest = running.stdout.read()
    feeder.join(60)
    assert running.wait(60) == 0
    assert len(first) + len(rest) == pytest.approx(len(content), abs=100)


@pytest.mark.parametrize("signals", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_silent_writer_does_not_hold_it_up(signals: int, film: Path, tmp_path: Path) -> None:
    """One thread waits for bytes in the system, one for the first's frames, and so on, and the program for all."""
    running = subprocess.Popen(PIPE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdin is not None
    assert running.stderr is not None
    running.stdin.write(y4m(film, tmp_path / "film.y4m", frames=5).read_bytes())  # a pipe holds far less: it is read
    running.stdin.flush()
    time.sleep(0.5)
    for _ in range(signals):
        running.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert running.wait(20) == 130
    assert running.stderr.read() == b"gfpvideo: interrupted, no target was written\n"


@pytest.mark.slow
def test_a_reader_that_reads_nothing_does_not_hold_it_up(film: Path) -> None:
    """Its pipe is full: the program waits in the system for room."""
    running = subprocess.Popen([*PIPE, str(film)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(1000).startswith(b"YUV4MPEG2")
    time.sleep(3)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 130
    assert running.stderr.read() == b"gfpvideo: interrupted, no target was written\n"


@pytest.mark.slow
def test_a_reader_that_leaves_ends_it_quietly(film: Path) -> None:
    running = subprocess.Popen([*PIPE, str(film)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(1000).startswith(b"YUV4MPEG2")
    running.stdout.close()
    assert running.wait(60) == 141
    assert running.stderr.read() == b""


@pytest.mark.slow
def test_wrong_input_is_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    short = y4m(film, tmp_path / "film.y4m", frames=1).read_bytes()
    fields = short.replace(b" Ip ", b" It ", 1)
    for content, words in (
        (b"", b"no YUV4MPEG2 comes in"),
        (b"hello" * 1000, b"no YUV4MPEG2 comes in"),
        (film.read_bytes(), b"no YUV4MPEG2 comes in"),
        (fields, b"standard input: the film is interlaced; give --deinterlace"),
        (short[: short.index(b"\n") + 1], b"not one frame"),
    ):
        done = piped(content)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count(b"\n") == 1
        assert done.stdout == b""


def test_what_y4m_cannot_hold_is_converted_with_a_warning(tmp_path: Path, rng: np.random.Generator) -> None:
    source = tmp_path / "rgb.mkv"
    with av.open(str(source), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "bgr0"
        for _ in range(3):
            pixels = (255 * smooth_picture(rng, 64, 96)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    done = subprocess.run([*PIPE, str(source)], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"samples are converted to yuv444p" in done.stderr
