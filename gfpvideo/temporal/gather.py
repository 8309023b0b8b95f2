"""Bring together, before the generator, what the frames around a crop know of the same face.

One frame of an old film holds little of a face; its neighbours hold other grain, other noise, and the same face. They
are laid onto the crop along the optical flow, and a small network decides pixel by pixel what is taken of each. Where
the flow fails - an eye shuts, a hand passes - neighbours differ from the crop and nothing of them is taken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.frames import Crop, CroppedFrame
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.mix import mixed, picture_of, planes_of
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.agreement import agreement
from gfpvideo.temporal.motion import around, brought
from gfpvideo.temporal.neighbours import Held, enlarged, held, shed

OFFSETS = (-1, 1, -2, 2)
"""Frames from a crop to its neighbours, in the network's order."""
RADIUS = max(OFFSETS)
"""Frames from a crop to its farthest neighbour."""
_NEIGHBOURHOOD = 2.0
"""Standard deviation, in pixels of the crop, over which a neighbour's difference is gathered."""
LENIENCY = 3.0
"""How much more a neighbour may differ than one that restorations are averaged with: the network looks for itself."""
_GAIN = 4.0
"""What a difference is multiplied by: a quarter of the range of values counts as altogether different."""
_MEAN = np.full((1, 3), 1 / 3, np.float32)
"""Of three channels."""


Gatherer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""The network: (19, S, S) of :func:`network_input` to (3, S, S) RGB in about [-1, 1]."""


def reach(*, on: bool) -> Reach:
    """Frames around one that its gathered crops depend on."""
    return Reach(RADIUS, RADIUS) if on else Reach()


def gather(frames: Iterator[CroppedFrame], gatherer: Gatherer | None) -> Iterator[CroppedFrame]:
    """Stage: crops with what their neighbours in time know; hands them on two frames later.

    What gets no restoration is left as it is. What is spared the generator is gathered all the same: brought from its
    neighbours like their restorations, it would know less of the face (0.2 dB on grainy film).

    Args:
        frames: consecutive frames with their crops, how these move, and what share of a restoration they get.
        gatherer: the network, or ``None`` to leave everything as it is.
    """
    if gatherer is None:
        yield from frames
        return
    for window, place in windows((held(frame, frame.crops) for frame in frames), RADIUS, shed):
        frame = window[place].now
        yield replace(frame, crops=tuple(_gathered(crop, window, place, gatherer) for crop in frame.crops))


def _gathered(crop: Crop, window: Sequence[Held[CroppedFrame]], place: int, gatherer: Gatherer) -> Crop:
    track = crop.face.track
    found = around(track, [item.crops for item in window], place, RADIUS) if crop.share else []
    if not found:
        return crop
    laid = [brought(window[there].luma[track], along) for there, along in found]
    alike = agreement(window[place].luma[track], laid, LENIENCY)
    neighbours = {
        there - place: _where_alike(crop.source, brought(window[there].crops[track].source, along), weight)
        for (there, along), weight in zip(found, alike, strict=True)
    }
    seen = network_input(crop.source, in_order(neighbours, crop.source))
    return replace(crop, gathered=picture_of(gatherer(seen)))


def _where_alike(own: FloatImage, neighbour: FloatImage, alike: FloatImage) -> FloatImage:
    """A neighbour where it shows what the crop shows, the crop itself elsewhere."""
    return mixed(own, neighbour, enlarged(alike, len(own)))


def in_order(neighbours: Mapping[int, FloatImage], own: FloatImage) -> list[FloatImage]:
    """Neighbours, known by how many frames later they are, as the network wants them.

    Where a track or a shot begins or ends, those on the other side are shown twice. The picture itself in their place
    would be taken for neighbours that agree with it to the last grain: every shot would begin with a noisy frame.
    """
    return [neighbours.get(offset, neighbours.get(-offset, own)) for offset in OFFSETS]


def network_input(own: FloatImage, neighbours: Sequence[FloatImage]) -> NDArray[np.float32]:
    """(19, S, S) what the network sees of a crop and its four neighbours, each (S, S, 3), laid onto it."""
    return planes_of(own, *neighbours, *(difference(neighbour, own) for neighbour in neighbours))


def difference(neighbour: FloatImage, own: FloatImage) -> FloatImage:
    """(S, S) from -1: how far a neighbour is from the crop around each pixel."""
    apart = cv2.transform(cv2.absdiff(neighbour, own), _MEAN)
    return np.asarray(_GAIN * cv2.GaussianBlur(apart, (0, 0), _NEIGHBOURHOOD) - 1, np.float32)
