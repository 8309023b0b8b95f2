"""Chain stages: measure each one, run some ahead in threads, and end them all together."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Self, TypeVar

from gfpvideo.stages.threads import run_ahead

Item = TypeVar("Item")

_QUEUE = 4
"""Items that wait between two threads."""
_WAITING = "waiting"
_END = object()


class Run:
    """The running stages of one restoration; leaving the ``with`` block ends every thread among them."""

    def __init__(self, *, threads: bool = True) -> None:
        """Nothing runs yet.

        Args:
            threads: whether stages may run ahead at all; without, all run where their result is asked for.
        """
        self._threads = threads
        self._exits = ExitStack()
        self._spent: dict[str, float] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each stage has worked, not counting the stages before it."""
        return {name: spent for name, spent in self._spent.items() if name != _WAITING}

    def __call__(self, name: str, stage: Iterator[Item], *, thread: bool = False) -> Iterator[Item]:
        """``stage``, its time booked under ``name``; with ``thread`` it runs ahead, and what is before it with it."""
        timed = self._timed(name, stage)
        if not (thread and self._threads):
            return timed
        return self._timed(_WAITING, self._exits.enter_context(closing(run_ahead(timed, _QUEUE))))

    def _timed(self, name: str, stage: Iterator[Item]) -> Iterator[Item]:
        while (item := self._next(name, stage)) is not _END:
            yield item  # type: ignore[misc]  # anything but the end marker is an item

    def _next(self, name: str, stage: Iterator[Item]) -> Item | object:
        """The stage's next item; time spent in stages below it in the same thread is booked to them."""
        inner = self._stack()
        inner.append(0.0)
        started = time.perf_counter()
        try:
            return next(stage, _END)
        finally:
            elapsed = time.perf_counter() - started
            own = elapsed - inner.pop()
            if inner:
                inner[-1] += elapsed
            with self._lock:
                self._spent[name] = self._spent.get(name, 0.0) + own

    def _stack(self) -> list[float]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack
