"""What a measurement of steadiness found, as a table, JSON or a plot."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import OutputError
from gfpvideo.evaluate.metrics import Scorer
from gfpvideo.evaluate.report import finite

Landmarks = NDArray[np.float64]
Value = TypeVar("Value")


@dataclass
class TrackSeries:
    """What was measured in each frame of one track."""

    number: int
    first: int
    """Index of its first frame."""
    similarity: Scorer
    """PSNR and SSIM against the clean film."""
    last: int = 0
    frames: int = 0
    eye_distances: list[float] = field(default_factory=list)
    """Pixels from eye to eye."""
    landmarks: list[Landmarks | None] = field(default_factory=list)
    """(5, 2) in pixels, or ``None`` where the face was not found again."""
    colours: list[NDArray[np.float64]] = field(default_factory=list)
    """Mean L, a, b of the face."""
    warping: list[float] = field(default_factory=list)
    """Grey levels by which the face differs from its neighbour, moved along the flow."""

    def figures(self) -> dict[str, float]:
        """The track's figures by name."""
        return {
            "jitter": 1000
            * _rms([_second_difference(trio) for trio in _trios(self.landmarks)])
            / _mean(self.eye_distances),
            "warping": _mean(self.warping),
            "flicker": _rms([_second_difference(trio) for trio in _trios(list(self.colours))]),
        } | self.similarity.values()


TITLES = {
    "jitter": "landmark jitter (1/1000 eye distance)",
    "warping": "warping error (grey levels)",
    "flicker": "colour flicker (Lab)",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
}
"""What the figures are called in a table."""


@dataclass
class Stability:
    """The figures of a film."""

    tracks: list[TrackSeries]

    def overall(self) -> dict[str, float]:
        """Means over tracks, weighted by their frames."""
        figures = [(series.figures(), series.frames) for series in self.tracks]
        return {
            name: _mean_weighted([(values[name], frames) for values, frames in figures if math.isfinite(values[name])])
            for name in TITLES
        }

    def table(self) -> str:
        """Lines for a terminal: one a track, and one for all."""
        names = list(TITLES)
        lines = [f"{'track':>6}{'frames':>8}" + "".join(f"{name:>10}" for name in names)]
        rows = [(str(series.number), series.frames, series.figures()) for series in self.tracks]
        rows.append(("all", sum(series.frames for series in self.tracks), self.overall()))
        for title, frames, values in rows:
            lines.append(f"{title:>6}{frames:>8}" + "".join(f"{_figure(values[name]):>10}" for name in names))
        return "\n".join([*lines, *(f"{name}: {title}" for name, title in TITLES.items())])

    def as_json(self) -> str:
        """The figures as JSON; what could not be measured is null."""
        tracks = [
            {"track": series.number, "first": series.first, "last": series.last, "frames": series.frames}
            | finite(series.figures())
            for series in self.tracks
        ]
        return json.dumps({"all": finite(self.overall()), "tracks": tracks}, indent=2)


def _trios(values: list[Value | None]) -> list[tuple[Value, Value, Value]]:
    """Every three neighbours that are all there."""
    trios = zip(values, values[1:], values[2:], strict=False)
    return [(a, b, c) for a, b, c in trios if a is not None and b is not None and c is not None]


def _second_difference(trio: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    return trio[0] - 2 * trio[1] + trio[2]


def _rms(values: list[NDArray[np.float64]]) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values else math.nan


def _mean(values: list[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _mean_weighted(values: list[tuple[float, int]]) -> float:
    total = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / total if total else math.nan


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"


def write_plot(result: Stability, path: Path) -> None:
    """Draw warping error and mean lightness of each track over time.

    Raises:
        OutputError: if the file cannot be written, or is of a kind that matplotlib does not write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    for series in result.tracks:
        start = series.last + 1
        upper.plot(range(start - len(series.warping), start), series.warping, label=f"track {series.number}")
        lower.plot(range(start - len(series.colours), start), [colour[0] for colour in series.colours])
    upper.set_ylabel(TITLES["warping"])
    lower.set_ylabel("mean lightness (Lab)")
    lower.set_xlabel("frame")
    upper.legend()
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: the plot cannot be written ({error})") from None
