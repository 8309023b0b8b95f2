"""Ctrl-C and SIGTERM wait until a step of the training is whole."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Self

_PATIENCE = 2.0
"""Seconds after which a second signal is a second wish: a launcher passes on at once what the terminal has sent."""

Handler = Callable[[int, Any], Any]


class WholeSteps:
    """Within the block, what Ctrl-C and SIGTERM do is put off until :meth:`interrupted` is asked.

    A second signal, some seconds later, acts at once. Signals that no Python function handles are left alone, and so
    are all of them outside the main thread, where Python handles none.
    """

    def __init__(self) -> None:
        self._before: dict[int, Handler] = {}
        self._waiting: int | None = None
        self._since = 0.0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._hold)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._waiting is not None and kind is None:
            self._before[self._waiting](self._waiting, None)

    def _hold(self, number: int, frame: object) -> None:
        if self._waiting is not None and time.monotonic() - self._since > _PATIENCE:
            self._before[number](number, frame)
        elif self._waiting is None:
            self._waiting, self._since = number, time.monotonic()

    def interrupted(self) -> bool:
        """Let a signal that waits act now; whether it interrupts."""
        number, self._waiting = self._waiting, None
        if number is None:
            return False
        try:
            self._before[number](number, None)
        except KeyboardInterrupt:
            return True
        return False


def ignore_interrupts(_: int = 0) -> None:
    """Leave Ctrl-C and SIGTERM, which a terminal or a service manager sends to all processes, to the one that trains.

    That one alone ends who prepares data, by SIGTERM as well; so where the system tells no senders, it still ends them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
