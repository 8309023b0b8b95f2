"""Does a restoration bring an aged film closer to the truth? PSNR and SSIM inside the face rectangle.

The webcam clip is scaled to 360 lines (its face then fits the generator's crop), aged frame by frame - shrunk to a half
and enlarged again, noise of sigma 6, JPEG quality 40 - and restored. Needs a folder of test clips and the test extra:

    GFPVIDEO_MEDIA=... python benchmarks/aged_webcam.py [--sheet sheet.png] [KEY=VALUE of RestoreOptions ...]
"""

import argparse
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import gfpvideo
from gfpvideo.frames import Rect
from gfpvideo.restoration.events import FrameDone

CLIP = "androidx/sample.mp4"
LINES = 360

Picture = NDArray[np.uint8]


def clean_pictures(clip: Path) -> list[Picture]:
    """RGB pictures of ``clip`` at ``LINES`` lines."""
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    width = round(frames[0].shape[1] * LINES / frames[0].shape[0])
    return [np.asarray(cv2.resize(frame, (width, LINES), interpolation=cv2.INTER_AREA), np.uint8) for frame in frames]


def aged(picture: Picture, random: np.random.Generator) -> Picture:
    """One frame aged on its own, as the worst tape does."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy = np.clip(large + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    _, code = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def write(path: Path, pictures: list[Picture]) -> None:
    """Encode without loss."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264rgb", rate=30, options={"qp": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "rgb24", Fraction(1, 30)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read(path: Path) -> list[Picture]:
    """Decode to RGB."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def scores(pictures: list[Picture], truth: list[Picture], rects: list[Rect]) -> tuple[float, float]:
    """Mean PSNR (dB) and SSIM inside the rectangles."""
    pairs = [
        (picture[r.top : r.bottom, r.left : r.right], clean[r.top : r.bottom, r.left : r.right])
        for picture, clean, r in zip(pictures, truth, rects, strict=True)
    ]
    psnr = [peak_signal_noise_ratio(clean, picture) for picture, clean in pairs]
    ssim = [structural_similarity(clean, picture, channel_axis=2) for picture, clean in pairs]
    return float(np.mean(psnr)), float(np.mean(ssim))


def main() -> None:
    """Age, restore, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sheet", type=Path, help="write aged | restored | clean of three frames")
    parser.add_argument("options", nargs="*", help="KEY=VALUE of RestoreOptions")
    arguments = parser.parse_args()
    values = dict(option.split("=", 1) for option in arguments.options)
    clean = clean_pictures(Path(os.environ["GFPVIDEO_MEDIA"]) / CLIP)
    random = np.random.default_rng(0)
    old = [aged(picture, random) for picture in clean]
    rects: list[Rect] = []

    def note(progress: FrameDone) -> None:
        rects.extend(rect for _, rect in progress.restored.touched)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "aged.mkv", Path(folder) / "restored.mkv"
        write(source, old)
        options = gfpvideo.RestoreOptions.parse({"model": "compact", "codec": "libx264rgb", "crf": 0, **values})
        report = gfpvideo.restore(source, target, options, on_frame=note)
        new = read(target)
    for name, pictures in (("aged", old), ("restored", new)):
        psnr, ssim = scores(pictures, clean, rects)
        print(f"{name:<10} PSNR {psnr:6.2f} dB   SSIM {ssim:.4f}")
    print(f"{report.faces} faces, {report.model} on {report.engine}")
    if arguments.sheet:
        r = rects[0]
        rows = [[p[i][r.top : r.bottom, r.left : r.right] for p in (old, new, clean)] for i in (0, 14, 29)]
        sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
        cv2.imwrite(str(arguments.sheet), cv2.resize(sheet[..., ::-1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    main()
