"""What each setting costs and what it is worth: frames a second of one film against quality on the held-out clips.

    python benchmarks/settings.py FILM CLIPS -o docs/images/settings.png [--json FILE]

Speed: FILM restored --runs times with each setting, in turns, after one round that warms the caches; medians, and the
ratio to the default with `compact`. Quality: as `benchmarks/steady.py` has it, films damaged as film and as web video.
Nothing else should run meanwhile. Needs the extra `test`.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import steady

import gfpvideo

MODELS = ("compact", "compact-fast")
WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "every run": {"every": "1"},
    "not gathered": {"gather": False},
    "not steadied": {"steady": 0},
    "float32": {"precision": "fp32"},
    "frame by frame": steady.FRAME_BY_FRAME,
}
"""Options of each setting."""
DAMAGE = ("film", "web")

Setting = tuple[str, str]
"""Model and way."""


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("clips", type=Path, help="the held-out clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the plot")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=12, help="of each held-out clip")
    parser.add_argument("--json", type=Path, help="file for all figures")
    arguments = parser.parse_args()
    rates = speeds(arguments.film, arguments.runs)
    worth = {setting: each for model in MODELS for setting, each in quality(model, arguments).items()}
    print(table(rates, worth))
    draw(arguments.output, rates, worth)
    if arguments.json:
        rows = [{"model": name[0], "way": name[1], "fps": rates[name], **worth[name]} for name in rates]
        arguments.json.write_text(json.dumps(rows, indent=1))


def speeds(film: Path, runs: int) -> dict[Setting, float]:
    """Frames a second of each setting."""
    found: dict[Setting, list[float]] = {(model, way): [] for model in MODELS for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            for (model, way), rates in found.items():
                options = gfpvideo.RestoreOptions.parse({"model": model, "overwrite": True, **WAYS[way]})
                report = gfpvideo.restore(film, Path(folder) / "restored.mkv", options)
                rates.append(report.frames / report.seconds)
    return {setting: statistics.median(rates[1:]) for setting, rates in found.items()}


def quality(model: str, arguments: argparse.Namespace) -> dict[Setting, dict[str, float]]:
    """Mean figures of each way, by `benchmarks/steady.py`."""
    steady.WAYS.update(WAYS)
    asked = argparse.Namespace(
        clips=arguments.clips, frames=arguments.frames, damage=DAMAGE, way=[*WAYS], model=model, sheets=None
    )
    rows = list(steady.measured(asked))
    return {
        (model, way): {
            figure: float(np.mean([row[4][figure] for row in rows if row[2] == way]))
            for figure in ("psnr", "ssim", "perceptual", "warping")
        }
        for way in WAYS
    }


def table(rates: dict[Setting, float], worth: dict[Setting, dict[str, float]]) -> str:
    """A table in Markdown."""
    base = rates[MODELS[0], "default"]
    lines = ["| model | setting | fps | of the default | PSNR | SSIM | perceptual | warping |", "|---" * 8 + "|"]
    for (model, way), rate in rates.items():
        psnr, ssim, perceptual, warping = worth[model, way].values()
        lines.append(
            f"| {model} | {way} | {rate:.1f} | {rate / base:.2f} | {psnr:.2f} dB | {ssim:.3f} | {perceptual:.2f}"
            f" | {warping:.2f} |"
        )
    return "\n".join(lines)


def draw(path: Path, rates: dict[Setting, float], worth: dict[Setting, dict[str, float]]) -> None:
    """Speed along, quality up: what lies right and high is good."""
    mpl.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot

    figure, places = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axes, key, label in ((places[0], "psnr", "PSNR, dB"), (places[1], "perceptual", "perceptual distance")):
        for model, colour in zip(MODELS, ("tab:blue", "tab:orange"), strict=True):
            points = [(rates[model, way], worth[model, way][key]) for way in WAYS]
            axes.scatter(*zip(*points, strict=True), color=colour, label=model)
            for way, point in zip(WAYS, points, strict=True):
                axes.annotate(way, point, xytext=(4, 4), textcoords="offset points", fontsize=8)
        axes.set(xlabel="frames a second", ylabel=label)
        axes.grid(alpha=0.3)
    places[1].invert_yaxis()
    places[0].legend()
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
