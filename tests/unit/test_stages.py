"""Threads end, errors cross over, queues stay bounded, time is booked where it is spent."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gfpvideo.stages.run import Run
from gfpvideo.stages.threads import importing, run_ahead


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


def test_what_is_imported_beside_is_there_in_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "import sys, threading; sys.may_go_on.wait(10); by = threading.get_ident()"
    (tmp_path / "slow_to_import.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "may_go_on", threading.Event(), raising=False)
    with pytest.raises(OSError, match="beside it"), importing("slow_to_import"):
        assert "by" not in vars(sys.modules.get("slow_to_import", object))
        vars(sys)["may_go_on"].set()
        raise OSError("beside it")
    assert sys.modules["slow_to_import"].by != threading.get_ident()
    with importing("nowhere_to_be_found"):  # whoever needs that says so
        pass


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


class Unclosable:
    """A source that fails, and fails again when it is closed."""

    def __init__(self, *items: int) -> None:
        self._items = iter(items)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        for item in self._items:
            return item
        raise ValueError("broken")

    def close(self) -> None:
        raise OSError("cannot be closed")


def _within(seconds: float, work: Callable[[], object]) -> bool:
    """Whether ``work`` comes to an end in that time."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def test_a_source_that_cannot_be_closed_keeps_nobody_waiting() -> None:
    found: list[BaseException] = []

    def consume() -> None:
        try:
            list(run_ahead(Unclosable(1, 2), 1))
        except ValueError as error:
            found.append(error)

    assert _within(5, consume)
    assert [str(error) for error in found] == ["broken"]


def test_an_error_of_closing_arrives_if_it_is_the_only_one() -> None:
    class Closing(Unclosable):
        def __next__(self) -> int:
            raise StopIteration

    with pytest.raises(OSError, match="cannot be closed"):
        list(run_ahead(Closing(), 1))


def test_leaving_wakes_threads_that_wait_for_each_other() -> None:
    """The last thread waits for the one before it, which waits for a source that says nothing any more.

    Threads are closed from the last to the first: it can end only if the one before it has been told to stop as well.
    """
    silence = threading.Event()

    def silent() -> Iterator[int]:
        yield 0
        yield 1
        silence.wait()

    def leave() -> None:
        with Run() as run, closing(run_ahead(silent(), 2, leave_behind=True)) as source:
            assert next(source) == 0  # begun here, gone on with by another thread
            one = run("one", (item for item in source), thread=True)
            two = run("two", (item for item in one), thread=True)
            assert next(two) == 1

    assert _within(5, leave)
    silence.set()
    _await_no_thread()


def test_leaving_is_no_end_of_the_stream() -> None:
    """A stage that does its work at the end of the stream must not do it because somebody left."""
    silence, finished = threading.Event(), threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        silence.wait()

    def stage(items: Iterator[int]) -> Iterator[int]:
        yield from items
        finished.set()

    with Run() as run, closing(run_ahead(silent(), 2, leave_behind=True)) as source:
        assert next(run("stage", stage(source), thread=True)) == 1
    silence.set()
    _await_no_thread()
    assert not finished.is_set()


def test_a_thread_at_work_is_waited_for() -> None:
    """Nor is it an error to stop an iterator that another thread is waiting for: generators cannot do that."""
    work, at_work = threading.Event(), threading.Event()

    def busy() -> Iterator[int]:
        yield 1
        at_work.set()
        work.wait()
        yield 2

    source = run_ahead(busy(), 1)
    last = run_ahead((item for item in source), 1)
    assert next(last) == 1
    at_work.wait(5)
    source.stop()
    last.close()
    assert _alive() == 1
    work.set()
    source.close()
    assert _alive() == 0


def _alive() -> int:
    return sum(thread.name == "gfpvideo-stage" for thread in threading.enumerate())


def _await_no_thread() -> None:
    deadline = time.monotonic() + 5
    while _alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive()


def test_what_was_never_begun_is_closed() -> None:
    closed: list[bool] = []

    class Source(Unclosable):
        def close(self) -> None:
            closed.append(True)

    run_ahead(Source(), 1).close()
    assert closed == [True]


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
