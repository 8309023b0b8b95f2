"""How large must a face be in a 1080p frame to be found, for each --detect-size, and what does it cost?

Aligned faces are shrunk and pasted into noise-free grey 1920x1080 frames, softened as old film is. Needs a folder of
aligned faces:

    GFPVIDEO_FACES=... python benchmarks/detection.py
"""

import os
import time
from pathlib import Path

import cv2
import numpy as np

from gfpvideo.faces.detectors.centerface import CenterFace

SIDES = (480, 640, 960, 1280)
FACES = (20, 30, 40, 60, 90, 140)
"""Heights from brow to chin, pixels: about half of an aligned picture's side."""
PER_FRAME = 6
PICTURES = range(901, 961)


def frame_of(pictures: list[np.ndarray], height: int) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """A 1080p frame with faces of one size, and the centres of the faces."""
    frame = np.full((1080, 1920, 3), 110, np.uint8)
    centres = []
    side = 2 * height
    for index, picture in enumerate(pictures):
        left, top = 60 + index * 300, 100 + (index % 3) * 280
        frame[top : top + side, left : left + side] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        centres.append((left + side / 2, top + side * 0.55))
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.2), np.uint8), centres


def main() -> None:
    """Print a table."""
    folder = Path(os.environ["GFPVIDEO_FACES"])
    loaded = [cv2.imread(str(folder / f"{number}.jpg")) for number in PICTURES]
    shrunk = (
        cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA) for picture in loaded if picture is not None
    )
    pictures = [np.asarray(picture, np.uint8) for picture in shrunk]
    detector = CenterFace(0.5)
    print("detect-size   ms a frame   found, by height of the face in pixels: " + "  ".join(f"{h:>4}" for h in FACES))
    for side in SIDES:
        shares, spent = [], []
        for height in FACES:
            hits = 0
            for start in range(0, len(pictures), PER_FRAME):
                frame, centres = frame_of(pictures[start : start + PER_FRAME], height)
                shrink = min(1.0, side / max(frame.shape[:2]))
                small = np.asarray(
                    cv2.resize(frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
                )
                detector.detect([small])
                began = time.perf_counter()
                (found,) = detector.detect([small])
                spent.append(time.perf_counter() - began)
                scale = frame.shape[1] / small.shape[1]
                noses = [face.landmarks[2] * scale for face in found]
                hits += sum(any(np.hypot(x - a, y - b) < height / 2 for a, b in noses) for x, y in centres)
            shares.append(hits / len(pictures))
        print(
            f"{side:>11}   {1000 * np.median(spent):10.1f}   {'':40}" + "  ".join(f"{share:4.0%}" for share in shares)
        )


if __name__ == "__main__":
    main()
