"""Films in palettes, few bits or floats are restored in the nearest format of whole samples, and told so once."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skimage.data
from PIL import Image

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.media.source import VideoSource
from helpers import facts

ASTRONAUT = skimage.data.astronaut()[:240, 120:320]
FORMATS = {
    "pal8.avi": ("rawvideo", "pal8", "rgb24"),
    "rgb555be.mov": ("rawvideo", "rgb555be", "rgb24"),
    "qtrle.mov": ("qtrle", "rgb555le", "rgb24"),
    "rgb565le.nut": ("rawvideo", "rgb565le", "rgb24"),
    "rgb8.nut": ("rawvideo", "rgb8", "rgb24"),
    "monob.nut": ("rawvideo", "monob", "gray"),
    "gbrpf32le.nut": ("rawvideo", "gbrpf32le", "gbrp16le"),
}
"""Name of a film, its codec and pixel format, and what that becomes."""


def picture(pix_fmt: str) -> av.VideoFrame:
    if pix_fmt == "pal8":
        few = Image.fromarray(ASTRONAUT).quantize(256)
        palette: Any = few.getpalette()
        colours = np.full((256, 4), 255, np.uint8)
        colours[:, 1:] = np.reshape(palette, (256, 3))
        return av.VideoFrame.from_ndarray((np.asarray(few), colours), format="pal8")  # type: ignore[arg-type]
    return av.VideoFrame.from_ndarray(ASTRONAUT, format="rgb24").reformat(format=pix_fmt)


def film(path: Path, codec: str, pix_fmt: str, frames: int = 3) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = ASTRONAUT.shape[:2]
        stream.pix_fmt = written = "rgb555be" if codec == "qtrle" else pix_fmt
        for index in range(frames):
            frame = picture(written)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert container.streams.video[0].format.name == pix_fmt
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_frames_are_those_that_ffmpeg_shows(name: str, tmp_path: Path) -> None:
    codec, pix_fmt, expected = FORMATS[name]
    path = film(tmp_path / name, codec, pix_fmt)
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with VideoSource(path) as source:
        frames = list(source.frames())
    assert source.warnings == [f"pixel format {pix_fmt} was converted to {expected}"]
    assert len(frames) == len(shown)
    for frame, truth in zip(frames, shown, strict=True):
        seen = np.dstack(frame.components) >> (frame.samples.bits - 8)
        assert frame.thumbnail(640).std() > 30
        if pix_fmt != "rgb555be":  # whose bytes FFmpeg's scaler takes in the wrong order
            assert np.abs(seen.astype(int) - truth).max() <= 1


@pytest.mark.parametrize("name", ["pal8.avi", "rgb555be.mov", "gbrpf32le.nut"])
def test_their_faces_are_restored_and_the_rest_is_kept(name: str, tmp_path: Path) -> None:
    codec, pix_fmt, expected = FORMATS[name]
    path, target = film(tmp_path / name, codec, pix_fmt), tmp_path / "out.mkv"
    report = gfpvideo.restore(path, target, RestoreOptions(model="compact", codec="ffv1"))
    assert report.faces == 3
    assert f"pixel format {pix_fmt} was converted to {expected}" in report.warnings
    new = facts(target).first.to_ndarray(format="rgb24").astype(int)
    assert np.abs(new[-20:] - ASTRONAUT[-20:]).mean() < 12
