"""Where nobody names an encoder, one is chosen that loses nothing, and that the target's container holds."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.video.format import VideoFormat

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import GfpvideoError, OptionError
from gfpvideo.media.encoder import has_encoder, without_loss
from gfpvideo.media.target import FORMATS, default_target, muxer_holds, settle
from helpers import facts, smooth_picture, write_film


def film(path: Path, pix_fmt: str, count: int = 2) -> Path:
    random = np.random.default_rng(6)
    pictures = [(255 * smooth_picture(random, 64, 96)).astype(np.uint8) for _ in range(count)]
    return write_film(path, pictures, pix_fmt=pix_fmt)


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "why"),
    [
        ("yuv420p", "libx264", ""),
        ("yuv422p10le", "libx264", ""),
        ("gray10le", "libx264", ""),
        ("yuv420p12le", "libx265", "libx264 cannot hold yuv420p12le without loss"),
        ("gbrp12le", "libx265", "libx264 cannot hold gbrp12le without loss"),
        ("yuv440p12le", "libx265", "libx264 cannot hold yuv440p12le without loss"),
        ("yuv444p14le", "ffv1", "libx264 cannot hold yuv444p14le without loss"),
        ("rgb48le", "ffv1", "libx264 cannot hold rgb48le without loss"),
        ("yuva420p", "ffv1", "libx264 holds no transparency (yuva420p)"),
        ("rgba", "ffv1", "libx264 holds no transparency (rgba)"),
        ("yuva444p12le", "ffv1", "libx264 cannot hold yuva444p12le without loss"),
    ],
)
def test_the_first_encoder_that_loses_nothing(pix_fmt: str, codec: str, why: str) -> None:
    assert without_loss(VideoFormat(pix_fmt, 64, 64), (64, 64)) == (codec, why)


def test_every_format_of_whole_samples_finds_one() -> None:
    from av.video.format import names  # type: ignore[attr-defined]  # its stub lacks them

    from gfpvideo.media.pixel_format import has_whole_samples

    for name in sorted(names):
        source = VideoFormat(name, 64, 64)
        if has_whole_samples(source):
            assert without_loss(source, (64, 64)) is not None, name


@pytest.mark.parametrize(
    ("pix_fmt", "codec", "suffix"),
    [("yuv420p12le", "hevc", ".mp4"), ("yuv444p16le", "ffv1", ".mkv"), ("yuva420p", "ffv1", ".mkv")],
)
def test_a_target_that_nobody_named_gets_a_container_that_fits(
    pix_fmt: str, codec: str, suffix: str, tmp_path: Path
) -> None:
    """H.265 stays in MP4, FFV1 goes to Matroska. Bits and transparency come back, and a warning says why."""
    source = film(tmp_path / "film.mp4", pix_fmt)
    report = gfpvideo.restore(source, options=RestoreOptions(model="compact", preset="ultrafast", detect_size=64))
    target = tmp_path / f"film.restored{suffix}"
    assert Path(report.target) == target
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == codec
        assert container.streams.video[0].format.name == pix_fmt
    assert f"encoded with {'libx265' if codec == 'hevc' else codec}" in report.warnings[0]
    if codec == "ffv1":
        assert "option preset is left out: ffv1 has none" in report.warnings
        assert facts(target, planes=True).planes == facts(source, planes=True).planes


def test_a_container_that_is_named_decides_with_it(tmp_path: Path) -> None:
    deep, plain, clear = (film(tmp_path / f"{name}.mkv", name) for name in ("yuv440p12le", "yuv420p", "yuva420p"))
    options = RestoreOptions()
    assert settle(plain, tmp_path / "out.webm", options)[0].codec == "libvpx-vp9"
    assert settle(plain, tmp_path / "out.mp4", options)[0].codec == "libx264"
    assert settle(plain, None, RestoreOptions(container="webm"))[0].codec == "libvpx-vp9"
    assert settle(deep, tmp_path / "out.mp4", options)[0].codec == "libx265"
    assert settle(clear, tmp_path / "out.mp4", options) == (RestoreOptions(codec="libx264"), [])


def test_filters_are_thought_of(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mkv", "yuv444p16le")
    for values in ({"filters": ("format=yuv420p",)}, {"filters_after": ("format=yuv420p",)}):
        chosen, warnings = settle(source, tmp_path / "out.mp4", RestoreOptions.parse(values))
        assert (chosen.codec, warnings) == ("libx264", [])
    chosen, _ = settle(
        film(tmp_path / "plain.mkv", "yuv420p"), None, RestoreOptions(filters_after=("format=gray12le",))
    )
    assert chosen.codec == "libx265"


@pytest.mark.parametrize(
    ("pix_fmt", "name", "options", "words"),
    [
        ("yuv444p16le", "out.mp4", RestoreOptions(), r"out\.mp4: no encoder for \.mp4 holds yuv444p16le without loss"),
        ("yuv420p", "out.mov", RestoreOptions(codec="ffv1"), r"out\.mov: \.mov does not hold ffv1; \.mkv does"),
        ("yuv420p", "out.ts", RestoreOptions(codec="ffv1"), r"\.ts does not hold ffv1"),
        ("yuv420p", "out.mov", RestoreOptions(codec="libvpx-vp9"), r"\.mov does not hold libvpx-vp9"),
        ("yuv420p", "out.mp4", RestoreOptions(codec="nonsense"), "no such encoder$"),
        ("yuv420p", "out.mp4", RestoreOptions(codec="X264"), r"no such encoder; did you mean libx264\?"),
        ("yuv420p", "out", RestoreOptions(), r"out: its name does not say which container it is; use one of \.mp4"),
        ("yuv420p", "out.mp4", RestoreOptions(encoder_options={"tuen": "film"}), "libx264 has no option tuen"),
        ("yuv420p", "out.mkv", RestoreOptions(codec="ffv1", preset="fast"), "ffv1 has no option preset"),
        ("yuv420p", "out.mp4", RestoreOptions(preset="warp"), "'warp': libx264 has ultrafast, .*, veryslow, placebo"),
        ("yuv420p", "out.mkv", RestoreOptions(codec="libx265", preset="10"), "'10': libx265 has ultrafast, "),
        (
            "yuv420p",
            "out.mp4",
            RestoreOptions(encoder_options={"tune": "warp"}),
            "libx264 does not work .*warp",
        ),
        ("yuv420p", "out.mov", RestoreOptions(codec="prores_ks", encoder_options={"profile": "9"}), "profile"),
        ("yuv420p", "out.mov", RestoreOptions(codec="dnxhd"), "'dnxhd': work is kept in Matroska, .*-c:v dnxhd"),
        ("yuv420p", "out.mkv", RestoreOptions(codec="gif"), "'gif': work is kept in Matroska"),
    ],
)
def test_what_cannot_be_is_refused_before_networks_are_loaded(
    pix_fmt: str, name: str, options: RestoreOptions, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise AssertionError("networks are loaded")

    monkeypatch.setattr("gfpvideo.restoration.run.load_parts", load)
    with pytest.raises(OptionError, match=words):
        gfpvideo.restore(film(tmp_path / "film.mkv", pix_fmt), tmp_path / name, options)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_an_encoder_that_is_named_is_taken_at_its_word(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mkv", "yuv420p12le")
    assert settle(source, tmp_path / "out.mp4", RestoreOptions(codec="libx264"))[0].codec == "libx264"
    with pytest.raises(GfpvideoError, match="libx264 cannot hold yuv420p12le without loss; give --codec ffv1"):
        gfpvideo.restore(source, tmp_path / "out.mp4", RestoreOptions(codec="libx264", model="compact"))


@pytest.mark.skipif(not has_encoder("h264_nvenc"), reason="this PyAV has no encoder that needs a device")
@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_an_encoder_lacks_is_no_fault_of_the_file(tmp_path: Path) -> None:
    options = RestoreOptions(codec="h264_nvenc", model="missing.pth")  # refused before it is looked for
    with pytest.raises(OptionError, match="h264_nvenc does not work with this picture or these options"):
        gfpvideo.restore(film(tmp_path / "film.mkv", "yuv420p"), tmp_path / "out.mkv", options)


def test_the_default_target_keeps_a_suffix_that_fits() -> None:
    for source, codec, expected in (
        ("a.mp4", "libx264", "a.restored.mp4"),
        ("a.mp4", "auto", "a.restored.mp4"),
        ("a.TS", "libx265", "a.restored.TS"),
        ("a.ts", "ffv1", "a.restored.mkv"),
        ("a.mov", "ffv1", "a.restored.mkv"),
        ("a.wmv", "libx264", "a.restored.mkv"),
    ):
        assert default_target(Path(source), codec) == Path(expected)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "ffv1"])
@pytest.mark.parametrize("muxer", sorted(set(FORMATS.values())))
def test_containers_hold_what_they_are_said_to(muxer: str, codec: str) -> None:
    """Written and read again: a transport stream takes anything, and gives back what it has a number for."""
    file: Any = io.BytesIO()
    pictures = 0
    try:
        with av.open(file, "w", format=muxer) as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for index in range(30):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * index, np.uint8), format="rgb24")
                picture.pts = index
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        file.seek(0)
        reader: Any = av.open(file)
        with reader:
            pictures = len(list(reader.decode(video=0)))
    except (ValueError, OSError, IndexError):
        pass
    assert muxer_holds(muxer, codec) == (pictures == 30)
