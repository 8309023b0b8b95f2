"""The one place that starts threads: run an upstream iterator ahead of its consumer, behind a bounded queue."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Generic, TypeVar

Item = TypeVar("Item")

_log = logging.getLogger(__name__)
_NAME = "gfpvideo-stage"
_local = threading.local()
"""``running``: the :class:`Ahead` whose thread this is."""


class _Left(BaseException):
    """Ends a thread that has been told to stop; no stage takes it for a failure that it could deal with."""


class _Channel(Generic[Item]):
    """A bounded queue that ends, and that can be left: whoever waits at either side of it wakes up then."""

    def __init__(self, depth: int) -> None:
        self.left = False
        self._items: deque[Item] = deque()
        self._depth = depth
        self._ended = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Append ``item`` as soon as there is room; whether anybody still wants it."""
        with self._changed:
            self._changed.wait_for(lambda: self.left or len(self._items) < self._depth)
            if not self.left:
                self._items.append(item)
                self._changed.notify_all()
            return not self.left

    def get(self) -> Item:
        """The next item, as soon as there is one; at the end the exception that ended it, once, or StopIteration."""
        with self._changed:
            self._changed.wait_for(lambda: self.left or self._items or self._ended)
            if self._items:
                self._changed.notify_all()
                return self._items.popleft()
            error, self._error = self._error, None
        raise StopIteration if error is None or self.left else error

    def end(self, error: BaseException | None) -> None:
        """Nothing follows but ``error``."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def leave(self) -> None:
        """Nobody wants anything any more."""
        with self._changed:
            self.left = True
            self._items.clear()
            self._changed.notify_all()


class Ahead(Iterator[Item]):
    """An iterator that runs in a thread of its own; see :func:`run_ahead`."""

    def __init__(self, upstream: Iterator[Item], depth: int, leave_behind: bool) -> None:
        self._upstream, self._leave_behind = upstream, leave_behind
        self._channel: _Channel[Item] = _Channel(depth)
        self._consumer: Ahead | None = None
        self._sources: list[Ahead] = []
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)

    def __next__(self) -> Item:
        """The next item; the first call starts the thread."""
        self._meet(getattr(_local, "running", None))
        if self._thread.ident is None and not self.stopped:
            self._thread.start()
        try:
            return self._channel.get()
        except StopIteration:
            if stopped():  # no end of the stream: what is above must not bring its work to an end
                raise _Left from None
            raise

    def close(self) -> None:
        """Stop; when this returns the source is closed and the thread has ended, unless it may be left behind."""
        self.stop()
        if self._thread.ident is None:
            _close(self._upstream)
        elif not self._leave_behind:
            self._thread.join()

    def stop(self) -> None:
        """Tell the thread to stop, and all those that it takes items from; nobody waits for items any more."""
        self._channel.leave()
        for source in list(self._sources):
            source.stop()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._channel.left

    def _meet(self, consumer: "Ahead | None") -> None:
        """Let ``consumer``, whose thread asks for an item, know whom to stop; others may have asked before."""
        if consumer is not None and consumer is not self._consumer:
            self._consumer = consumer
            consumer._take_from(self)

    def _take_from(self, source: "Ahead") -> None:
        self._sources.append(source)
        if self.stopped:  # told so before ``source`` was in the list
            source.stop()

    def _run(self) -> None:
        _local.running = self
        failures = [_failure(self._hand_on), _failure(lambda: _close(self._upstream))]
        errors = [error for error in failures if error is not None]
        if self.stopped and errors and not isinstance(errors[0], _Left):
            _log.debug("an error that nobody waits for any more", exc_info=errors[0])
        self._channel.end(errors[0] if errors else None)

    def _hand_on(self) -> None:
        for item in self._upstream:
            if not self._channel.put(item):
                return


def _failure(work: Callable[[], None]) -> BaseException | None:
    try:
        work()
    except BaseException as error:  # whatever it is, the consumer gets it
        return error
    return None


def _close(upstream: Iterator[Item]) -> None:
    close = getattr(upstream, "close", None)
    if close is not None:
        close()


def stopped() -> bool:
    """Whether the thread that asks runs an iterator ahead, and has been told to stop."""
    running: Ahead | None = getattr(_local, "running", None)
    return running is not None and running.stopped


def threads_left() -> bool:
    """Whether a thread of :func:`run_ahead` still runs: one that was left behind, or was not waited for."""
    return any(thread.name == _NAME for thread in threading.enumerate())


def cores() -> set[int]:
    """Numbers of the processor's cores that this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def side_by_side(tasks: Sequence[Callable[[], Item]]) -> list[Item]:
    """The results of ``tasks``, in order, each run in a thread of its own; raises the first exception once all end."""
    if len(tasks) == 1:
        return [tasks[0]()]
    with ThreadPoolExecutor(len(tasks), thread_name_prefix="gfpvideo-side") as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


@contextmanager
def importing(module: str) -> Iterator[None]:
    """Import what will be needed soon beside the work of a ``with`` block, and be done with both at its end."""

    def work() -> None:
        with suppress(ImportError):  # whoever needs it says so
            import_module(module)

    thread = threading.Thread(target=work, name="gfpvideo-import")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def run_ahead(upstream: Iterator[Item], depth: int, *, leave_behind: bool = False) -> Ahead[Item]:
    """Iterate over ``upstream`` in a thread of its own, at most ``depth`` items ahead.

    An exception of ``upstream``, or of its ``close``, is raised here, after the items before it. Whoever stops early
    calls ``close``. It tells this thread to stop, and those of the iterators run ahead that this thread takes items
    from, all at once and before it waits for any: nobody waits for an item that will not come. When it returns,
    ``upstream`` is closed and the thread has ended. What has been told to stop ends after the item at work.

    Args:
        upstream: the iterator to run; only the thread touches it from now on.
        depth: size of the queue, at least 1.
        leave_behind: whether ``close`` need not wait for the thread. Right for an iterator that does nothing but read
            what others write (a pipe), which nothing can interrupt and which nobody else uses: the thread sits in the
            system, holds nothing but the piece that it reads, and ends with that or with the program.
    """
    return Ahead(upstream, depth, leave_behind)
