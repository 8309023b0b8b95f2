"""How much steadier is a restoration than one that goes frame by frame?

Each clip is aged frame by frame with fixed seeds (shrunk to a half and enlarged again, noise of sigma 6, JPEG 40) and
restored with the same model (a) frame by frame: the detector's own landmarks, nothing averaged or faded, and (b) by
default. Measured: warping error, jitter of the landmarks that place the faces and of those found in the result, colour
flicker, PSNR and SSIM inside the faces; flow and tracks come from the clean clip. Needs a folder of test clips and the
test extra:

    GFPVIDEO_MEDIA=... python benchmarks/steady.py [--model NAME] [--frames N] [--variants] [--sheet FOLDER]
"""

import argparse
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from aged_webcam import Picture, aged, read, write

import gfpvideo
from gfpvideo.evaluate.stability import stability
from gfpvideo.faces.detectors.load import make_detector
from gfpvideo.frames import Face

ROOT = Path(__file__).parent.parent
ALONE: dict[str, Any] = {
    "detect_every": 1, "smooth": False, "steady": 0, "adapt": False, "lag": 0, "max_gap": 0,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "landmarks": {"steady": 0, "adapt": False},
    "average": ALONE | {"steady": 4},
    "landmarks + average": {"adapt": False},
    "average of 17": {"steady": 8},
}
NAMES = ("warping", "placement", "jitter", "flicker", "psnr", "ssim")


def clips() -> dict[str, tuple[Path, int | None]]:
    """Name, file and lines to scale to."""
    media = Path(os.environ["GFPVIDEO_MEDIA"])
    return {
        "webcam": (media / "androidx/sample.mp4", 360),
        "again": (media / "intel-iot-devkit/again.mkv", None),
        "sample": (ROOT / "samples/home_movie.mp4", None),
    }


def pictures(path: Path, lines: int | None, count: int) -> list[Picture]:
    """The first ``count`` frames in RGB."""
    found: list[Picture] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            if lines:
                width = round(picture.shape[1] * lines / picture.shape[0])
                picture = cv2.resize(picture, (width, lines), interpolation=cv2.INTER_AREA)
            found.append(np.asarray(picture, np.uint8))
            if len(found) == count:
                break
    return found


def measured(name: str, options: dict[str, Any], folder: Path, clean: Path, source: Path) -> dict[str, float]:
    """Figures of one way of restoring; with ``source`` as its own restoration where there are no options."""
    target, placed = source, math.nan
    if options:
        target = folder / f"{name.replace(' ', '')}.mkv"
        values = {"codec": "libx264rgb", "crf": 0, "overwrite": True, **options}
        faces: list[tuple[Face, ...]] = []
        parsed = gfpvideo.RestoreOptions.parse(values)
        gfpvideo.restore(source, target, parsed, on_frame=lambda progress: faces.append(progress.restored.faces))
        placed = placement_jitter(faces)
    found = stability(target, make_detector("centerface", 0.25), source=clean, reference=clean).overall()
    return found | {"placement": placed}


def placement_jitter(frames: list[tuple[Face, ...]]) -> float:
    """RMS second difference, in thousandths of the eye distance, of the landmarks that faces were placed by."""
    series = [faces[0].landmarks for faces in frames if len(faces) == 1]
    second = np.diff(series, n=2, axis=0)
    return 1000 * float(np.sqrt(np.square(second).mean()) / np.linalg.norm(series[0][1] - series[0][0]))


def sheet(path: Path, folder: Path, names: list[str]) -> None:
    """Consecutive frames of each film of ``folder``, one row a film."""
    rows = [np.concatenate(read(folder / f"{name}.mkv")[12:18:2], axis=1) for name in names]
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1])


def main() -> None:
    """Age, restore in each way, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="compact")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--variants", action="store_true", help="each stage alone as well")
    parser.add_argument("--sheet", type=Path, help="folder for pictures of the results")
    arguments = parser.parse_args()
    model = {"model": arguments.model}
    ways = {"alone": model | ALONE, **({k: model | v for k, v in VARIANTS.items()} if arguments.variants else {})}
    ways["default"] = model
    for name, (path, lines) in clips().items():
        truth = pictures(path, lines, arguments.frames)
        random = np.random.default_rng(0)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write(folder / "clean.mkv", truth)
            write(folder / "aged.mkv", [aged(picture, random) for picture in truth])
            clean, old = folder / "clean.mkv", folder / "aged.mkv"
            floor = measured("clean", {}, folder, clean, clean)
            figures = {"aged": measured("aged", {}, folder, clean, old)}
            figures |= {way: measured(way, options, folder, clean, old) for way, options in ways.items()}
            if arguments.sheet:
                sheet(arguments.sheet / f"steady-{name}.png", folder, ["aged", "alone", "default", "clean"])
        own = f"warping error is {floor['warping']:.3f}, its landmark jitter {floor['jitter']:.1f}"
        print(f"{name}: {len(truth)} frames; the clean clip's own {own}")
        base = figures["alone"]
        for way, values in figures.items():
            excess = (values["warping"] - floor["warping"]) / (base["warping"] - floor["warping"])
            cells = "".join(f"{key} {values[key]:7.3f}  " for key in NAMES)
            placement = values["placement"] / base["placement"]
            print(f"  {way:22}{cells}excess {excess:5.2f}  placement {placement:.2f}")


if __name__ == "__main__":
    main()
