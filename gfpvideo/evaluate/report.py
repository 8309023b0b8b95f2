"""What an evaluation found, as a table, JSON or a page with the pictures side by side."""

import base64
import html
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import OutputError
from gfpvideo.evaluate.metrics import Definition

Picture = NDArray[np.uint8]

_SHOWN_SIDE = 512
"""Longest side of a picture on the page."""


@dataclass(frozen=True)
class Example:
    """One picture in all its states, in the order of the columns, the clean one last."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass
class Evaluation:
    """Figures of one or more candidates against the same clean pictures."""

    metrics: list[Definition]
    count: int
    """Pictures that were compared."""
    columns: dict[str, dict[str, float]] = field(default_factory=dict)
    """For each candidate its figures, by the metrics' names."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Metrics that could not be computed, and why."""
    examples: list[Example] = field(default_factory=list)

    def table(self) -> str:
        """Lines for a terminal."""
        first = max(len(metric.title) for metric in self.metrics) + 4
        widths = [max(len(name), 9) + 2 for name in self.columns]
        names = "".join(f"{name:>{width}}" for name, width in zip(self.columns, widths, strict=True))
        lines = [f"{f'{self.count} pictures':<{first}}{names}"]
        for metric in self.metrics:
            arrow = "↑" if metric.better == "higher" else "↓"
            figures = (_figure(column[metric.name]) for column in self.columns.values())
            cells = "".join(f"{cell:>{width}}" for cell, width in zip(figures, widths, strict=True))
            lines.append(f"{f'{metric.title} {arrow}':<{first}}{cells}")
        lines += [f"left out: {name}: {reason}" for name, reason in self.left_out.items()]
        return "\n".join(lines)

    def as_json(self) -> str:
        """The figures as JSON; what is not a number is null."""
        columns = {name: finite(column) for name, column in self.columns.items()}
        content: dict[str, Any] = {"pictures": self.count, "figures": columns, "left_out": self.left_out}
        return json.dumps(content, indent=2)

    def as_html(self) -> str:
        """One page that needs no other file: the table, and the examples side by side."""
        heads = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        rows = "".join(self._html_row(metric) for metric in self.metrics)
        left_out = "".join(
            f"<li>{html.escape(name)}: {html.escape(reason)}</li>" for name, reason in self.left_out.items()
        )
        titles = "".join(f"<th>{html.escape(name)}</th>" for name in [*self.columns, "clean"])
        examples = "".join(_html_example(example) for example in self.examples)
        return _PAGE.format(
            count=self.count, heads=heads, rows=rows, left_out=left_out, titles=titles, examples=examples
        )

    def _html_row(self, metric: Definition) -> str:
        cells = "".join(f"<td>{_figure(column[metric.name])}</td>" for column in self.columns.values())
        return f"<tr><th>{html.escape(metric.title)} ({metric.better} is better)</th>{cells}</tr>"


def finite(values: dict[str, float]) -> dict[str, float | None]:
    """Values for JSON, which knows no other numbers: what is not finite becomes ``None``."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def write_text(path: Path, text: str) -> None:
    """Write a report.

    Raises:
        OutputError: if the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _figure(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"


def _html_example(example: Example) -> str:
    cells = "".join(f'<td><img src="{_data_url(picture)}" alt=""></td>' for picture in example.pictures)
    return f"<tr>{cells}<td>{html.escape(example.name)}</td></tr>"


def _data_url(picture: Picture) -> str:
    shrink = min(1.0, _SHOWN_SIDE / max(picture.shape[:2]))
    shown = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else picture
    code = cv2.imencode(".jpg", np.asarray(shown)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return "data:image/jpeg;base64," + base64.b64encode(code.tobytes()).decode("ascii")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>gfpvideo evaluate</title>
<style>
body {{ font: 15px system-ui, sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; margin-bottom: 2em; }}
th, td {{ padding: 0.3em 0.8em; text-align: left; }}
td img {{ display: block; max-width: 100%; }}
</style></head><body>
<h1>{count} pictures</h1>
<table><tr><th></th>{heads}</tr>{rows}</table>
<ul>{left_out}</ul>
<table><tr>{titles}<th></th></tr>{examples}</table>
</body></html>
"""
