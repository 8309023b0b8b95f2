"""Make the pictures of README.md and of docs/gallery.md: the two samples before and after, by the program itself.

Run in a checkout, with the test extra installed:

    python samples/make_pictures.py
"""

import tempfile
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from make_samples import FILM, TAPE, Clip, clean_frames
from PIL import Image

import gfpvideo

HERE = Path(__file__).parent
FOLDER = HERE.parent / "docs" / "images"
Box = tuple[int, int, int, int]
"""A part of a frame: left, top, right, bottom."""
SHOWN: tuple[tuple[Clip, int, Box, Box], ...] = (
    (FILM, 80, (60, 0, 420, 300), (160, 70, 320, 250)),
    (TAPE, 90, (80, 20, 440, 320), (175, 75, 335, 255)),
)
"""Sample, frame, the part of it that is shown, and its face, which is shown larger beside the photograph."""
_LARGER = 2
"""How many times larger a face is shown."""
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
        for clip, number, (left, top, right, bottom), face in SHOWN:
            target = Path(folder) / clip.name
            gfpvideo.restore(HERE / clip.name, target)
            pairs = list(zip(frames_of(HERE / clip.name), frames_of(target), strict=True))
            sides = [np.concatenate([side[top:bottom, left:right] for side in pair], axis=1) for pair in pairs]
            rows.append(sides[number])
            if len(rows) == 1:
                _write_moving(list(islice(sides, _MOVING)), FOLDER / "before_after.webp")
            photograph = next(islice(clean_frames(clip), number, None))
            three = [_part(each, face) for each in (*pairs[number], np.rint(photograph * 255).astype(np.uint8))]
            _write(np.concatenate([_larger(each) for each in three], axis=1), f"{target.stem}_face.jpg")
            before, after = (_nearness(each, three[2]) for each in three[:2])
            print(f"{clip.name}, frame {number}, face against the photograph: {before:.2f} dB, restored {after:.2f} dB")
    _write(np.concatenate(rows, axis=0), "before_after.jpg")


def _part(picture: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return picture[top:bottom, left:right]


def _larger(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(picture, None, fx=_LARGER, fy=_LARGER, interpolation=cv2.INTER_CUBIC))


def _nearness(picture: np.ndarray, photograph: np.ndarray) -> float:
    """PSNR of brightness at the photograph's own level and contrast: a restoration leaves fading alone."""
    found, true = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).ravel().astype(np.float64) for each in (picture, photograph))
    fitted = np.polyval(np.polyfit(found, true, 1), found)
    return float(10 * np.log10(255**2 / np.mean((fitted - true) ** 2)))


def _write(picture: np.ndarray, name: str) -> None:
    cv2.imwrite(str(FOLDER / name), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


def _write_moving(sides: list[np.ndarray], path: Path) -> None:
    """Frames, forth and back, over and over."""
    pictures = [Image.fromarray(side) for side in (*sides, *sides[-2:0:-1])]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 / 18, loop=0, quality=32, method=4)


if __name__ == "__main__":
    main()
