"""Make the README's pictures: the two samples before and after, still and moving, by the program itself.

python samples/make_pictures.py
"""

import tempfile
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

import gfpvideo

HERE = Path(__file__).parent
FOLDER = HERE.parent / "docs" / "images"
SHOWN = (("home_movie.mp4", 80, (60, 0, 420, 300)), ("vhs_tape.mkv", 90, (80, 20, 440, 320)))
"""Sample, frame, and the part of the frame that is shown (left, top, right, bottom)."""
_MOVING = 36
"""Frames of the first sample that move: two seconds."""


def frames_of(path: Path) -> list[np.ndarray]:
    """All frames as RGB."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def main() -> None:
    """Restore both samples and write the pictures."""
    rows = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, number, (left, top, right, bottom) in SHOWN:
            target = Path(folder) / name
            gfpvideo.restore(HERE / name, target)
            pairs = zip(frames_of(HERE / name), frames_of(target), strict=True)
            sides = [np.concatenate([side[top:bottom, left:right] for side in pair], axis=1) for pair in pairs]
            rows.append(sides[number])
            if len(rows) == 1:
                _write_moving(list(islice(sides, _MOVING)), FOLDER / "before_after.webp")
    still = np.concatenate(rows, axis=0)[..., ::-1]
    cv2.imwrite(str(FOLDER / "before_after.jpg"), still, [cv2.IMWRITE_JPEG_QUALITY, 90])


def _write_moving(sides: list[np.ndarray], path: Path) -> None:
    """Frames, forth and back, over and over."""
    pictures = [Image.fromarray(side) for side in (*sides, *sides[-2:0:-1])]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 / 18, loop=0, quality=35, method=4)


if __name__ == "__main__":
    main()
