"""Make the README's picture: frames of the two samples, before and after, by the program itself.

python samples/make_pictures.py
"""

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

import gfpvideo

HERE = Path(__file__).parent
TARGET = HERE.parent / "docs" / "images" / "before_after.jpg"
SHOWN = (("home_movie.mp4", 80, (60, 0, 420, 300)), ("vhs_tape.mkv", 90, (80, 20, 440, 320)))
"""Sample, frame, and the part of the frame that is shown (left, top, right, bottom)."""


def frame_of(path: Path, number: int) -> np.ndarray:
    """One frame as BGR."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == number:
                return np.asarray(frame.to_ndarray(format="bgr24"))
    raise ValueError(f"{path} has no frame {number}")


def main() -> None:
    """Restore both samples and write the picture."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, number, (left, top, right, bottom) in SHOWN:
            target = Path(folder) / name
            gfpvideo.restore(HERE / name, target)
            pair = [frame_of(path, number)[top:bottom, left:right] for path in (HERE / name, target)]
            rows.append(np.concatenate(pair, axis=1))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET), np.concatenate(rows, axis=0), [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
