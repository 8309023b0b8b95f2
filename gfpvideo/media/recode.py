"""Send pictures through a video codec and back: the damage of a bad transfer, for training."""

from collections.abc import Iterable
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_QUALITIES = {"libx264": ("crf", 42, 20), "mpeg2video": ("qscale", 28, 3)}
"""Codec, the option that sets its quality, and that option's worst and best value."""


def recode(picture: NDArray[np.float32], codec: str, quality: float) -> NDArray[np.float32]:
    """Encode and decode one picture, (H, W, 3) RGB in [0, 1].

    Args:
        picture: the picture; its sides are padded to even numbers on the way.
        codec: ``libx264`` or ``mpeg2video``.
        quality: 0 for the worst that still shows something, 1 for a good transfer.
    """
    name, worst, best = _QUALITIES[codec]
    value = round(worst + (best - worst) * quality)
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = padded.shape[1], padded.shape[0], "yuv420p"
    encoder.framerate, encoder.thread_count = 25, 1
    if name == "crf":
        encoder.options = {"crf": str(value), "preset": "veryfast", "tune": "zerolatency"}
    else:
        encoder.qscale, encoder.global_quality = True, value * 118
    (decoded,) = _there_and_back(encoder, {"libx264": "h264"}.get(codec, codec), [padded])
    return decoded[:height, :width]


def recode_film(frames: NDArray[np.float32], crf: int) -> NDArray[np.float32]:
    """Encode and decode consecutive frames (T, H, W, 3) RGB in [0, 1] with H.264, as one film.

    Args:
        frames: the film; its sides are padded to even numbers on the way.
        crf: constant rate factor: 18 looks like the source, 40 is a ruin.
    """
    height, width = frames.shape[1:3]
    padded = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = padded.shape[2], padded.shape[1], "yuv420p"
    encoder.framerate, encoder.thread_count = 25, 1
    encoder.options = {"crf": str(crf), "preset": "veryfast"}
    return np.stack(_there_and_back(encoder, "h264", padded))[:, :height, :width]


def _there_and_back(encoder: Any, codec: str, pictures: Iterable[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    packets = []
    for number, picture in enumerate(pictures):
        pixels = np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    decoded = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return [np.asarray(frame.to_ndarray(format="rgb24"), np.float32) / np.float32(255) for frame in decoded]
