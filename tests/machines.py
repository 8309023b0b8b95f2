"""A Ray cluster of several machines on this one, for tests."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_MEMORY = 80 << 20
"""Bytes of each machine's object store; nothing large goes through it."""
_NICENESS = "RAY_worker_niceness"
_ATTEMPTS = 3
"""How often a machine is started: Ray allows it half a minute, which a busy processor may not keep."""


class Machines:
    """A cluster: a head that does no work, and machines with a core each."""

    def __init__(self, count: int, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        common = {"object_store_memory": _MEMORY, "include_dashboard": False}
        self._cluster: Any = Cluster()
        self._common = common
        self._add(num_cpus=0, temp_dir=str(folder))
        self._nodes = [self._add(num_cpus=1) for _ in range(count)]

    @property
    def address(self) -> str:
        return self._cluster.address

    def kill(self, worker: int) -> None:
        """Lose the machine of a worker, with all that runs on it, by SIGKILL."""
        raylet = _parent(worker)
        (lost,) = [node for node in self._nodes if node.all_processes["raylet"][0].process.pid == raylet]
        os.kill(worker, signal.SIGKILL)
        self._nodes.remove(lost)
        self._cluster.remove_node(lost, allow_graceful=False)

    def end(self) -> None:
        self._cluster.shutdown()

    def _add(self, **values: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return self._cluster.add_node(**self._common, **values)
            except Exception:
                if attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    """A cluster with its files in a folder of its own; the paths of its sockets must be short."""
    os.environ[_NICENESS] = "0"  # workers of a test need not make way for others
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    cluster: Machines | None = None
    try:
        cluster = Machines(count, folder)
        yield cluster
    finally:
        if cluster is not None:
            cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
        del os.environ[_NICENESS]


def workers() -> list[int]:
    """Processes of our workers on all machines, by the name that Ray gives them."""
    found = []
    for item in Path("/proc").iterdir():
        try:
            if item.name.isdigit() and b"ray::Hand" in (item / "cmdline").read_bytes():
                found.append(int(item.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def writing(suffix: str) -> list[int]:
    """Those of the workers that have a file open whose name ends so."""
    found = []
    for worker in workers():
        try:
            files = [file.readlink() for file in Path(f"/proc/{worker}/fd").iterdir()]
        except OSError:
            continue
        found += [worker] * any(file.suffix == suffix for file in files)
    return found


def wait_until(done: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
