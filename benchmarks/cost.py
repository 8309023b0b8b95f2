"""What a film costs by its length, its faces and its size: three plots in one picture.

    python benchmarks/cost.py -o docs/images/cost.png

Films are made of one portrait that sways, 480x360 unless said otherwise, encoded quickly. Each is restored once to warm
the caches and then --runs times; the median is drawn. Nothing else should run meanwhile. Needs the test extra.
"""

import argparse
import statistics
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import matplotlib as mpl
import numpy as np
import skimage.data

import gfpvideo

LENGTHS = (50, 100, 200, 400)
FACES = (0, 1, 2, 3, 4)
WIDTHS = (480, 960, 1440, 1920)
FRAMES = 60
SIDE = 120
"""Width of a portrait in every film: a face of about 50 pixels."""


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch, runs = Path(folder), arguments.runs
        by_length = [seconds(scratch, count, 1, 480, runs) for count in LENGTHS]
        by_faces = [seconds(scratch, FRAMES, count, 480, runs) for count in FACES]
        by_size = [[seconds(scratch, FRAMES, count, width, runs) for width in WIDTHS] for count in (0, 1)]
    draw(arguments.output, by_length, by_faces, by_size)


def seconds(folder: Path, frames: int, faces: int, width: int, runs: int) -> float:
    """How long a restoration takes."""
    film = made(folder / "film.mp4", frames, faces, width)
    options = gfpvideo.RestoreOptions(model="compact", preset="ultrafast", overwrite=True, adapt=False)
    reports = [gfpvideo.restore(film, folder / "out.mkv", options) for _ in range(runs + 1)][1:]
    assert all(report.faces == faces * frames for report in reports), [report.faces for report in reports]
    median = statistics.median(report.seconds for report in reports)
    print(f"{frames} frames, {faces} faces, {width} wide: {median:.2f} s", flush=True)
    return median


def made(path: Path, frames: int, faces: int, width: int) -> Path:
    """A film of ``faces`` portraits side by side."""
    height = width * 3 // 4
    portrait = cv2.resize(skimage.data.astronaut()[:256, 96:352], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            canvas = np.full((height, width, 3), 90, np.uint8)
            canvas[-40:, 4 * index : 4 * index + 40] = 200  # no picture is like the one before
            sway = np.array([[1, 0, 0], [0, 1, 20 + 12 * np.sin(index / 9)]])  # no crop is like the one before
            for number in range(faces):
                strip = canvas[: SIDE + 40, number * SIDE : (number + 1) * SIDE]
                strip[:] = cv2.warpAffine(portrait, sway, (SIDE, SIDE + 40), borderValue=(90, 90, 90))
            picture = av.VideoFrame.from_ndarray(canvas, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def draw(target: Path, by_length: list[float], by_faces: list[float], by_size: list[list[float]]) -> None:
    """Three plots: seconds by frames, milliseconds a frame by faces, milliseconds a frame by size."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    def each(values: list[float]) -> list[float]:
        return [1000 * value / FRAMES for value in values]

    figure, (length, faces, size) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    length.plot(LENGTHS, by_length, "o-")
    length.set(xlabel="frames", ylabel="seconds", title="one face, 480x360", xlim=0, ylim=0)
    faces.plot(FACES, each(by_faces), "o-")
    faces.set(xlabel="faces in each frame", ylabel="ms a frame", title=f"{FRAMES} frames, 480x360", ylim=0)
    pixels = [width * width * 3 / 4 / 1e6 for width in WIDTHS]
    without, with_face = by_size
    size.plot(pixels, each(with_face), "o-", label="one face")
    size.plot(pixels, each(without), "o-", label="no face: decoding, searching, encoding")
    difference = [one - none for one, none in zip(with_face, without, strict=True)]
    size.plot(pixels, each(difference), "o-", label="difference")
    size.set(xlabel="megapixels of a frame", ylabel="ms a frame", title=f"{FRAMES} frames, the same face")
    size.set_ylim(0, 1.5 * max(each(with_face)))  # room for the legend
    size.legend(loc="upper left")
    figure.savefig(target, dpi=90)


if __name__ == "__main__":
    main()
