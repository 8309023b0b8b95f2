"""How a film of an hour, and an archive of 10,000 reels, scale from 1 to 1,000 workers, and what is in the way first.

    python benchmarks/scaling.py --json docs/images/scaling.json --plot docs/images/scaling.png

1. Measured on this machine: following a frame, all of a restored frame but the generator, a face in the published 512
   network (random weights: speed does not depend on them), joining, what the work folder takes, and what a piece of
   news costs who gives out the work, over a real Ray.
2. Real Ray, workers that sleep as long as was measured (all times divided by --hurry): one, and ten. Ten such programs
   are what two cores bear.
3. Simulated, in virtual time: the same foreman and the same dealing out of films as in a restoration, with workers that
   take the measured times, one storage (--storage MB/s) and one program that hears all the news.

Needs the extras test and cluster. Nothing else should run meanwhile.
"""

import argparse
import heapq
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from threading import Event as Flag
from typing import Any

import matplotlib as mpl
import numpy as np

import gfpvideo
from gfpvideo.media.source import Account
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.events import Muxing
from gfpvideo.restoration.jobs.archive import Archive, Restored
from gfpvideo.restoration.jobs.crew import News
from gfpvideo.restoration.jobs.fingerprint import Fingerprint
from gfpvideo.restoration.jobs.followed import Followed, FollowedRun, Whole
from gfpvideo.restoration.jobs.foreman import Foreman
from gfpvideo.restoration.jobs.journal import Journal
from gfpvideo.restoration.jobs.pieces import follow_all
from gfpvideo.restoration.jobs.record import SegmentRecord, record_path, segment_path
from gfpvideo.restoration.jobs.worker import Message
from gfpvideo.restoration.load import Parts, load_parts
from gfpvideo.restoration.run import Job
from gfpvideo.stages.threads import cores

