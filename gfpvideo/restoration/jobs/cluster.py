"""Workers that Ray keeps on the machines of a cluster.

Ray places them, starts them again elsewhere when a machine is lost, and carries the lines of JSON that they hear and
tell; what they do, :mod:`.worker` says, and who does what, :mod:`.foreman`. Each is an actor: it keeps its networks
from one film to the next. Films and work folders lie on storage that all machines share.
"""

import json
import logging
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from gfpvideo.errors import EngineError, GfpvideoError, OptionError, bug
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.events import FrameDone
from gfpvideo.restoration.jobs.crew import News, shares
from gfpvideo.restoration.jobs.folder import in_use, work_folder
from gfpvideo.restoration.jobs.worker import Message, Worker, failed, wait_for
from gfpvideo.stages.threads import cores

_log = logging.getLogger(__name__)
_RESTARTS = 4
"""Times that Ray starts a worker again; after that the foreman has a say, for loading may be what it dies of."""
_EARS = "ears"
"""The thread of a worker in which it is told to stop while it is at something."""
_MOST_NEWS = 50
"""Pieces of news a second that all workers together tell, about: one program hears them all."""
_ATTEMPTS = "1"
"""How often Ray tries to reach a cluster, half a minute each time; it has twenty, ten minutes without a word."""
_LEASE = 120.0
"""Seconds after which storage gives free what a lost machine has locked; NFS takes 90."""
_LONG = 60.0
"""Seconds of waiting for a first worker after which the user is told."""


@dataclass(frozen=True)
class Machine:
    """What Ray knows of a machine."""

    name: str
    """Ray's own name of it."""
    cores: int
    gpus: int


@dataclass(frozen=True)
class Place:
    """Where a worker belongs."""

    machine: str
    cores: int
    """Those that Ray sets aside for it."""
    gpu: bool
    """Whether it has a GPU to itself."""
    part: int
    parts: int
    """It is one of so many on that machine."""


def places(machines: Sequence[Machine], workers: int | None, *, gpus: bool) -> list[Place]:
    """Where workers belong: one on each GPU, or if there are none on each machine.

    Args:
        machines: the cluster.
        workers: how many instead; machines with more cores, or GPUs, get more.
        gpus: whether networks may run on GPUs.

    Raises:
        OptionError: if there is not so much room.
    """
    on_gpus = gpus and any(machine.gpus for machine in machines)
    room = {machine: machine.gpus if on_gpus else machine.cores for machine in machines}
    room = {machine: count for machine, count in room.items() if count}
    if not room:
        raise EngineError("the cluster has no machine with a core for a worker: add one with ray start --address")
    if workers is None:
        counts = Counter(room if on_gpus else dict.fromkeys(room, 1))
    else:
        counts = _dealt(room, workers, "GPUs" if on_gpus else "cores")
    return [
        Place(machine.name, machine.cores // count, on_gpus, part, count)
        for machine, count in counts.items()
        for part in range(count)
    ]


def _dealt(room: dict[Machine, int], workers: int, what: str) -> Counter[Machine]:
    if workers > sum(room.values()):
        raise OptionError(f"option workers = {workers}: the cluster has {sum(room.values())} {what}; give fewer")
    counts: Counter[Machine] = Counter()
    for _ in range(workers):
        free = (machine for machine in room if counts[machine] < room[machine])
        counts[max(free, key=lambda machine: room[machine] / (counts[machine] + 1))] += 1
    return counts


class Hand:
    """A worker as an actor."""

    def __init__(self, part: int, parts: int) -> None:
        """Keep to a share of the machine's cores, if there are others on it."""
        if parts > 1 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, shares(sorted(cores()), parts)[part])
        self._worker: Worker | None = None
        self._options = RestoreOptions()
        self._job: str | None = None
        """What it is ready for."""

    def ready(self, job: str) -> str:
        """Load networks, unless they are loaded; what it is then."""
        self._job = None
        source, options, often = json.loads(job)
        kept = None if self._worker is None else self._worker.parts
        try:
            self._options = RestoreOptions.model_validate_json(options)
            self._worker = Worker(None if source is None else Path(source), self._options, parts=kept)
        except GfpvideoError as error:
            return json.dumps(failed(error))
        self._worker.often = often
        self._job = job
        return json.dumps(self._worker.ready())

    def do(self, job: str, task: str) -> Iterator[str]:
        """Do a task of the job that it was last made ready for; tells how it gets on."""
        if self._worker is None or job != self._job:  # Ray has started it again since, or called it again, late
            yield json.dumps({"died": "and was started again"})
            return
        told = json.loads(task)
        for message in self._whole(self._worker, **told["whole"]) if "whole" in told else self._worker.do(told):
            yield json.dumps(message)

    def _whole(self, worker: Worker, source: str, target: str, again: bool) -> Iterator[Message]:
        """Restore a film by itself; ``again``: go on where another was lost."""
        from gfpvideo.restoration.run import Job

        if again:  # the storage may take a while to see that nobody owns the work folder any more
            wait_for(lambda: not in_use(work_folder(Path(target))), _LEASE)
        options = self._options.model_copy(update={"resume": again or self._options.resume})
        job = Job(source, target, options, worker.parts, stop=worker.stop)
        faces, told = 0, time.monotonic()
        try:
            for event in job.run():
                faces += len(event.restored.patches) if isinstance(event, FrameDone) else 0
                if isinstance(event, FrameDone) and time.monotonic() - told >= worker.often:
                    told = time.monotonic()
                    yield {"frames": event.done, "faces": faces}
        except GfpvideoError as error:
            yield failed(error)
        except Exception as error:
            _log.exception("%s: restoring it failed", source)
            text = f"{source}: {bug(error)}"
            yield failed(GfpvideoError(text))
        else:
            yield {"whole": {name: value for name, value in vars(job.report).items() if not name.startswith("_")}}

    def stop(self) -> None:
        """Begin nothing more of the task at work."""
        if self._worker is not None:
            self._worker.stop.set()


