"""Workers that are processes of this machine."""

import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import IO, Protocol, Self

from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.worker import Message
from gfpvideo.stages.threads import cores

News = tuple[int, Message]
"""The number of a worker, and what it tells; ``{"died": "..."}`` comes last of one that is no more."""
_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that say how many threads libraries start."""
_LAST_WORDS = 300
"""Characters of what a worker printed last."""


class Crew(Protocol):
    """Workers, wherever they are."""

    size: int
    """How many there should be."""
    doubles: bool
    """Whether one may do what another is at already, when there is nothing else to do."""

    def start(self) -> int:
        """Start one; its number. It tells when it is ready."""
        ...

    def give(self, worker: int, task: Message) -> None:
        """Have a worker do something; it is not asked whether it lives."""
        ...

    def news(self, timeout: float) -> News | None:
        """What a worker tells, ``None`` if none does for so many seconds."""
        ...

    def kill(self, worker: int) -> None:
        """End a worker at once; nothing is told of it any more."""
        ...


@dataclass
class _Running:
    process: "subprocess.Popen[str]"
    printed: IO[bytes]
    reader: Thread


@dataclass
class Processes:
    """Workers that are processes of this machine; they share its cores, or have a device each. A ``with`` ends them."""

    source: Path
    options: RestoreOptions
    size: int
    doubles: bool = field(default=False, init=False)  # they share a processor: one more would slow down the others
    _running: dict[int, _Running] = field(default_factory=dict)
    _places: dict[int, int] = field(default_factory=dict)
    """Which of the crew's places each worker has."""
    _news: "queue.Queue[News]" = field(default_factory=queue.Queue)
    _started: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self._running):
            self.kill(worker)

    def start(self) -> int:
        """See :class:`Crew`."""
        number, self._started = self._started, self._started + 1
        place = min(set(range(self.size)) - set(self._places.values()))
        printed = tempfile.TemporaryFile()  # noqa: SIM115  # open for as long as the worker lives
        process = subprocess.Popen(
            # -P: no module that lies among the films is taken for Python's own
            [sys.executable, "-P", "-m", "gfpvideo.restoration.jobs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
            encoding="utf-8",
            env=os.environ | dict.fromkeys(_LIBRARIES, str(max(1, len(cores()) // self.size))),
            start_new_session=True,  # Ctrl-C is for who started it
        )
        reader = Thread(target=self._listen, args=(number, process), name="gfpvideo-worker", daemon=True)
        self._running[number], self._places[number] = _Running(process, printed, reader), place
        reader.start()
        device = self.options.devices[place] if self.options.devices else None
        self.give(number, {
            "source": str(self.source.absolute()),
            "options": self.options.model_dump_json(),
            "device": device,
            "cores": shares(sorted(cores()), self.size)[place] if device in (None, "cpu") else None,
        })  # fmt: skip
        return number

    def _listen(self, number: int, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with suppress(ValueError):  # half a line of one that was killed
            for line in process.stdout:
                self._news.put((number, json.loads(line)))
        self._news.put((number, {"died": ""}))

    def give(self, worker: int, task: Message) -> None:
        """See :class:`Crew`."""
        pipe = self._running[worker].process.stdin
        assert pipe is not None
        with suppress(OSError):
            pipe.write(json.dumps(task) + "\n")
            pipe.flush()

    def news(self, timeout: float) -> News | None:
        """See :class:`Crew`."""
        try:
            worker, message = self._news.get(timeout=timeout)
        except queue.Empty:
            return None
        if worker not in self._running:
            return None
        if "died" in message:
            return worker, {"died": self._end(worker)}
        return worker, message

    def kill(self, worker: int) -> None:
        """See :class:`Crew`."""
        self._running[worker].process.kill()
        self._end(worker)

    def _end(self, worker: int) -> str:
        """Forget one that has ended, or is about to; how, in words."""
        running = self._running.pop(worker)
        del self._places[worker]
        code = running.process.wait()
        running.reader.join()
        for pipe in (running.process.stdin, running.process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        with running.printed as printed:
            printed.seek(0)
            words = printed.read().decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return how + (f" ({words.splitlines()[-1]})" if words else "")


def shares(all_cores: Sequence[int], count: int) -> list[list[int]]:
    """Cores for each of ``count`` workers: apart from each other if there are enough, else one each, some shared."""
    if count >= len(all_cores):
        return [[all_cores[place % len(all_cores)]] for place in range(count)]
    ends = [len(all_cores) * place // count for place in range(count + 1)]
    return [list(all_cores[begin:end]) for begin, end in pairwise(ends)]