SAMPLE = Path(__file__).parent.parent / "samples" / "home_movie.mp4"
FRAMES = 90
"""Of the sample, one face in each."""
SEGMENT = 240
AROUND = 14
"""Frames that a run of segments decodes and restores beyond its own, about."""
RATE = 25
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
REELS = 10_000
REEL = 3 * 60 * RATE
"""Frames of a reel: three minutes, as 15 m of 8 mm film last."""


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes."""

    follow: float
    """Seconds to follow a frame."""
    rest: float
    """Seconds of a restored frame, the generator aside."""
    face: float
    """Seconds of a face in the generator."""
    join: float
    """Seconds to join a frame."""
    news: float
    """Seconds that a piece of news takes who gives out the work."""
    load: float
    """Seconds until a worker has its networks."""
    source: float
    """Bytes of a frame of the film."""
    target: float
    """Bytes of a restored frame."""
    storage: float
    """Bytes a second of the storage that all share; this is taken, not measured."""

    @property
    def frame(self) -> float:
        """Seconds of a restored frame with one face."""
        return self.rest + self.face


def clock() -> float:
    """Seconds of the processor, all of its cores at work: what other programs do meanwhile matters little."""
    return time.process_time() / len(cores())


def measured(storage: float, count: int) -> Costs:
    """Measure what everything costs here, but for news."""
    options = RestoreOptions(model="compact", preset="ultrafast", segment=SEGMENT)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        big = gfpvideo.load_generator(str(random_512(folder / "random.safetensors")))
        started = clock()
        parts = load_parts(options)
        load = clock() - started
        rounds = [_round(folder / str(number), options, parts, big) for number in range(count)]
        follow, face, quick, whole, join = (statistics.median(values) for values in zip(*rounds, strict=True))
        target = (folder / "0" / "film.mp4").stat().st_size
    return Costs(
        follow=follow / FRAMES,
        rest=(whole - follow - join) / FRAMES - quick,
        face=face,
        join=join / FRAMES,
        news=0.0,
        load=load,
        source=SAMPLE.stat().st_size / FRAMES,
        target=target / FRAMES,
        storage=storage,
    )


def _round(folder: Path, options: RestoreOptions, parts: Parts, big: Any) -> tuple[float, float, float, float, float]:
    """Seconds to follow, of a face in the large and in the small network, to restore with that, and of it to join."""
    folder.mkdir()
    started = clock()
    assert [*follow_all(SAMPLE, Followed(folder, SEGMENT), parts, options)][-1] == FRAMES
    follow = clock() - started
    face, quick = _face(big), _face(parts.generator)
    started, joining = clock(), 0.0
    for event in Job(SAMPLE, folder / "film.mp4", options, parts).run():
        joining = clock() if isinstance(event, Muxing) else joining
    return follow, face, quick, clock() - started, clock() - joining


def _face(generator: Any) -> float:
    crop = np.random.default_rng(0).uniform(-1, 1, (1, 3, generator.size, generator.size)).astype(np.float32)
    spent = []
    for _ in range(4):
        started = clock()
        generator(crop)
        spent.append(clock() - started)
    return statistics.median(spent[1:])


def random_512(path: Path) -> Path:
    """A file of the published 512 network with random weights."""
    import torch
    from safetensors.torch import save_file

    from gfpvideo.networks.gfpgan.network import Gfpgan, GfpganConfig

    torch.manual_seed(0)
    save_file(Gfpgan(GfpganConfig()).state_dict(), path)
    return path


# A worker that does nothing but take its time: what it is told, and what it leaves in the work folder, is as ever.

Step = tuple[float, Callable[[], object], Message | None]
"""Seconds that pass, what is there then, and what is told."""


@dataclass
class Pretended:
    """A film that is not there."""

    folder: Path
    frames: int
    costs: Costs

    def steps(self, task: Message) -> Iterator[Step]:
        """What a worker does who is given a task."""
        if "follow" in task:
            yield from self._follow()
        elif "segments" in task:
            yield from self._restore(range(*task["segments"]))
        yield 0.0, _nothing, {"done": {"warnings": [], "stages": {}}}

    def _follow(self) -> Iterator[Step]:
        followed = Followed(self.folder, SEGMENT)
        for first in range(0, self.frames, SEGMENT):
            count = min(SEGMENT, self.frames - first)
            run = FollowedRun(
                first=first, pts=list(range(first, first + count)), traces=[0] * count, cuts=[], places=[],
                detections=[[]] * count, faces=[[]] * count,
            )  # fmt: skip
            yield count * self.costs.follow, lambda run=run: followed._add(run), {"followed": first + count}
        whole = Whole(first=0, frames=self.frames, account=Account((), None, 1, None))
        yield 0.0, lambda: followed._write("followed.json", whole), None

    def _restore(self, numbers: range) -> Iterator[Step]:
        yield AROUND * self.costs.frame, _nothing, None
        for number in numbers:
            first = number * SEGMENT
            pts = list(range(first, min(first + SEGMENT, self.frames)))
            yield len(pts) * self.costs.frame, lambda n=number, p=pts: self._write(n, p), {"segment": number}

    def _write(self, number: int, pts: list[int]) -> None:
        segment_path(self.folder, number).touch()
        record = SegmentRecord(
            first=pts[0], bytes=0, pts=pts, reorder=0, faces=len(pts), spared=0, hopeless=0, pictures=0, tracks=[0]
        )
        record_path(self.folder, number).write_text(record.model_dump_json())


def _nothing() -> None:
    pass


def ready() -> Message:
    """What a worker tells that has loaded its networks."""
    nobody = Fingerprint(version="", libraries={}, source="", files={}, model="", networks={}, options={})
    return {"ready": {"fingerprint": nobody.model_dump(), "model": "none", "engine": "none"}}


# Virtual time


@dataclass
class Simulated:
    """A crew in virtual time; implements the protocol of gfpvideo.restoration.jobs.crew."""

    size: int
    costs: Costs
    film: Pretended | None = None
    doubles: bool = True
    now: float = 0.0
    """Seconds since the beginning, for who hears the news."""
    storage: float = 0.0
    """When the storage is free."""
    carried: float = 0.0
    """Seconds that the storage was busy."""
    heard: int = 0
    _coming: list[tuple[float, int, int, Step]] = field(default_factory=list)
    _steps: dict[int, Iterator[Step]] = field(default_factory=dict)
    _tickets: Iterator[int] = field(default_factory=itertools.count)

    def start(self) -> int:
        """See the protocol."""
        worker = next(self._tickets)
        self._begin(worker, iter([(self.costs.load, _nothing, ready())]))
        return worker

    def give(self, worker: int, task: Message) -> None:
        """See the protocol."""
        if "whole" in task:
            self._begin(worker, iter([(REEL * self.costs.frame + REEL * self.costs.join, _nothing, _reel(task))]))
        elif "film" not in task:
            assert self.film is not None
            self._begin(worker, self.film.steps(task))

    def kill(self, worker: int) -> None:
        """See the protocol."""
        self._steps.pop(worker, None)

    def news(self, timeout: float) -> News | None:
        """What happens next, however long that takes."""
        while self._coming:
            at, _, worker, (_, then, message) = heapq.heappop(self._coming)
            if worker not in self._steps:
                continue
            then()
            self._next(worker, at)
            if message is not None:
                self.heard += 1
                self.now = max(self.now, at) + self.costs.news
                return worker, message
        raise RuntimeError("nothing will happen any more")

    def _begin(self, worker: int, steps: Iterator[Step]) -> None:
        self._steps[worker] = steps
        self._next(worker, self.now)

    def _next(self, worker: int, now: float) -> None:
        step = next(self._steps[worker], None)
        if step is None:
            return
        weight = self._bytes(step[2] or {}) / self.costs.storage
        self.carried += weight
        self.storage = max(self.storage, now) + weight
        heapq.heappush(self._coming, (max(now + step[0], self.storage), next(self._tickets), worker, step))

    def _bytes(self, message: Message) -> float:
        """What goes through the storage until something is told."""
        if "followed" in message:
            return SEGMENT * self.costs.source
        if "segment" in message:
            return SEGMENT * (self.costs.source + self.costs.target)
        return REEL * (self.costs.source + 3 * self.costs.target) if "whole" in message else 0.0


def _reel(task: Message) -> Message:
    return {"whole": {"source": task["whole"]["source"], "target": task["whole"]["target"], "frames": REEL}}


def hour(workers: int, costs: Costs) -> dict[str, float]:
    """An hour of film, simulated."""
    frames = 3600 * RATE
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        crew = Simulated(workers, costs, Pretended(folder, frames, costs))
        _restored(crew, folder)
    return _told(crew, workers, crew.now + frames * costs.join, frames * costs.join)


def _restored(crew: Any, folder: Path) -> None:
    foreman = Foreman(crew, Flag(), Report("", ""), None)
    foreman.begin()
    for _ in foreman.restore(Journal(folder, SEGMENT), AROUND, ()):
        pass


def archive(workers: int, costs: Costs) -> dict[str, float]:
    """10,000 reels, simulated."""
    with tempfile.TemporaryDirectory() as scratch:
        films = [(Path(scratch) / str(number), Path(scratch) / f"{number}.out") for number in range(REELS)]
        for source, _ in films:
            source.touch()
        crew = Simulated(workers, costs)
        outcomes = [item.outcome for item in Archive(crew, Flag()).restore(films) if isinstance(item, Restored)]
        assert len(outcomes) == REELS
    return _told(crew, workers, crew.now, 0.0)


def _told(crew: Simulated, workers: int, seconds: float, joining: float) -> dict[str, float]:
    return {
        "workers": workers,
        "seconds": seconds,
        "storage_busy": crew.carried / seconds,
        "news_busy": crew.heard * crew.costs.news / seconds,
        "joining": joining / seconds,
    }


# Real Ray


@contextmanager
def a_ray(workers: int, folder: Path, frames: int, costs: Costs) -> Iterator[Any]:
    """A crew of Ray's, whose workers sleep."""
    import ray

    from gfpvideo.restoration.jobs import cluster

    class Sleeper:
        """Does as a worker does, without the work."""

        def __init__(self, *_: object) -> None:
            self.film = Pretended(folder, frames, costs)

        def ready(self, *_: object) -> str:
            """See cluster.Hand."""
            return json.dumps(ready())

        def do(self, _: str, task: str) -> Iterator[str]:
            """See cluster.Hand."""
            told = json.loads(task)
            for seconds, then, message in () if "film" in told else self.film.steps(told):
                time.sleep(seconds)
                then()
                if message is not None:
                    yield json.dumps(message)

        def babble(self, count: int) -> Iterator[str]:
            """Tell a lot."""
            for number in range(count):
                yield json.dumps({"frames": number, "faces": number})

        def stop(self) -> None:
            """See cluster.Hand."""

    os.environ |= {"RAY_worker_niceness": "0", "RAY_AUTH_MODE": "disabled"}  # a token would be left in the home folder
    before = cluster.Hand
    cluster.Hand = Sleeper  # type: ignore[misc, assignment]
    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
    try:
        with cluster.Cluster(RestoreOptions(cluster="auto", workers=workers)) as joined:
            yield joined.crew(SAMPLE, RestoreOptions())
    finally:
        cluster.Hand = before  # type: ignore[misc]
        ray.shutdown()


