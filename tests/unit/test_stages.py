"""Threads end, errors cross over, queues stay bounded, time is booked where it is spent."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.stages.run import Run
from gfpvideo.stages.threads import run_ahead


@given(st.lists(st.integers()), st.integers(1, 5))
def test_order_is_kept(items: list[int], depth: int) -> None:
    assert list(run_ahead(iter(items), depth)) == items


def test_it_runs_ahead_but_not_far() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    running = run_ahead(source(), 3)
    assert next(running) == 0
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 5  # one delivered, three queued, one waiting to be queued
    running.close()


def test_an_error_arrives_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    running = run_ahead(source(), 1)
    assert [next(running), next(running)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(running)


def test_stopping_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    running = run_ahead(source(), 2)
    next(running)
    running.close()
    assert closed.is_set()
    assert not any(thread.name == "gfpvideo-stage" for thread in threading.enumerate())


def test_leaving_the_stages_ends_every_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(RuntimeError), Run() as run:
        one = run("one", endless(), thread=True)
        two = run("two", (item + 1 for item in one), thread=True)
        next(two)
        raise RuntimeError
    assert not any(thread.name == "gfpvideo-stage" for thread in threading.enumerate())


def test_time_is_booked_to_the_stage_that_spends_it() -> None:
    def slow() -> Iterator[int]:
        for number in range(5):
            time.sleep(0.02)
            yield number

    def quick(items: Iterator[int]) -> Iterator[int]:
        yield from items

    with Run() as run:
        chained = run("quick", quick(run("slow", slow(), thread=True)))
        assert list(chained) == list(range(5))
        seconds = run.seconds
    assert set(seconds) == {"quick", "slow"}
    assert seconds["slow"] > 0.09
    assert seconds["quick"] < seconds["slow"] / 4
