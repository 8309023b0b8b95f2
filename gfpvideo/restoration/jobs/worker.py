"""A worker: it loads the networks once, and then follows a film or restores segments of it, as it is told.

As a program (``python -m gfpvideo.restoration.jobs.worker``) it hears and tells lines of JSON: started by name, not
forked, it shares nothing with who started it, and ends with it.
"""

import json
import os
import platform
import queue
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any, TextIO

from gfpvideo.errors import GfpvideoError, InputError
from gfpvideo.frames import RestoredFrame
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.pieces import Segments, follow_all
from gfpvideo.restoration.load import Parts, load_parts

Message = dict[str, Any]
"""What a worker is told, and tells; JSON.

It is told ``{"film": {...}}`` (what to restore, and in which work folder), ``{"follow": true}`` and
``{"segments": [7, 9], "seen": 2400}`` (the last is left out; so many frames have been followed), and while it is at
that ``{"stop": true}``: not to begin another. It
tells ``{"ready": {...}}`` once it has networks, on the way ``{"followed": 120}``, ``{"frames": 3, "faces": 4}`` of a
segment and ``{"segment": 7}`` when that is written, and at the end of each task ``{"done": {...}}`` or
``{"failed": {...}}``.
"""
_OFTEN = 0.2
"""Seconds from one piece of news to the next, at least."""
_SHARED = 90.0
"""Seconds after which all machines see what one has written to storage that they share; NFS looks every 60."""


class Worker:
    """Does what it is told, and tells of it."""

    def __init__(
        self, source: Path | None, options: RestoreOptions, device: str | None = None, parts: Parts | None = None
    ) -> None:
        """Load the networks.

        Args:
            source: the film; ``None`` for one that restores films by itself.
            options: how it is restored.
            device: where the networks run instead of where the options say.
            parts: networks that are loaded already, used again if they are those that the options name.

        Raises:
            GfpvideoError: if they cannot be loaded, or the film not be read.
        """
        own = options if device is None else options.model_copy(update={"device": device, "devices": ()})
        self._source, self._own = source, own
        self.parts = parts if parts is not None and parts.fit(own) else load_parts(own)
        self._fingerprint = None if source is None else Fingerprint.of(source, options, self.parts.generator)
        self._segments: Segments | None = None
        self._followed: Followed | None = None
        self.stop = Flag()
        """When it is set, no other segment is begun."""
        self.often = _OFTEN
        """Seconds from one piece of news to the next, at least."""

    def ready(self) -> Message:
        """What it is: all that the pictures which it makes depend on."""
        generator = self.parts.generator
        fingerprint = None if self._fingerprint is None else self._fingerprint.model_dump(mode="json")
        return {"ready": {"fingerprint": fingerprint, "model": generator.model.name, "engine": generator.engine.name}}

    def do(self, task: Message) -> Iterator[Message]:
        """Do one task; tells how it gets on, and in the end that it is done, or why it failed."""
        try:
            yield from self._done(task)
        except GfpvideoError as error:
            yield failed(error)

    def _done(self, task: Message) -> Iterator[Message]:
        if "film" in task:
            self._begin(**task["film"])
            return
        assert self._segments is not None
        assert self._followed is not None
        if "follow" in task:
            yield from self._now_and_then(self._follow())
        else:
            self._see(task["seen"])
            yield from self._restore(range(*task["segments"]))
        yield {"done": {"warnings": self._segments.warnings, "stages": self._segments.seconds}}

    def _begin(self, folder: str, length: int, only: list[int]) -> None:
        if not wait_for(Path(folder).is_dir, _SHARED):
            raise InputError(
                f"{folder}: the machine {platform.node()} does not see it: source and target must lie on storage that"
                " all machines share, under the same path"
            )
        assert self._source is not None
        options = self._own.model_copy(update={"only": tuple(only)})
        self._segments = Segments(self._source, Path(folder), length, self.parts, options)
        self._followed = Followed(Path(folder), length)

    def _see(self, end: int) -> None:
        """Wait until what others have followed is seen here, which on shared storage may take a while."""
        segments = self._segments
        assert segments is not None
        if not wait_for(lambda: segments.followed_to() >= end, _SHARED):
            raise InputError(
                f"{self._source}: the machine {platform.node()} does not see what was followed in it until frame {end};"
                " is the storage that the machines share in order?"
            )

    def _follow(self) -> Iterator[Message]:
        assert self._segments is not None
        assert self._followed is not None
        assert self._source is not None
        for count in follow_all(self._source, self._followed, self.parts, self._own, self._segments.seconds):
            yield {"followed": count}

    def _restore(self, numbers: range) -> Iterator[Message]:
        assert self._segments is not None
        frames = faces = 0
        told = time.monotonic()
        for item in self._segments.make(numbers, self.stop):
            if not isinstance(item, RestoredFrame):
                frames = faces = 0
                yield {"segment": item.number}
                continue
            frames, faces = frames + 1, faces + len(item.patches)
            if time.monotonic() - told >= self.often:
                told = time.monotonic()
                yield {"frames": frames, "faces": faces}

    def _now_and_then(self, news: Iterator[Message]) -> Iterator[Message]:
        told = 0.0
        for message in news:
            if time.monotonic() - told >= self.often:
                told = time.monotonic()
                yield message


def wait_for(done: Callable[[], bool], seconds: float) -> bool:
    """Whether something comes true within so many seconds."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(1.0, 2 * pause)
    return True


def failed(error: GfpvideoError) -> Message:
    """What to tell of an error that was raised on purpose."""
    return {"failed": {"kind": type(error).__name__, "text": str(error)}}


def main() -> None:
    """Work for whoever is at the other end of standard input and output."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    tasks = _Tasks(sys.stdin)
    try:
        first = next(tasks)
        _share_cores(first["cores"])
        worker = Worker(Path(first["source"]), RestoreOptions.model_validate_json(first["options"]), first["device"])
        tasks.stop = worker.stop
        _tell(out, worker.ready())
        for task in tasks:
            for message in worker.do(task):
                _tell(out, message)
    except GfpvideoError as error:
        _tell(out, failed(error))
    except BrokenPipeError:
        pass
    except Exception:
        _tell(out, {"crashed": traceback.format_exc()})


def _share_cores(cores: Iterable[int] | None) -> None:
    """Keep to some of the processor's cores: all libraries count those that they may use."""
    if cores is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _tell(out: TextIO, message: Message) -> None:
    with suppress(BrokenPipeError):
        out.write(json.dumps(message) + "\n")
        out.flush()


class _Tasks(Iterator[Message]):
    """Tasks as they come; when no more can, since who gives them has gone, the program ends whatever it does."""

    def __init__(self, source: TextIO) -> None:
        self.stop = Flag()
        self._waiting: queue.Queue[Message] = queue.Queue()
        self._source = source
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._source:
            message = json.loads(line)
            if "stop" in message:
                self.stop.set()
            else:
                self._waiting.put(message)
        os._exit(0)

    def __next__(self) -> Message:
        return self._waiting.get()


if __name__ == "__main__":
    main()