def really(workers: int, segments: int, costs: Costs) -> float:
    """Seconds that sleeping workers of a real Ray take for a film, loading aside."""
    with tempfile.TemporaryDirectory() as scratch, a_ray(workers, Path(scratch), segments * SEGMENT, costs) as crew:
        foreman = Foreman(crew, Flag(), Report("", ""), None)
        foreman.begin()
        while len(foreman._idle) < workers:
            for worker, message in foreman._heard():
                foreman._readied(worker, message["ready"])
        started = time.monotonic()
        for _ in foreman.restore(Journal(Path(scratch), SEGMENT), AROUND, ()):
            pass
        return time.monotonic() - started


def cost_of_news(count: int = 3000) -> float:
    """Seconds that a piece of news takes, over a real Ray, by a worker that does nothing but tell."""
    import ray

    nothing = Costs(0, 0, 0, 0, 0, 0, 0, 0, 1)
    with tempfile.TemporaryDirectory() as scratch, a_ray(1, Path(scratch), 1, nothing) as crew:
        crew.start()
        while crew.news(1.0) is None:
            pass
        call = crew.cluster.hand(0).babble.options(num_returns="streaming").remote(count)
        crew._listening[call] = 0
        ray.wait([call], num_returns=1, timeout=None)
        time.sleep(5)  # all has been told
        started = time.process_time()  # one thread
        heard = list(islice(iter(lambda: crew.news(1.0), None), count))
        assert len(heard) == count
        return (time.process_time() - started) / count


