"""Short films of one face, aged as each pipeline expects."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data


def aged(name: str, path: Path) -> Path:
    """A short film with sound of a face that sways, aged as the pipeline ``name`` expects."""
    random = np.random.default_rng(7)
    portrait = cv2.resize(skimage.data.astronaut()[:400], (400, 320), interpolation=cv2.INTER_AREA)
    fields = name in {"vhs", "dvd_interlaced"}
    with av.open(str(path), "w") as container:
        options = {"crf": "30", "preset": "ultrafast"} if name == "webcam" else {"crf": "14", "preset": "ultrafast"}
        if fields:
            options |= {"x264-params": "tff=1"}
        video: Any = container.add_stream("libx264", rate=25, options=options)
        video.width, video.height, video.pix_fmt = 384, 288, "yuv420p"
        sound: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for index in range(24):
            shown = sway(portrait, 2 * index if fields else index)
            if fields:  # the second field is taken half a frame later
                shown[1::2] = sway(portrait, 2 * index + 1)[1::2]
            picture = av.VideoFrame.from_ndarray(damaged(shown, name, random), format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(video.encode(picture))
        heard = av.AudioFrame.from_ndarray(random.integers(-9000, 9000, (1, 7680)).astype(np.int16), layout="mono")
        heard.rate, heard.pts = 8000, 0
        container.mux(sound.encode(heard))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def sway(portrait: Any, place: int) -> Any:
    left = round(8 + 7 * np.sin(place / 5))
    return portrait[:288, left : left + 384].copy()


def damaged(picture: Any, name: str, random: np.random.Generator) -> Any:
    values = picture.astype(np.float32)
    if name in {"home_movie_8mm", "bw_film"}:
        values *= random.uniform(0.9, 1.1)  # flicker
        values += random.normal(0, 6, (*values.shape[:2], 1))  # grain
    if name == "bw_film":
        values = values.mean(axis=2, keepdims=True).repeat(3, axis=2)
    if name == "vhs":
        values = np.stack([values[..., 0], cv2.blur(values[..., 1], (5, 1)), cv2.blur(values[..., 2], (7, 1))], axis=2)
        values += random.normal(0, 5, values.shape)
    return np.clip(values, 0, 255).astype(np.uint8)
