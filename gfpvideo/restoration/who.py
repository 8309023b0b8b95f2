"""Who in a film looks like the person of a picture: `restore --reference`.

ArcFace turns aligned faces into vectors whose angle tells persons apart. Its weights could not be had where gfpvideo is
developed: what is tested is the way there, with random weights, not the threshold, which is a usual one for ArcFace.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import InputError
from gfpvideo.faces.align import cut, template
from gfpvideo.faces.detectors.detector import Detector
from gfpvideo.frames import CroppedFrame, Face
from gfpvideo.media.still import read_picture
from gfpvideo.networks.arcface import ArcFace, embeddings
from gfpvideo.pixels.geometry import face_size
from gfpvideo.stages.spread import Spread

SIDE = 256
"""Side of the crops that are compared."""
_LOOKS = 8
"""Crops of a track that are compared at most."""

Embedding = NDArray[np.float32]
"""(512,) of length 1."""


def embed(network: ArcFace, crops: NDArray[np.float32]) -> Embedding:
    """Mean direction of the faces of one person, (B, S, S, 3) RGB in [-1, 1]."""
    vectors = embeddings(network, crops.transpose(0, 3, 1, 2).copy())
    mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def portrait(path: Path, detector: Detector, min_score: float) -> NDArray[np.float32]:
    """(S, S, 3) crop of the largest face of a picture.

    Raises:
        InputError: if the picture cannot be read, or shows no face.
    """
    frame = read_picture(path, None).frame
    (found,) = detector.detect([frame.thumbnail])
    faces = [detection.scaled(frame.thumbnail_scale) for detection in found if detection.score >= min_score]
    if not faces:
        raise InputError(f"{path}: no face was found; give a picture that shows the person's face")
    largest = max(faces, key=lambda face: face_size(face.landmarks))
    crop = cut(frame, Face(1, largest.landmarks, filled=False), template(SIDE, detector.landmarks_512), SIDE)
    assert crop is not None, "a face that was found lies inside its picture"
    return crop.source


def similarities(frames: Iterator[CroppedFrame], network: ArcFace, wanted: Embedding) -> dict[int, float]:
    """Cosine between each track's face and the wanted one, by number of the track."""
    looks: dict[int, Spread[NDArray[np.float32]]] = {}
    for frame in frames:
        for crop in frame.crops:
            looks.setdefault(crop.face.track, Spread(_LOOKS)).add(crop.source)
    return {track: float(embed(network, np.stack(seen.items)) @ wanted) for track, seen in looks.items()}
