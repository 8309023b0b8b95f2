"""Timestamps, orientation, transfer curves, targets, options."""

import errno
import os
import stat
from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.errors import ClosedError, GfpvideoError, OptionError, OutputError, StoppedError
from gfpvideo.media.atomic import atomic_target
from gfpvideo.media.orientation import EXIF_TURNS, Orientation, turn_of
from gfpvideo.media.timing import TimestampRepair
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.pixels.geometry import move
from gfpvideo.pixels.transfer import display_to_pq, pq_to_display


def repaired(ticks: list[int | None], base: Fraction, rate: Fraction | None) -> tuple[list[int], int]:
    """Timestamps as they are repaired, with the frames that they belong to seen to be in order, and how many were."""
    repair = TimestampRepair(base, rate)
    found = list(repair(iter(enumerate(ticks))))
    assert [frame for frame, _ in found] == list(range(len(ticks)))
    return [pts for _, pts in found], repair.repaired


@given(st.lists(st.one_of(st.none(), st.integers(-1000, 10**9)), max_size=50))
def test_timestamps_come_out_strictly_increasing(ticks: list[int | None]) -> None:
    fixed, count = repaired(ticks, Fraction(1, 90000), Fraction(25))
    assert all(a < b for a, b in pairwise(fixed))
    assert count == sum(a != b for a, b in zip(fixed, ticks, strict=True))


@given(st.lists(st.integers(-(10**6), 10**12), unique=True, min_size=1))
def test_good_timestamps_are_kept_exactly(ticks: list[int]) -> None:
    assert repaired([*sorted(ticks)], Fraction(1, 1000), None) == (sorted(ticks), 0)


@given(st.lists(st.integers(0, 10**9), unique=True, min_size=1, max_size=60), st.randoms())
def test_timestamps_that_changed_places_are_sorted(ticks: list[int], chance: Random) -> None:
    """As of an AVI file: within a few frames, every timestamp is there but at another frame."""
    mixed: list[int | None] = []
    for begin in range(0, len(ticks), 4):
        group: list[int | None] = list(sorted(ticks)[begin : begin + 4])
        chance.shuffle(group)
        mixed += group
    assert repaired(mixed, Fraction(1, 1000), None)[0] == sorted(ticks)


def test_missing_timestamps_lie_between_their_neighbours() -> None:
    base = Fraction(1, 90000)
    assert repaired([0, None, 6000, 6000], base, Fraction(30)) == ([0, 3000, 6000, 9000], 2)
    assert repaired([None, None, 9000], base, Fraction(30)) == ([3000, 6000, 9000], 2)
    assert repaired([None, None], base, Fraction(30)) == ([0, 3000], 2)


def test_an_equal_timestamp_moves_no_other() -> None:
    """It would push all that follow by a frame, and every further one by one more."""
    ticks: list[int | None] = [0, 40, 40, 80, 120, 160, 160, 160, 200, 240]
    assert repaired(ticks, Fraction(1, 1000), Fraction(25)) == ([0, 40, 60, 80, 120, 160, 180, 190, 200, 240], 3)


def test_a_clock_that_starts_again_goes_on() -> None:
    ticks: list[int | None] = [*range(100, 140), *range(20)]
    assert repaired(ticks, Fraction(1, 25), Fraction(25))[0] == list(range(100, 160))


@pytest.mark.parametrize("turn", EXIF_TURNS.values())
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(16, 11)])
def test_display_map_agrees_with_the_turned_picture(
    turn: tuple[tuple[int, int], tuple[int, int]], aspect: Fraction
) -> None:
    """A pixel that is marked in storage must be found where the map says, in the picture that a player shows."""
    orientation = Orientation(7, 5, aspect, turn)
    stored = np.zeros((5, 7, 1), np.uint8)
    stored[1, 4] = 255
    shown = orientation.upright(stored)
    row, column = np.argwhere(shown[..., 0])[0]
    x, y = move(orientation.to_display(), np.array([[4.0, 1.0]]))[0]
    scale_x, scale_y = (float(aspect), 1.0) if not orientation.swaps_axes else (1.0, float(aspect))
    assert (x + 0.5, y + 0.5) == pytest.approx(((column + 0.5) * scale_x, (row + 0.5) * scale_y))
    assert orientation.display_size == pytest.approx((shown.shape[1] * scale_x, shown.shape[0] * scale_y))


