"""Pixel formats that are not laid out in whole samples become the nearest that is."""

from typing import Any

import av
import numpy as np
import pytest
from av.video.format import VideoFormat, names  # type: ignore[attr-defined]  # its stub lacks them
from numpy.typing import NDArray

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.media.convert import Converter, nearest
from gfpvideo.media.pixel_format import components, has_whole_samples, samples

RANDOM = np.random.default_rng(3)


def rows(plane: Any, width: int) -> NDArray[np.uint8]:
    """The bytes of a plane without what pads its rows."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, :width]


def converted(picture: av.VideoFrame) -> tuple[list[NDArray[np.integer]], str, list[str]]:
    converter = Converter()
    (made,) = converter(iter([picture]))
    return list(components(made)), made.format.name, converter.warnings


@pytest.mark.parametrize("opaque", [True, False])
def test_palettes_become_their_colours(opaque: bool) -> None:
    picture = av.VideoFrame(64, 48, "pal8")
    rows(picture.planes[0], 64)[:] = RANDOM.integers(0, 256, (48, 64))
    colours: Any = picture.planes[1]
    palette = np.frombuffer(colours, np.uint8)
    palette[:] = RANDOM.integers(0, 256, palette.size)
    palette[3::4] = 255
    if not opaque:
        palette[3] = 0
    found, name, warnings = converted(picture)
    assert name == ("rgb24" if opaque else "rgba")
    assert warnings == [f"pixel format pal8 was converted to {name}"]
    truth = palette.reshape(256, 4)[rows(picture.planes[0], 64)]
    assert np.array_equal(np.dstack(found), truth[..., 2::-1])


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize(("stem", "bits"), [("555", (5, 5, 5)), ("565", (5, 6, 5))])
@pytest.mark.parametrize("endian", ["le", "be"])
def test_packed_bits_become_bytes(order: str, stem: str, bits: tuple[int, int, int], endian: str) -> None:
    """QuickTime has them big-endian; black stays black and white becomes white."""
    words = RANDOM.integers(0, 1 << sum(bits), (48, 64))
    words[0, :2] = 0, (1 << sum(bits)) - 1
    picture = av.VideoFrame(64, 48, f"{order}{stem}{endian}")
    rows(picture.planes[0], 128)[:] = words.astype("<u2" if endian == "le" else ">u2").view(np.uint8)
    found, name, _ = converted(picture)
    assert name == "rgb24"
    shifts = (bits[1] + bits[2], bits[2], 0)
    fields = [
        (words >> shift & ((1 << width) - 1), (1 << width) - 1) for shift, width in zip(shifts, bits, strict=True)
    ]
    for plane, (field, peak) in zip(found if order == "rgb" else found[::-1], fields, strict=True):
        assert np.abs(plane - field * 255 / peak).max() < 1
    assert [int(plane[0, 0]) for plane in found] == [0, 0, 0]
    assert [int(plane[0, 1]) for plane in found] == [255, 255, 255]


@pytest.mark.parametrize(("name", "white"), [("monob", 1), ("monow", 0)])
def test_bits_become_black_and_white(name: str, white: int) -> None:
    bits = RANDOM.integers(0, 2, (48, 64)).astype(np.uint8)
    picture = av.VideoFrame(64, 48, name)
    rows(picture.planes[0], 8)[:] = np.packbits(bits, axis=1)
    found, made, _ = converted(picture)
    assert made == "gray"
    assert np.array_equal(found[0], np.where(bits == white, 255, 0))


def test_bits_are_of_full_range() -> None:
    (made,) = Converter()(iter([av.VideoFrame(64, 48, "monob")]))
    assert samples(made).full_range


def test_floats_become_sixteen_bits() -> None:
    values = RANDOM.random((3, 48, 64)).astype("<f4")
    values[:, 0, 0], values[:, 0, 1] = 0, 1
    picture = av.VideoFrame(64, 48, "gbrpf32le")
    for plane, samples_ in zip(picture.planes, values, strict=True):
        rows(plane, 256)[:] = samples_.view(np.uint8)
    found, name, _ = converted(picture)
    assert name == "gbrp16le"
    green, blue, red = values
    for plane, truth in zip(found, (red, green, blue), strict=True):
        assert np.abs(plane / 65535 - truth).max() < 0.001


@pytest.mark.parametrize("name", ["x2rgb10le", "v30xle", "xv36le", "vuya", "ayuv64le", "yuv444p10msble"])
def test_packed_and_shifted_samples_keep_all_bits(name: str) -> None:
    """What another layout of the same samples becomes is what was made out of it."""
    plain = nearest(VideoFormat(name, 64, 48))
    picture = av.VideoFrame(64, 48, plain)
    for plane in components(picture):
        plane[:] = RANDOM.integers(0, 1 << samples(picture).bits, plane.shape)
    found, made, _ = converted(picture.reformat(format=name))
    assert made == plain
    slack = 2 if "rgb" in name else 0  # through FFmpeg's 15 bits of YUV and back
    for plane, truth in zip(found, components(picture), strict=True):
        assert np.abs(plane.astype(int) - truth).max() <= slack


def test_every_format_has_whole_samples_or_becomes_one_that_does_or_is_refused() -> None:
    refused = set()
    for name in sorted(names):
        source = VideoFormat(name, 64, 48)
        try:
            assert has_whole_samples(VideoFormat(nearest(source), 64, 48))
        except UnsupportedMediaError:
            refused.add(name)
    on_devices = {name for name in names if not VideoFormat(name, 64, 48).components}
    assert refused == on_devices | {"yaf32le", "yaf32be"}


def test_half_floats_are_not_taken_for_whole_numbers() -> None:
    for name in ("gbrpf16le", "grayf16be", "rgbaf16le", "gbrp10msble"):
        assert not has_whole_samples(VideoFormat(name, 64, 48))


def test_pictures_of_whole_samples_pass_untouched() -> None:
    picture = av.VideoFrame(64, 48, "yuv420p")
    converter = Converter()
    assert next(converter(iter([picture]))) is picture
    assert converter.warnings == []


def test_what_the_scaler_cannot_read_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedMediaError, match="rgb96le"):
        list(Converter()(iter([av.VideoFrame(64, 48, "rgb96le")])))
