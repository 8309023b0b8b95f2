"""What this machine can do: each part alone, and all of it together."""

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import get_args

import numpy as np

from gfpvideo.errors import EngineError
from gfpvideo.faces.detect import usual_side
from gfpvideo.frames import Frame, RestoredFrame
from gfpvideo.generator.engines.choose import cuda_present
from gfpvideo.generator.engines.engine import EngineChoice
from gfpvideo.generator.generator import make_generator
from gfpvideo.generator.models import ModelFile, find_model, load_network
from gfpvideo.media.segment import SegmentEncoder
from gfpvideo.media.source import VideoSource
from gfpvideo.networks.graphs import computes_bf16
from gfpvideo.options.restore import EngineName, Precision, RestoreOptions
from gfpvideo.restoration.load import load_finder, load_parts
from gfpvideo.restoration.opening import open_film
from gfpvideo.restoration.run import restore

_GEMM_SIDE = 2048
_GEMM_RUNS = 8
_BATCHES = (1, 4)


@dataclass(frozen=True)
class GeneratorCost:
    """The generator alone."""

    engine: str
    """Engine, device and precision."""
    batch: int
    milliseconds: float
    """A face, median of the runs."""
    peak_share: float | None
    """Operations a second, as a share of what a matrix product of the same precision reaches; ``None`` if unknown."""


@dataclass(frozen=True)
class FilmCost:
    """A film, its parts alone and together."""

    frames: int
    faces: int
    decode_fps: float
    """Decoding alone."""
    encode_fps: float
    """Encoding alone."""
    detect_milliseconds: float
    """Searching one frame alone."""
    fps: float
    """All together, networks loaded."""
    wall_over_busiest: float
    """Time that passed over the time of the stage that worked longest."""
    stages: dict[str, float]
    """Time of each stage as a share of what passed; they overlap."""
    peak_mib: float | None
    """Largest resident memory of the process so far; ``None`` where the system does not tell."""


@dataclass
class Bench:
    """All that was measured."""

    machine: str
    cores: int
    model: str
    gflop: float
    """Multiplications and additions of one face, in 1e9."""
    peaks: dict[str, float] = field(default_factory=dict)
    """GFLOP/s of a matrix product, by precision."""
    generator: list[GeneratorCost] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Engines and precisions that are not to be had here, and why."""
    film: FilmCost | None = None


def bench(film: Path | None, options: RestoreOptions, frames: int, runs: int) -> Bench:
    """Measure this machine.

    Args:
        film: a film to restore; without one the generator alone is measured.
        options: of that restoration; ``model`` is the generator that is measured.
        frames: of the film that are used, at most.
        runs: of each measurement, of which the median counts (and one before, which warms the caches).

    Raises:
        GfpvideoError: if the model or the film cannot be used.
    """
    model = find_model(options.model, options.weights_dir, over_time=options.gather)
    found = Bench(_processor(), os.cpu_count() or 1, model.name, gflop_of(model))
    for precision in ("fp32", "bf16") if computes_bf16() else ("fp32",):
        found.peaks[precision] = gemm_peak(precision)
    for engine in ("openvino", "torch"):
        for precision in get_args(Precision)[1:]:
            _measure_generator(found, model, engine, precision, options, runs)
    if film is not None:
        found.film = measure_film(film, options, frames, runs)
    return found


def gflop_of(model: ModelFile) -> float:
    """1e9 floating-point operations that one face takes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = load_network(model).to("meta")
    size = network.config.size
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, size, size, device="meta"))
    return counter.get_total_flops() / 1e9


def gemm_peak(precision: str) -> float:
    """GFLOP/s of a product of two large matrices on the CPU, best of several."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    left, right = (torch.randn(_GEMM_SIDE, _GEMM_SIDE).to(dtype) for _ in range(2))
    best = min(_seconds(lambda: torch.mm(left, right)) for _ in range(_GEMM_RUNS))
    return 2 * _GEMM_SIDE**3 / best / 1e9


def _measure_generator(
    found: Bench, model: ModelFile, engine: EngineName, precision: Precision, options: RestoreOptions, runs: int
) -> None:
    if (engine, precision) == ("torch", "bf16") and not cuda_present() and "bf16" not in found.peaks:
        found.missing.append("torch bf16: this processor does not compute it")
        return
    random = np.random.default_rng(0)
    for batch in _BATCHES:
        try:
            generator = make_generator(model, EngineChoice(engine, options.device, precision, together=batch))
        except EngineError as error:
            found.missing.append(f"{engine} {precision}: {error}")
            return
        crops = random.uniform(-1, 1, (batch, 3, generator.size, generator.size)).astype(np.float32)
        each = _median(partial(generator, crops), runs) / batch
        on_cpu = engine == "openvino" or " cpu " in generator.engine.name
        peak = found.peaks.get(precision) if on_cpu else None
        share = found.gflop / each / peak if peak else None
        found.generator.append(GeneratorCost(generator.engine.name, batch, 1000 * each, share))


def measure_film(film: Path, options: RestoreOptions, frames: int, runs: int) -> FilmCost:
    """Measure the beginning of a film."""
    with open_film(film, options) as source:
        held = list(islice(source.frames(), frames))
        decode = _median(lambda: _decoded(film, options, len(held)), runs)
        encode = _median(lambda: _encoded(source, held, options), runs)
    detector, seen = load_finder(options).detector, held[0].thumbnail(options.detect_size or usual_side(held[0]))
    detect = _median(lambda: detector.detect([seen]), runs)
    end = (held[-1].pts - held[0].pts + max(1, (held[-1].pts - held[0].pts) // max(1, len(held) - 1))) * held[
        0
    ].time_base
    part = options.model_copy(update={"overwrite": True, "end": end})
    with tempfile.TemporaryDirectory() as folder:
        loading = _median(lambda: load_parts(part), 1)
        reports = [restore(film, Path(folder) / "restored.mkv", part) for _ in range(runs + 1)][1:]
    report = sorted(reports, key=lambda run: run.seconds)[len(reports) // 2]
    seconds = report.seconds - loading
    return FilmCost(
        frames=report.frames,
        faces=report.faces,
        decode_fps=len(held) / decode,
        encode_fps=len(held) / encode,
        detect_milliseconds=1000 * detect,
        fps=report.frames / seconds,
        wall_over_busiest=seconds / max(report.stages.values()),
        stages={name: spent / seconds for name, spent in report.stages.items()},
        peak_mib=peak_memory(),
    )


def _decoded(film: Path, options: RestoreOptions, frames: int) -> None:
    with open_film(film, options) as source:
        for _ in islice(source.frames(), frames):
            pass


def _encoded(source: VideoSource, frames: list[Frame], options: RestoreOptions) -> None:
    with tempfile.TemporaryDirectory() as folder:
        restored = (RestoredFrame(frame, ()) for frame in frames)
        for _ in SegmentEncoder(source, options).encode(Path(folder) / "segment.mkv", restored):
            pass


def _median(work: Callable[[], object], runs: int) -> float:
    work()
    return statistics.median(_seconds(work) for _ in range(runs))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_memory() -> float | None:
    """Largest resident memory of this process so far, MiB; ``None`` where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _processor() -> str:
    """The processor's name as the system gives it, and CUDA devices."""
    names = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    found = [names[0] if names else platform.processor() or platform.machine()]
    if cuda_present():
        import torch

        found += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(found)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