class Cluster:
    """A Ray cluster and our workers on it; a ``with`` ends those, and leaves it."""

    def __init__(self, options: RestoreOptions) -> None:
        """Join it.

        Raises:
            OptionError: if Ray is not installed, or ``options.workers`` does not fit.
            EngineError: if the cluster cannot be reached.
        """
        if find_spec("ray") is None:
            raise OptionError('option cluster: ray is not installed; get it with: pip install "gfpvideo[cluster]"')
        assert options.cluster is not None
        self._leaves = _join(options.cluster)
        try:
            workers = options.workers if options.changed("workers") else None
            self.places = places(machines(), workers, gpus=options.device != "cpu" and options.engine != "openvino")
        except GfpvideoError:
            self.leave()
            raise
        self._hands: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """End our workers."""
        import ray

        for place in list(self._hands):
            self.dismiss(place)
        if self._leaves:
            ray.shutdown()

    def hand(self, place: int) -> Any:
        """The actor at a place."""
        if place not in self._hands:
            self._hands[place] = _hired(self.places[place])
        return self._hands[place]

    def dismiss(self, place: int) -> None:
        """Have nobody at a place; whoever is asked for there next is a new one."""
        import ray.exceptions

        with suppress(ray.exceptions.RayError):
            ray.kill(self._hands.pop(place))

    def interrupt(self, place: int) -> None:
        """Have Ray end a worker and start it again."""
        import ray.exceptions

        with suppress(ray.exceptions.RayError):
            ray.kill(self._hands[place], no_restart=False)

    def crew(self, source: Path | None, options: RestoreOptions) -> "Hands":
        """The workers, to restore one film together; ``None``: films, each by itself."""
        return Hands(self, source, options, len(self.places))


