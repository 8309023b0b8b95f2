"""Times of copied packets: kept, unless they step back, which no container holds."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.media.timing import PacketRepair

BASE = Fraction(1, 1000)


def packet(dts: int, stream: int = 0, duration: int = 40) -> Any:
    """What is looked at of a packet of a file."""
    return SimpleNamespace(dts=dts, pts=dts + 2, duration=duration, time_base=BASE, stream_index=stream)


def mended(packets: Sequence[Any]) -> PacketRepair:
    repair = PacketRepair()
    for each in packets:
        repair(each)
    return repair


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_times_that_do_not_step_back_are_kept(ticks: list[int]) -> None:
    """Equal ones as well: two subtitles may begin together."""
    packets = [packet(each) for each in sorted(ticks)]
    repair = mended(packets)
    assert [each.dts for each in packets] == sorted(ticks)
    assert all(each.pts == each.dts + 2 for each in packets)
    assert repair.findings([]) == []


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_nothing_steps_back(ticks: list[int]) -> None:
    packets = [packet(each) for each in ticks]
    mended(packets)
    assert all(before.dts <= after.dts for before, after in pairwise(packets))


def test_a_little_step_back_moves_that_packet_alone() -> None:
    packets = [packet(each) for each in (0, 100, 90, 140)]
    repair = mended(packets)
    assert [each.dts for each in packets] == [0, 100, 101, 140]
    assert repair.repaired == {0: 1}


def test_sound_stays_with_the_picture_where_the_clock_begins_anew() -> None:
    """The sound ended 15 ms before the picture; beginning together again, both do so after the picture's end."""
    first = [packet(each) for each in (0, 1000)] + [packet(each, 1, 25) for each in (0, 1000)]
    second = [packet(0), packet(0, 1, 25), packet(40), packet(25, 1, 25)]
    repair = mended([*first, *second])
    assert [each.dts for each in second] == [1040, 1040, 1080, 1065]
    assert repair.repaired == {}
    assert "begins anew 1 times" in repair.findings([])[0]