def test_turns_are_read_from_display_matrices() -> None:
    one = 1 << 16
    assert turn_of((one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == ((1, 0), (0, 1))
    assert turn_of((0, one, 0, -one, 0, 0, 0, 0, 1 << 30)) == ((0, -1), (1, 0))
    assert turn_of((0, one, 0, one, 0, 0, 0, 0, 1 << 30)) == ((0, 1), (1, 0))
    tilted = round(one * 0.7071)
    assert turn_of((tilted, tilted, 0, -tilted, tilted, 0, 0, 0, 1 << 30)) is None


@given(st.floats(0, 1))
def test_pq_curve_is_inverted(code: float) -> None:
    value = np.array([code], np.float32)
    assert np.abs(display_to_pq(pq_to_display(value)) - value).max() < 2e-3


def test_pq_curve_shows_white_as_bright() -> None:
    white, black = pq_to_display(np.array([0.5807, 0.0], np.float32))  # 203 and 0 candela per square metre
    assert 0.7 < white < 0.85
    assert black == 0
    assert (np.diff(pq_to_display(np.linspace(0, 1, 500))) >= 0).all()


def test_a_target_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    with pytest.raises(RuntimeError), atomic_target(target, overwrite=False) as scratch:
        scratch.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with atomic_target(target, overwrite=False) as scratch:
        scratch.write_bytes(b"whole")
        assert not target.exists()
        assert scratch.suffix == ".mp4"
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_an_existing_target_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"), atomic_target(target, overwrite=False):
        pass
    assert target.read_bytes() == b"precious"
    with atomic_target(target, overwrite=True) as scratch:
        scratch.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    with pytest.raises(OutputError, match="exists"), atomic_target(target, overwrite=False) as scratch:
        scratch.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"


def test_a_target_is_on_the_disk_before_anything_else_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First what the file holds, then its name, then the folder that bears it: power may fail in between."""
    target, done = tmp_path / "film.mp4", []
    sync, replace = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        done.append(("sync", "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"))
        sync(descriptor)

    def watched_replace(old: Path, new: Path) -> Path:
        done.append(("rename", new.name))
        return replace(old, new)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    with atomic_target(target, overwrite=False) as scratch:
        scratch.write_bytes(b"whole")
    assert done == [("sync", "file"), ("rename", "film.mp4"), ("sync", "folder")]
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_folders_that_cannot_be_synced_are_none_that_fail(
    number: int, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OutputError) if fails else nullcontext(), atomic_target(tmp_path / "a", overwrite=False) as file:
        file.write_bytes(b"whole")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="disk is full"), atomic_target(tmp_path / "a.mp4", overwrite=False):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"engine": "quantum"}, "option engine = 'quantum'"),
        ({"strength": 1.5}, "option strength = 1.5"),
        ({"batch": 0}, "option batch = 0"),
        ({"device": "tpu"}, "option device = 'tpu'"),
        ({"colour": "source"}, "option colour"),
        ({"strength": "much", "crf": -1}, "option strength = 'much'.*; option crf = -1"),
    ],
)
def test_wrong_options_are_named_in_one_line(values: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        RestoreOptions.parse(values)
    assert "\n" not in str(caught.value)


def test_every_error_is_ours_and_a_builtin() -> None:
    for error in GfpvideoError.__subclasses__():
        assert error.exit_code == {StoppedError: 130, ClosedError: 141}.get(error, 2)
        assert issubclass(error, ValueError | OSError | RuntimeError)
