"""What does the picture outside the faces win by ``--around picture``?

The clips and the damage of ``steady.py``; of each film the third of five frames is gathered, without a generator, and
compared with the clean one: outside the faces, and near them, where the clips themselves are seen and not the blurred
background that they stand before.

    python benchmarks/picture.py FOLDER_OF_CLIPS
"""

import argparse
import inspect
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from steady import DAMAGES, HEIGHT, HELD, MARGIN, SIZE, WIDTH, Film, clip, film, places, to_bytes

from gfpvideo.frames import GeneratedFrame, Rect, TrackedFrame
from gfpvideo.media.arrays import Layout, frame_of_arrays
from gfpvideo.media.patched import Repainter
from gfpvideo.networks.over_time import network_of_pictures
from gfpvideo.pixels.color import read_rgb
from gfpvideo.pixels.geometry import Affine, compose, resample
from gfpvideo.pixels.regions import face_mask
from gfpvideo.temporal.picture import gather_picture

FRAMES, MIDDLE = 5, 2


def frames_of(pictures: Film) -> list[GeneratedFrame]:
    """Frames of one shot, without faces."""
    layout = Layout("rgb", 8, color_range=2)
    planes = [[np.ascontiguousarray(picture[..., channel]) for channel in range(3)] for picture in to_bytes(pictures)]
    frames = [frame_of_arrays(index, each, layout) for index, each in enumerate(planes)]
    return [GeneratedFrame(TrackedFrame(frame, (), cut=frame.index == 0), (), 0) for frame in frames]


def regions(where: Sequence[Affine]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(H, W) what lies outside the faces, and what of that the clips show."""
    faces, shown = np.zeros((2, HEIGHT, WIDTH), np.float32)
    for to_frame in where:
        to_crop = compose(to_frame, np.array([[1.0, 0, MARGIN], [0, 1, MARGIN]]))
        for seen, mask in ((faces, face_mask(SIZE)), (shown, np.ones((SIZE, SIZE), np.float32))):
            np.maximum(seen, resample(mask, to_crop, (WIDTH, HEIGHT), cv2.BORDER_CONSTANT), out=seen)
    outside = faces < 0.02
    return outside, outside & (shown > 0.9)


def psnr(found: GeneratedFrame, clean: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """In dB."""
    frame = found.frame
    rgb = read_rgb(frame.components, frame.samples, Rect(0, 0, *frame.size))
    return float(-10 * np.log10(max(float(np.square(rgb - clean)[where].mean()), 1e-12)))


def main() -> None:
    """Age, gather, measure, print."""
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    arguments = parser.parse_args()
    networks = network_of_pictures("gather"), network_of_pictures("confidence")
    rows: dict[str, list[list[float]]] = {}
    for seed, name in enumerate(HELD):
        where = places(FRAMES, seed)
        truth = film(clip(arguments.clips / f"{name}.mp4", FRAMES), where)
        for number, damage in enumerate([*DAMAGES, "none"]):
            aged = truth if damage == "none" else DAMAGES[damage](truth, np.random.default_rng([seed, number]))
            frames, started = frames_of(aged), time.process_time()
            after = list(gather_picture(iter(frames), *networks, Repainter()))
            cost = 1000 * (time.process_time() - started) / FRAMES
            pairs = [
                psnr(each[MIDDLE], truth[MIDDLE], region)
                for region in regions(where[MIDDLE])
                for each in (frames, after)
            ]
            rows.setdefault(damage, []).append([*pairs, cost])
    print(f"{'damage':8}{'outside':>10}{'gathered':>10}{'near':>10}{'gathered':>10}{'ms':>10}")
    for damage, found in rows.items():
        print(f"{damage:8}" + "".join(f"{mean:10.2f}" for mean in np.mean(found, axis=0)))


if __name__ == "__main__":
    main()
