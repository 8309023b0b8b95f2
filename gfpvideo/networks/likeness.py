"""Who somebody is, as a vector: dlib's recogniser (King, 2017), which comes by pip with its weights (`[likeness]`).

Vectors of one person lie close to each other. Over the 70 people of the London set, who look into the camera with and
without a smile: one person at most 0.42 apart, two persons at least 0.47; where one of the pictures was shrunk to 72
pixels, with noise and JPEG 50, one person 0.44 in the middle and at most 0.56.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.errors import EngineError
from gfpvideo.pixels.geometry import resample

Vector = NDArray[np.float32]
"""(128,) who somebody is; compare two by their distance."""

Picture = NDArray[np.uint8]
"""(150, 150, 3) RGB, a face that fills it."""

_SIDE = 150
"""Side of the picture that the recogniser wants."""
_FROM_512 = np.array([[0.4147, -0.0014, -31.75], [0.0014, 0.4147, -55.69]])
"""From a face aligned at 512 pixels to that picture: by the median landmarks that dlib finds in 80 of them."""
_PACKAGES = {"dlib": "dlib-bin", "face_recognition_models": "face-recognition-models"}
PACKAGES = tuple(_PACKAGES.values())
"""What the extra brings."""


class Recogniser:
    """Turns aligned faces into vectors, on the processor."""

    def __init__(self) -> None:
        """Load dlib's network.

        Raises:
            EngineError: if the extra is not installed.
        """
        missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
        if missing:
            raise EngineError(f'{", ".join(missing)} is not installed; get it with: pip install "gfpvideo[likeness]"')
        self._network = _network()

    def __call__(self, pictures: Sequence[Picture]) -> Vector:
        """Who is seen in pictures of one person: the mean of what each says."""
        said = [np.array(self._network.compute_face_descriptor(picture), np.float32) for picture in pictures]
        return np.asarray(np.mean(said, axis=0), np.float32)


def picture_of(crop: NDArray[np.float32]) -> Picture:
    """What the recogniser wants to see of an aligned crop (S, S, 3) RGB in [-1, 1]."""
    to_picture = _FROM_512 * [512 / len(crop), 512 / len(crop), 1.0]
    picture = resample(crop, to_picture, (_SIDE, _SIDE), cv2.BORDER_REFLECT_101)
    return np.rint(np.clip(picture * 127.5 + 127.5, 0, 255)).astype(np.uint8)


@cache
def _network() -> Any:
    import dlib  # pyright: ignore[reportMissingImports]

    # The package's own functions ask pkg_resources, which newer setuptools lack.
    found = find_spec("face_recognition_models")
    assert found is not None
    assert found.origin is not None
    weights = Path(found.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    return dlib.face_recognition_model_v1(str(weights))  # pyright: ignore[reportAttributeAccessIssue]


def likeness(one: Vector, other: Vector) -> float:
    """How alike two are: 1 less their distance, so 1 for the same; negative for nobody alike."""
    return 1 - float(np.linalg.norm(one - other))
