"""Every pixel format is seen as the same components."""

import av
import numpy as np
import pytest

from gfpvideo.errors import UnsupportedMediaError
from gfpvideo.media.pixel_format import components, samples

LOSSLESS_FROM_444 = ["yuv444p", "nv24", "nv42"]
SUBSAMPLED = ["yuv420p", "yuvj420p", "nv12", "nv21", "yuv422p", "nv16", "yuyv422", "uyvy422", "yvyu422", "yuv411p"]
DEEP = [
    "yuv420p10le",
    "yuv420p10be",
    "p010le",
    "p010be",
    "yuv422p10le",
    "p210le",
    "yuv444p12le",
    "p016le",
    "yuv444p16be",
]
RGB = ["rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "0rgb", "bgr0", "0bgr", "gbrp", "gbrap"]
DEEP_RGB = ["rgb48le", "bgr48be", "rgba64le", "gbrp10le", "gbrp16be"]


def _picture() -> av.VideoFrame:
    y, x = np.mgrid[0:48, 0:62]
    rgb = np.stack([40 + 2 * x, 60 + 3 * y, 200 - x - y], axis=2).astype(np.uint8)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24")


@pytest.mark.parametrize("name", [*LOSSLESS_FROM_444, *SUBSAMPLED, *DEEP])
def test_yuv_layouts_agree_with_the_planar_one(name: str) -> None:
    frame = _picture().reformat(format=name)
    found, how = components(frame), samples(frame)
    assert [plane.ndim for plane in found] == [2, 2, 2]
    assert found[0].shape == (48, 62)
    assert found[1].shape == (-(-48 // how.subsampling[1]), -(-62 // how.subsampling[0]))
    deep = {8: "yuv444p", 10: "yuv444p10le", 12: "yuv444p12le", 16: "yuv444p16le"}[how.bits]
    if name in LOSSLESS_FROM_444:
        planar = components(_picture().reformat(format=deep))
        assert all(np.array_equal(a, b) for a, b in zip(found, planar, strict=True))
    scale = 1 << (how.bits - 8)
    luma = (found[0].astype(float) / (1 << how.shift)) / scale
    expected = components(_picture().reformat(format="yuvj420p" if how.full_range else "yuv420p"))
    assert np.abs(luma - expected[0]).max() <= 1.5
    blue = found[1].astype(float)[4:-4, 4:-4].mean() / (1 << how.shift) / scale
    red = found[2].astype(float)[4:-4, 4:-4].mean() / (1 << how.shift) / scale
    assert blue == pytest.approx(expected[1].astype(float).mean(), abs=2)
    assert red == pytest.approx(expected[2].astype(float).mean(), abs=2)


@pytest.mark.parametrize("name", [*RGB, *DEEP_RGB])
def test_rgb_layouts_are_red_green_blue(name: str) -> None:
    frame = _picture().reformat(format=name)
    found, how = components(frame), samples(frame)
    assert how.family == "rgb"
    assert how.full_range
    truth = _picture().to_ndarray()
    for index, plane in enumerate(found):
        scaled = plane.astype(float) * 255 / ((1 << how.bits) - 1)
        assert np.abs(scaled - truth[..., index]).max() < 1


@pytest.mark.parametrize("name", ["gray", "gray10le", "gray16be", "ya8"])
def test_grey_has_one_component(name: str) -> None:
    frame = _picture().reformat(format=name)
    assert len(components(frame)) == 1
    assert samples(frame).family == "gray"


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "p010le", "yuyv422", "bgr24", "gbrp16be", "gray10le"])
def test_writing_through_the_views_changes_the_picture(name: str) -> None:
    frame = _picture().reformat(format=name)
    before = [bytes(plane) for plane in frame.planes]
    for plane in components(frame):
        plane[10:12, 7:9] = 0
    after = components(frame)
    assert all((plane[10:12, 7:9] == 0).all() for plane in after)
    assert [bytes(plane) for plane in frame.planes] != before


@pytest.mark.parametrize("name", ["pal8", "monow", "gbrpf32le", "rgb565le", "x2rgb10le"])
def test_other_layouts_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedMediaError, match=name):
        components(av.VideoFrame(32, 32, name))


def test_what_the_stream_says_is_believed() -> None:
    frame = _picture().reformat(format="yuv420p10le")
    frame.colorspace, frame.color_range, frame.color_trc = 9, 1, 16
    how = samples(frame)
    assert (how.matrix, how.full_range, how.curve, how.bits) == ("bt2020", False, "pq", 10)
    assert how.siting == (0.0, 0.0)
    frame.colorspace, frame.color_range, frame.color_trc = 5, 2, 18
    how = samples(frame)
    assert (how.matrix, how.full_range, how.curve) == ("bt601", True, "sdr")


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(720, 576, "bt601"), (1024, 576, "bt601"), (1280, 720, "bt709"), (1280, 544, "bt709"), (608, 1080, "bt709")],
)
def test_untagged_film_is_guessed_by_its_size(width: int, height: int, matrix: str) -> None:
    """As players do; a wide film of 1280 columns may have fewer rows than PAL."""
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.colorspace = 2
    assert samples(frame).matrix == matrix
