"""How much room a film will take is known before the start, for every encoder and size."""

from pathlib import Path
from typing import Any

import pytest
from av.video.format import VideoFormat

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OutputError
from gfpvideo.media.source import VideoSource
from gfpvideo.media.space import bits_a_pixel, needed_bytes
from gfpvideo.media.span import Span
from gfpvideo.restoration.film import planned
from gfpvideo.restoration.jobs.folder import work_folder


@pytest.mark.parametrize(
    "values",
    [
        {"codec": "libx264"},
        {"codec": "libx264", "crf": 10},
        {"codec": "libx264", "crf": 24},
        {"codec": "libx265", "preset": "ultrafast"},
        {"codec": "ffv1"},
        {"codec": "libx264rgb", "crf": 0},
        {"codec": "prores_ks"},
        {"codec": "libx264", "upscale": 2},
        {"codec": "ffv1", "upscale": 2},
        {"codec": "ffv1", "compare": "side"},
        {"codec": "ffv1", "filters_after": ("scale=240:180",)},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_the_estimate_is_enough_and_not_absurd(values: dict[str, Any], film: Path, tmp_path: Path) -> None:
    """On the sample that looks like 8 mm film, whose grain is dear: the segments and the film made out of them."""
    options = RestoreOptions.parse({"model": "compact", "detect_size": 64, "min_score": 0.99, "end": "0.5", **values})
    target = tmp_path / "out.mkv"
    gfpvideo.restore(film, target, options)
    with VideoSource(film, span=Span(end=options.end)) as source:
        needed = needed_bytes(source, options)
    taken = 2 * target.stat().st_size
    assert taken <= needed <= 6 * taken


def test_a_film_without_loss_that_will_not_fit_is_refused_before_the_start(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same disk holds the film as H.264, but neither as FFV1 nor four times as wide."""
    with VideoSource(film) as source:
        room = 2 * needed_bytes(source, RestoreOptions(codec="libx264"))
    monkeypatch.setattr("gfpvideo.media.space.free_bytes", lambda _: room)

    def load(_: object) -> None:
        raise RuntimeError("the disk was found large enough")

    monkeypatch.setattr("gfpvideo.restoration.run.load_parts", load)
    for values in ({"codec": "ffv1"}, {"upscale": 4}, {"codec": "libx264", "crf": 0}):
        with pytest.raises(OutputError, match=r"are needed and .* are free"):
            gfpvideo.restore(film, tmp_path / "out.mkv", RestoreOptions.parse(values))
    with pytest.raises(RuntimeError, match="large enough"):
        gfpvideo.restore(film, tmp_path / "out.mkv", RestoreOptions())


def test_what_is_done_already_needs_no_room_again(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that just held the film at its start holds the rest of it after an interruption."""
    target, options = tmp_path / "out.mkv", RestoreOptions(codec="ffv1")
    with VideoSource(film) as source:
        needed = needed_bytes(source, options)
        work_folder(target).mkdir()
        (work_folder(target) / "segment-00000.mkv").write_bytes(bytes(1000))
        monkeypatch.setattr("gfpvideo.media.space.free_bytes", lambda _: needed - 1000)
        planned(source, target, options.model_copy(update={"resume": True}))
        (work_folder(target) / "segment-00000.mkv").write_bytes(bytes(999))
        with pytest.raises(OutputError, match="are needed"):
            planned(source, target, options.model_copy(update={"resume": True}))


def test_a_part_needs_its_share(film: Path) -> None:
    options = RestoreOptions(codec="ffv1")
    with VideoSource(film) as whole, VideoSource(film, span=Span(end=RestoreOptions.parse({"end": "0.5"}).end)) as part:
        assert needed_bytes(part, options) < needed_bytes(whole, options) / 4


def test_bits_follow_quality_source_and_depth() -> None:
    def bits(source_bits: float = 1.0, pix_fmt: str = "yuv420p", **values: Any) -> float:
        return bits_a_pixel(
            VideoFormat(pix_fmt, 64, 64), RestoreOptions.parse({"codec": "libx264", **values}), source_bits
        )

    assert bits(crf=22) < bits() == bits(crf=16) < bits(crf=10) < bits(crf=0) == 6
    assert bits(0.01) < bits(0.1) < bits(1.0) == bits(5.0)
    assert bits(encoder_options={"qp": "0"}) == bits(crf=0)
    assert bits(codec="ffv1", pix_fmt="yuv444p16le") == 24
    assert bits(codec="rawvideo") == 12
    assert bits(codec="prores_ks") == 6.5
