"""Times of copied packets: kept, unless they step back, which no container holds."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.media.timing import PacketRepair

BASE = Fraction(1, 1000)


def packet(dts: int, stream: int = 0, duration: int = 40, kind: str = "audio") -> Any:
    """What is looked at of a packet of a file."""
    named = SimpleNamespace(type=kind)
    return SimpleNamespace(dts=dts, pts=dts + 2, duration=duration, time_base=BASE, stream_index=stream, stream=named)


def mended(packets: Sequence[Any]) -> PacketRepair:
    repair = PacketRepair()
    assert list(repair(packets)) == packets
    return repair


def recording(seconds: int, subtitles: Sequence[int] = ()) -> list[Any]:
    """Picture and sound twice a second each, and subtitles at some seconds."""
    found = []
    for ticks in range(0, 1000 * seconds, 500):
        found += [packet(ticks, 0, 500, "video"), packet(ticks, 1, 500)]
        if ticks / 1000 in subtitles:
            found.append(packet(ticks, 2, 100, "subtitle"))
    return found


def of_stream(packets: Sequence[Any], stream: int) -> list[int]:
    return [each.dts for each in packets if each.stream_index == stream]


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


@pytest.mark.parametrize(
    ("came", "given"),
    [
        ((0, 100, 90, 140), (0, 100, 101, 140)),
        ((0, 100, 90, 101), (0, 100, 101, 102)),
        ((0, 1000, 101_000, 1040, 2000), (0, 1000, 1001, 1040, 2000)),
        ((0, 1000, 100, 1040, 2000), (0, 1000, 1001, 1040, 2000)),
    ],
    ids=["a little", "no room", "far ahead", "far back"],
)
def test_a_packet_that_is_astray_is_moved_alone(came: tuple[int, ...], given: tuple[int, ...]) -> None:
    packets = [packet(each) for each in came]
    repair = mended(packets)
    assert tuple(each.dts for each in packets) == given
    assert set(repair.repaired) == {0}
    assert repair.findings([]) == []


def test_a_gap_in_all_streams_is_kept() -> None:
    ticks = [0, 500, 1000, 90_000, 90_500]
    packets = [packet(each, stream) for each in ticks for stream in (0, 1)]
    repair = mended(packets)
    assert of_stream(packets, 0) == of_stream(packets, 1) == ticks
    assert repair.findings([]) == []


@pytest.mark.parametrize(
    ("subtitles", "given"),
    [
        (([2], [5], []), [2, 25]),
        (([], [5], []), [25]),
        (([3], [], [5]), [3, 45]),
        (([2, 4], [1], [0, 3]), [2, 4, 21, 40, 43]),
    ],
    ids=["later than before", "first of all", "after two joins", "back each time"],
)
def test_what_comes_seldom_goes_with_the_rest(subtitles: tuple[list[int], ...], given: list[int]) -> None:
    packets = [each for told in subtitles for each in recording(20, told)]
    repair = mended(packets)
    assert of_stream(packets, 0) == of_stream(packets, 1) == list(range(0, 60_000, 500))
    assert of_stream(packets, 2) == [1000 * second for second in given]
    assert repair.repaired == {}
    assert "begins anew 2 times" in repair.findings([])[0]


def test_subtitles_that_are_out_of_order_are_no_join() -> None:
    packets = [*recording(8, [5]), packet(3000, 2, 100, "subtitle"), packet(8000, 0), packet(8000, 1)]
    repair = mended(packets)
    assert of_stream(packets, 2) == [5000, 5001]
    assert packets[-1].dts == 8000
    assert repair.repaired == {2: 1}


def test_sound_stays_with_the_picture_where_the_clock_begins_anew() -> None:
    """The sound ended 15 ms before the picture; beginning together again, both do so after the picture's end."""
    first = [packet(each) for each in (0, 1000)] + [packet(each, 1, 25) for each in (0, 1000)]
    second = [packet(0), packet(0, 1, 25), packet(40), packet(25, 1, 25)]
    repair = mended([*first, *second])
    assert [each.dts for each in second] == [1040, 1040, 1080, 1065]
    assert repair.repaired == {}
    assert "begins anew 1 times" in repair.findings([])[0]
