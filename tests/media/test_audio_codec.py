"""Sound that is encoded anew on request: the same sound at the same time."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import gfpvideo
from gfpvideo import RestoreOptions
from gfpvideo.errors import OptionError
from helpers import facts
from quick import QUICK


def sound(path: Path) -> tuple[Fraction, NDArray[np.float32]]:
    """Time of the first sample after the first frame's, and (channels, n) samples in [-1, 1]."""
    frames: list[Any] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp")
        for frame in container.decode(audio=0):
            frames += resampler.resample(frame)
        picture_begins = facts(path).pts[0]
    begins = frames[0].pts * frames[0].time_base - picture_begins
    return begins, np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


@pytest.mark.parametrize("codec", ["pcm_s16le", pytest.param("flac", marks=pytest.mark.slow)])
def test_lossless_sound_is_the_source_s(codec: str, film: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    report = gfpvideo.restore(film, target, RestoreOptions(audio_codec=codec, preset="ultrafast", **QUICK))
    assert report.copied == []
    (before, expected), (after, found) = sound(film), sound(target)
    assert before == after
    assert found.shape[1] == pytest.approx(expected.shape[1], abs=4608)
    length = min(found.shape[1], expected.shape[1])
    assert np.abs(found[:, :length] - expected[:, :length]).max() <= 2**-15


@pytest.mark.slow
def test_lossy_sound_stays_in_step(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    options = RestoreOptions(audio_codec="aac", audio_kbits=128, preset="ultrafast", **QUICK)
    gfpvideo.restore(film, target, options)
    (before, expected), (after, found) = sound(film), sound(target)
    assert before == after
    part = expected[0, 24_000:48_000]
    likeness = [float((part * found[0, 24_000 + lag : 48_000 + lag]).sum()) for lag in range(-200, 201)]
    assert int(np.argmax(likeness)) - 200 == 0


def test_a_part_s_sound_begins_with_it(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mkv"
    values = QUICK | {"audio_codec": "pcm_s16le", "preset": "ultrafast", "start": "1", "end": "2"}
    gfpvideo.restore(film, target, RestoreOptions.parse(values))
    begins, found = sound(target)
    assert 0 <= begins < Fraction(1, 20)
    with av.open(str(film)) as container:
        rate = container.streams.audio[0].rate
    assert found.shape[1] / rate == pytest.approx(1.0, abs=0.05)


def test_wrong_encoders_are_refused_in_one_line(film: Path, tmp_path: Path) -> None:
    for codec, words in (("libx264", "not an audio encoder"), ("nonsense", "no such encoder")):
        with pytest.raises(OptionError, match=f"option audio-codec = '{codec}': .*{words}"):
            gfpvideo.restore(film, tmp_path / "film.mkv", RestoreOptions(audio_codec=codec))
    assert list(tmp_path.iterdir()) == []