def main() -> None:
    """Measure, run, simulate, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--plot", type=Path, required=True)
    parser.add_argument("--storage", type=float, default=110.0, help="MB/s; 110 is what a gigabit network carries")
    parser.add_argument("--rounds", type=int, default=3, help="of measuring, of which medians are taken")
    parser.add_argument("--costs", type=Path, help="the JSON of an earlier run: do not measure again")
    parser.add_argument("--hurry", type=float, default=100.0, help="what times of the real run are divided by")
    parser.add_argument("--segments", type=int, default=60, help="of the real run")
    arguments = parser.parse_args()
    if arguments.costs is not None:
        costs = Costs(**json.loads(arguments.costs.read_text(encoding="utf-8"))["costs"])
    else:
        costs = replace(measured(1e6 * arguments.storage, arguments.rounds), news=cost_of_news())
    share = costs.follow / (costs.follow + costs.frame)
    print(f"{costs}\nfollowing takes {share:.1%} of the whole", flush=True)
    hurry = arguments.hurry
    quick = replace(costs, follow=costs.follow / hurry, rest=costs.rest / hurry, face=costs.face / hurry)
    one, ten = (really(workers, arguments.segments, quick) for workers in (1, 10))
    print(f"real Ray, {arguments.segments} segments: one {one:.1f} s, ten {ten:.1f} s, {one / ten:.2f} times")
    sooner = replace(costs, follow=costs.follow / 10)
    results: dict[str, Any] = {
        "costs": asdict(costs),
        "follow_share": share,
        "real": {"hurry": hurry, "segments": arguments.segments, "one": one, "ten": ten},
        "hour": [hour(workers, costs) for workers in WORKERS],
        "hour_followed_ten_times_as_fast": [hour(workers, sooner) for workers in WORKERS],
        "archive": [archive(workers, costs) for workers in WORKERS],
    }
    arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(arguments.plot, results)


def draw(target: Path, results: dict[str, Any]) -> None:
    """How many times as fast as one worker: an hour of film, and an archive."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (film, reels) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axes, title in ((film, "an hour of film"), (reels, f"{REELS:,} reels of three minutes")):
        axes.plot(WORKERS, WORKERS, ":", color="grey", label="as many times as workers")
        axes.set(xscale="log", yscale="log", xlabel="workers (simulated)", ylabel="times one worker", title=title)
    for name, label in (("hour", "as it is"), ("hour_followed_ten_times_as_fast", "followed ten times as fast")):
        film.plot(WORKERS, _speed(results[name]), "o-", label=label)
    reels.plot(WORKERS, _speed(results["archive"]), "o-", label="as it is")
    real = results["real"]
    film.plot([10], [real["one"] / real["ten"]], "k*", markersize=11, label="real Ray, sleeping workers")
    most = results["hour"][0]["seconds"] / (3600 * RATE * results["costs"]["follow"])
    film.axhline(most, color="C3", linewidth=0.8, label="following ends no sooner")
    film.legend()
    reels.legend()
    figure.savefig(target, dpi=90)


def _speed(rows: list[dict[str, float]]) -> list[float]:
    return [rows[0]["seconds"] / row["seconds"] for row in rows]


if __name__ == "__main__":
    main()
