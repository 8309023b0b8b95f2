"""The one place that starts threads: run an upstream iterator ahead of its consumer, behind a bounded queue."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Generic, TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.1
"""How often a blocked producer looks whether its consumer has gone."""


class _End:
    """Marks the end of the stream; carries the exception that ended it, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Producer(Generic[Item]):
    def __init__(self, upstream: Iterator[Item], depth: int) -> None:
        self._upstream = upstream
        self._queue: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gfpvideo-stage", daemon=True)

    def _put(self, item: Item | _End) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def _run(self) -> None:
        try:
            for item in self._upstream:
                if not self._put(item):
                    break
        except BaseException as error:  # whatever it is, the consumer gets it
            end = _End(error)
        else:
            end = _End()
        finally:
            close = getattr(self._upstream, "close", None)
            if close is not None:
                close()
        self._put(end)

    def items(self) -> Iterator[Item]:
        self._thread.start()
        while not isinstance(item := self._queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def close(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()


def side_by_side(tasks: Sequence[Callable[[], Item]]) -> list[Item]:
    """The results of ``tasks``, in order, each run in a thread of its own; raises the first exception once all end."""
    if len(tasks) == 1:
        return [tasks[0]()]
    with ThreadPoolExecutor(len(tasks), thread_name_prefix="gfpvideo-side") as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def run_ahead(upstream: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """Iterate over ``upstream`` in a thread of its own, at most ``depth`` items ahead.

    An exception of ``upstream`` is raised here, after the items before it. When the consumer stops early (or is
    interrupted), ``upstream`` is closed and the thread has ended before this generator's ``close`` returns.

    Args:
        upstream: the iterator to run; only the thread touches it from now on.
        depth: size of the queue, at least 1.
    """
    with closing(_Producer(upstream, depth)) as producer:
        yield from producer.items()