@dataclass
class Hands:
    """The workers of a cluster at one film; implements :class:`~gfpvideo.restoration.jobs.crew.Crew`."""

    cluster: Cluster
    source: Path | None
    options: RestoreOptions
    size: int
    doubles: bool = field(default=True, init=False)
    _places: dict[int, int] = field(default_factory=dict)
    """Which place each worker has."""
    _listening: dict[Any, int] = field(default_factory=dict)
    """What Ray will give news by (the result of a call, or one that yields), and whose."""
    _heard: deque[Any] = field(default_factory=deque)
    """Those of them that have news."""
    _started: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _told: bool = False
    """Whether any has been heard of, or the user has been told that none has."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        while self.news(0.1) is not None:  # calls that are over say so
            pass
        at_work = [worker for call, worker in self._listening.items() if isinstance(call, ray.ObjectRefGenerator)]
        for worker in set(at_work):  # nobody waits for what they are at
            self.kill(worker)

    def start(self) -> int:
        """See :class:`~gfpvideo.restoration.jobs.crew.Crew`."""
        number, self._started = self._started, self._started + 1
        place = min(set(range(self.size)) - set(self._places.values()))
        self._places[number] = place
        call = self.cluster.hand(place).ready.options(max_task_retries=-1)  # it waits until Ray has one there
        self._listening[call.remote(self._job)] = number
        return number

    @cached_property
    def _job(self) -> str:
        """What workers are made ready for."""
        source = None if self.source is None else str(self.source.absolute())
        options = self.options.model_copy(update={"cluster": None, "workers": 1})
        return json.dumps([source, options.model_dump_json(), max(0.2, self.size / _MOST_NEWS)])

    def give(self, worker: int, task: Message) -> None:
        """See :class:`~gfpvideo.restoration.jobs.crew.Crew`."""
        hand = self.cluster.hand(self._places[worker])
        if "stop" in task:
            hand.stop.options(concurrency_group=_EARS).remote()
            return
        # Not tried again by Ray, which would wait for this very worker: the foreman gives it to whoever is free.
        call = hand.do.options(num_returns="streaming", max_task_retries=0)
        self._listening[call.remote(self._job, json.dumps(task))] = worker

    def news(self, timeout: float) -> News | None:
        """See :class:`~gfpvideo.restoration.jobs.crew.Crew`."""
        if not self._heard:
            self._listen(timeout)
        while self._heard:
            source = self._heard.popleft()
            if source in self._listening:
                worker, message = self._listening[source], self._message(source)
                if message is not None:
                    return self._noted(worker, message)
        return None

    def kill(self, worker: int) -> None:
        """See :class:`~gfpvideo.restoration.jobs.crew.Crew`."""
        self.cluster.interrupt(self._places[worker])
        self._forget(worker)

    def _listen(self, timeout: float) -> None:
        import ray

        if not self._told and time.monotonic() - self._begun > _LONG:
            self._told = True
            _log.warning("still waiting for a worker: is the cluster busy? (ray status)")
        if not self._listening:
            time.sleep(timeout)
            return
        waiting = list(self._listening)
        if ray.wait(waiting, num_returns=1, timeout=timeout)[0]:
            self._heard.extend(ray.wait(waiting, num_returns=len(waiting), timeout=0)[0])

    def _message(self, source: Any) -> Message | None:
        """What a call has to tell next; ``None``: it is over."""
        import ray.exceptions

        try:
            if isinstance(source, ray.ObjectRefGenerator):
                return _said(next(source))
            message = _said(source)
            del self._listening[source]
            return message
        except StopIteration:
            del self._listening[source]
            return None
        except ray.exceptions.RayTaskError as error:
            return {"crashed": str(error)}
        except ray.exceptions.RayError as error:
            return {"died": _last_line(error), "gone": isinstance(error, ray.exceptions.ActorDiedError)}

    def _noted(self, worker: int, message: Message) -> News:
        self._told = True
        if "died" not in message:
            return worker, message
        if message.get("gone"):
            self.cluster.dismiss(self._places[worker])
        self._forget(worker)
        return worker, {"died": message["died"]}

    def _forget(self, worker: int) -> None:
        del self._places[worker]
        for source in [source for source, whose in self._listening.items() if whose == worker]:
            del self._listening[source]


def machines() -> list[Machine]:
    """The machines of the cluster that this program has joined."""
    import ray

    found = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return [Machine(name, int(has.get("CPU", 0)), int(has.get("GPU", 0))) for name, has in found]


def _hired(place: Place) -> Any:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote  # its types know no concurrency groups
    there = NodeAffinitySchedulingStrategy(place.machine, soft=True)  # elsewhere once that machine is lost
    actor = remote(max_restarts=_RESTARTS, concurrency_groups={_EARS: 1})(Hand)
    placed = actor.options(num_cpus=place.cores, num_gpus=int(place.gpu), scheduling_strategy=there)
    return placed.remote(place.part, place.parts)


def _said(result: Any) -> Message:
    """What a worker said."""
    import ray

    text: Any = ray.get(result)
    return json.loads(text)


def _join(address: str) -> bool:
    """Join a cluster, unless this program has done so already; whether it is ours to leave.

    Raises:
        EngineError: if it cannot be reached.
    """
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", _ATTEMPTS)
    import ray
    import ray._private.worker
    import ray.exceptions

    if ray.is_initialized():
        return False
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray._private.worker.print_to_stdstream = _heard_of_ray
    with _our_signals():
        try:
            ray.init(address, log_to_driver=False, configure_logging=False)
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"--cluster {address}: cannot be joined from here ({_last_line(error)}); this machine must belong to"
                " the cluster: ray start --address=HOST:PORT"
            ) from None
    return True


def _heard_of_ray(data: dict[str, Any], *_: object, **__: object) -> None:
    """What Ray would print about workers and machines: pages of it, of which we tell what matters ourselves."""
    _log.info("ray: %s", " ".join(data.get("lines", [])))


@contextmanager
def _our_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
