"""What each setting costs and what it is worth: frames a second of a film against quality on the held-out clips.

    python benchmarks/settings.py quality CLIPS QUALITY.json
    python benchmarks/settings.py speed FILM "Xeon, bfloat16" SPEED.json
    python benchmarks/settings.py show QUALITY.json SPEED.json ... -o docs/images/settings.svg

Quality does not depend on the processor: as `benchmarks/steady.py` has it, films damaged as film and as web video.
Speed does: FILM is restored with each setting by turns, after one round that warms the caches; medians. Nothing else
should run meanwhile. `gfpvideo weights quantize` first, for eight bits; without it they are left out.
"""

import argparse
import json
import statistics
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import steady

import gfpvideo
from gfpvideo.errors import GfpvideoError

MODELS = ("compact", "compact-fast")
WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "eight bits": {"precision": "int8"},
    "every run": {"every": "1"},
    "every second run": {"every": "2"},
    "every eighth run": {"every": "8"},
    "not gathered": {"gather": False},
    "not steadied": {"steady": 0},
    "frame by frame": steady.FRAME_BY_FRAME,
}
"""Options of each setting."""
COLOURS, MARKERS = ("tab:blue", "tab:orange"), ("o", "P", "^", "v", "s", "D", "X", "*")
"""How each model and each setting is drawn."""
DAMAGE = ("film", "web")
FIGURES = ("psnr", "ssim", "perceptual", "warping")

Figures = dict[str, Any]
"""What a file of figures holds: by setting's name."""


def main() -> None:
    """Measure one of both, or print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    what = parser.add_subparsers(required=True)
    quality = what.add_parser("quality", help="measure quality")
    quality.add_argument("clips", type=Path, help="the held-out clips")
    quality.add_argument("output", type=Path)
    quality.add_argument("--frames", type=int, default=12, help="of each clip")
    quality.set_defaults(run=measure_quality)
    speed = what.add_parser("speed", help="measure speed on this processor")
    speed.add_argument("film", type=Path)
    speed.add_argument("processor", help="what it is called")
    speed.add_argument("output", type=Path)
    speed.add_argument("--runs", type=int, default=3)
    speed.set_defaults(run=measure_speed)
    show = what.add_parser("show", help="print tables, draw")
    show.add_argument("quality", type=Path)
    show.add_argument("speeds", type=Path, nargs="+")
    show.add_argument("-o", "--output", type=Path, required=True, help="the plot")
    show.set_defaults(run=show_all)
    arguments = parser.parse_args()
    arguments.run(arguments)


def settings() -> dict[str, dict[str, Any]]:
    """Options by name: each way with each model."""
    return {f"{model}, {way}": {"model": model, **options} for model in MODELS for way, options in WAYS.items()}


def measure_speed(arguments: argparse.Namespace) -> None:
    """Frames a second of each setting, and its ratio to the first one."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "restored.mkv"
        warm = {name: frames_a_second(arguments.film, target, asked) for name, asked in settings().items()}
        found: dict[str, list[float]] = {name: [] for name, rate in warm.items() if rate}
        for _ in range(arguments.runs):
            for name, rates in found.items():
                rates.append(frames_a_second(arguments.film, target, settings()[name]))
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    arguments.output.write_text(json.dumps({"processor": arguments.processor, "fps": medians}, indent=1))


def frames_a_second(film: Path, target: Path, asked: dict[str, Any]) -> float:
    """Of one restoration; 0 where the setting is not to be had."""
    try:
        report = gfpvideo.restore(film, target, gfpvideo.RestoreOptions.parse({"overwrite": True, **asked}))
    except GfpvideoError as error:
        print(f"{asked}: {error}")
        return 0.0
    return report.frames / report.seconds


def measure_quality(arguments: argparse.Namespace) -> None:
    """Mean figures of each setting over clips, sizes and kinds of damage."""
    steady.WAYS.update(settings())
    asked = argparse.Namespace(
        clips=arguments.clips, frames=arguments.frames, damage=DAMAGE, way=[*settings()], model="auto", sheets=None
    )
    rows = list(steady.measured(asked))
    means = {
        name: {figure: float(np.mean([row[4][figure] for row in rows if row[2] == name])) for figure in FIGURES}
        for name in settings()
    }
    arguments.output.write_text(json.dumps(means, indent=1))


def show_all(arguments: argparse.Namespace) -> None:
    """Print a table a processor, and draw."""
    quality = json.loads(arguments.quality.read_text())
    speeds = [json.loads(path.read_text()) for path in arguments.speeds]
    for speed in speeds:
        print(table(speed, quality))
    draw(arguments.output, speeds, quality)


def table(speed: Figures, quality: Figures) -> str:
    """A table in Markdown."""
    base = speed["fps"][f"{MODELS[0]}, default"]
    lines = [f"\n{speed['processor']}:\n", "| setting | fps | ratio | PSNR | SSIM | perceptual | warping |"]
    lines.append("|---" * 7 + "|")
    for name, rate in speed["fps"].items():
        psnr, ssim, *others = quality[name].values()
        worth = " | ".join([f"{psnr:.2f} dB", f"{ssim:.3f}", *(f"{other:.2f}" for other in others)])
        lines.append(f"| {name} | {rate:.1f} | {rate / base:.2f} | {worth} |")
    return "\n".join(lines)


def draw(path: Path, speeds: list[Figures], quality: Figures) -> None:
    """Speed along, quality up: what lies right and high is good."""
    mpl.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(len(speeds), 2, figsize=(11, 4 * len(speeds)), layout="constrained", squeeze=False)
    for axes, speed in zip(rows, speeds, strict=True):
        for axis, key, label in ((axes[0], "psnr", "PSNR, dB"), (axes[1], "perceptual", "perceptual distance")):
            for name, (colour, marker) in zip(settings(), product(COLOURS, MARKERS), strict=True):
                if name in speed["fps"]:
                    place = (speed["fps"][name], quality[name][key])
                    axis.scatter(*place, s=64, color=colour, marker=marker, alpha=0.7, label=name)
            axis.set(xlabel="frames a second", ylabel=label, title=speed["processor"])
            axis.grid(alpha=0.3)
        axes[1].invert_yaxis()
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
