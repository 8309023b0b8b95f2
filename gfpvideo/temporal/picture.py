"""Gather whole pictures: what lies behind a clean face gets what the frames beside know of it, like the face itself.

The networks, and what they see, are those of crops: one gathers (:mod:`gfpvideo.temporal.gather`), the other one says
how far that is believed (:mod:`gfpvideo.temporal.believe`); of a film without noise, fine detail comes back
(:mod:`gfpvideo.composite.detail`). Flow and agreement are measured between smaller pictures. A network sees a band of
rows at a time, and more rows than are kept of it, so that no seam shows. Where a shot begins, nothing before is looked
at.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.blocks import steps_under
from gfpvideo.composite.detail import lost_detail
from gfpvideo.composite.weigh import damage_of_picture, noise_between
from gfpvideo.faces.align import cut_again
from gfpvideo.frames import Frame, GeneratedFrame, Motion, Rect
from gfpvideo.pixels.color import Components, FloatImage, add_rgb, read_rgb, rgb_to_ycc
from gfpvideo.pixels.mix import mixed, picture_of, planes_of
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows
from gfpvideo.temporal.agreement import agreement
from gfpvideo.temporal.believe import Judge
from gfpvideo.temporal.gather import LENIENCY, RADIUS, Gatherer, in_order, network_input
from gfpvideo.temporal.motion import Flow, around, between, pulled, reduced
from gfpvideo.temporal.neighbours import enlarged

Repaint = Callable[[Frame, Components], Frame]
"""Makes a frame with other samples of one."""

_WHOLE = 0
"""Stands for a picture where crops have the number of their track."""
_LOW_PASS = 1.5
"""Standard deviation, in pixels, of the low-pass before flow is measured: noise must not be followed."""
_SOFT = 0.75
"""The same, in pixels of the smaller picture, before neighbours are compared."""
_SMALLER = 2
"""How many times smaller the pictures are between which flow is measured, as with crops."""
_LONGEST = 960
"""Longest side of those pictures: the flow of larger films is measured more coarsely, in bearable time."""
_SHORTEST = 80
"""Shortest side of them: smaller films are looked at as they are."""
_LEAST = 16
"""Sides below which there is nothing to follow."""
_MARGIN = 44
"""Rows that a band sees beyond those that are kept. What gathers reaches 20: six convolutions over cells of two
pixels, and the blur of what they see of a difference. What judges reaches 44: eleven cells of four pixels."""
_CELL = 4
"""Pixels of a cell of either network: sides are made a multiple of it."""
_NEAR = np.ones((5, 5), np.uint8)
"""What is near a pixel: as far as a lens may have carried light."""
_BORDER = 8
"""Pixels, whole cells, by which a picture is continued beyond its edges, mirrored: networks are off by some grey levels
where they see nothing beyond."""
_AREA = 1 << 20
"""Pixels of a band, about: what the networks need of memory goes with it."""


def reach(*, on: bool) -> Reach:
    """Frames around one that its gathered picture depends on."""
    return Reach(RADIUS, RADIUS) if on else Reach()


@dataclass(frozen=True)
class _Scene:
    """A frame of the window, and what is looked at of it."""

    frame: GeneratedFrame | None
    """The frame itself, until it was handed on."""
    rgb: FloatImage
    """(H, W, 3) RGB in [-1, 1]."""
    soft: FloatImage
    """(h, w) luma that is compared."""
    small: NDArray[np.uint8]
    """(h, w) luma that is followed."""
    motion: Motion | None
    """Since the frame before; ``None`` where a shot begins."""


def gather_picture(
    frames: Iterator[GeneratedFrame],
    gatherer: Gatherer | None,
    judge: Judge | None,
    repaint: Repaint,
    strength: float = 1.0,
) -> Iterator[GeneratedFrame]:
    """Stage: frames whose whole pictures are gathered, and whose crops tell what these show; two frames later.

    What has no neighbour in its shot stays as it is.

    Args:
        frames: consecutive frames, and where shots begin.
        gatherer: the network, for planes of any size, or ``None`` to leave everything as it is.
        judge: says how far what was gathered is believed, likewise; ``None`` for altogether.
        repaint: makes the frames.
        strength: how much of the change goes into them, 0 to 1.
    """
    if gatherer is None or not strength:
        yield from frames
        return
    for window, place in windows(_scenes(frames), RADIUS, lambda scene: replace(scene, frame=None)):
        generated, own, beside = window[place].frame, window[place].rgb, _beside(window, place)
        assert generated is not None
        if beside is None:
            yield generated
            continue
        shown = _detailed(_shown(own, beside.laid, gatherer, judge), own, generated.frame, beside.noise)
        yield _repainted(generated, (_within(shown, own) - own) * np.float32(0.5 * strength), repaint)


def _scenes(frames: Iterator[GeneratedFrame]) -> Iterator[_Scene]:
    before: _Scene | None = None
    for frame in frames:
        before = _scene(frame, None if frame.tracked.cut else before)
        yield before


def _scene(generated: GeneratedFrame, before: _Scene | None) -> _Scene:
    frame = generated.frame
    rgb = np.clip(read_rgb(frame.components, frame.samples, _whole(frame)) * 2 - 1, -1.0, 1.0)
    luma, size = rgb_to_ycc(rgb)[0], _small_size(*frame.size)
    small = reduced(luma, size, _LOW_PASS)
    soft = cv2.GaussianBlur(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), (0, 0), _SOFT)
    return _Scene(generated, rgb, np.asarray(soft, np.float32), small, _motion(small, before))


def _motion(small: NDArray[np.uint8], before: _Scene | None) -> Motion | None:
    if before is None or before.small.shape != small.shape or min(small.shape) < _LEAST:
        return None
    return between(small, before.small)


def _whole(frame: Frame) -> Rect:
    return Rect(0, 0, *frame.size)


def _small_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture in which motion is looked for."""
    if min(width, height) < _SMALLER * _SHORTEST:
        return width, height
    times = max(_SMALLER, max(width, height) / _LONGEST)
    return round(width / times), round(height / times)


@dataclass(frozen=True)
class _Beside:
    """What lies beside a picture in time."""

    laid: Mapping[int, FloatImage]
    """Neighbours laid onto it, where they show the same; (H, W, 3) each, by how many frames later they are."""
    noise: float
    """Amplitude of noise in the fine band, by the neighbour that differs most."""


def _beside(window: Sequence[_Scene], place: int) -> _Beside | None:
    """The neighbours of a picture in its shot; ``None`` if it has none."""
    own = window[place]
    found = around(_WHOLE, [{_WHOLE: scene} for scene in window], place, RADIUS)
    if not found:
        return None
    soft = [pulled(window[there].soft, along) for there, along in found]
    laid, noise, luma = dict[int, FloatImage](), 0.0, rgb_to_ycc(own.rgb)[0]
    for (there, along), weight in zip(found, agreement(own.soft, soft, LENIENCY, whole=True), strict=True):
        brought = _brought(window[there].rgb, along)
        noise = max(noise, noise_between(luma, rgb_to_ycc(brought)[0]))
        laid[there - place] = mixed(own.rgb, brought, enlarged(weight, luma.shape[1], luma.shape[0]))
    return _Beside(laid, noise)


def _brought(picture: FloatImage, along: Flow) -> FloatImage:
    """A neighbour (H, W, 3), looked up where a flow (h, w, 2) between smaller pictures points."""
    (height, width), (rows, columns) = picture.shape[:2], along.shape[:2]
    fine = cv2.resize(along, (width, height), interpolation=cv2.INTER_LINEAR)
    return pulled(picture, np.asarray(fine * np.array([width / columns, height / rows], np.float32)))


def _shown(own: FloatImage, laid: Mapping[int, FloatImage], gatherer: Gatherer, judge: Judge | None) -> FloatImage:
    """(H, W, 3) what the networks make of a picture and its neighbours."""
    made = in_bands([own, *in_order(laid, own)], lambda own, *others: picture_of(gatherer(network_input(own, others))))
    if judge is None:
        return made
    return mixed(own, made, in_bands([made, own], lambda made, own: judge(planes_of(made, made, own))[0]))


def _within(shown: FloatImage, own: FloatImage) -> FloatImage:
    """(H, W, 3) what is shown, nowhere brighter or darker than the picture itself is near by.

    The network has learnt to sharpen what a lens has blurred; along the hard edges of a good film that leaves a halo.
    """
    low, high = (np.asarray(extreme(own, _NEAR), np.float32) for extreme in (cv2.erode, cv2.dilate))
    return np.clip(shown, low, high)


def _detailed(shown: FloatImage, own: FloatImage, frame: Frame, noise: float) -> FloatImage:
    """(H, W, 3) what is shown with the fine detail that the frame has more of, as far as that is no damage."""
    share = 1 - damage_of_picture(noise, steps_under(frame, _whole(frame)))
    return shown + lost_detail(own, rgb_to_ycc(own)[0], shown, share) if share > 0 else shown


def in_bands(seen: Sequence[FloatImage], run: Callable[..., FloatImage]) -> FloatImage:
    """(H, W) or (H, W, C) what a network makes of pictures (H, W, 3), band by band; ``run`` takes as many pictures."""
    height, width = seen[0].shape[:2]
    down, right = (_BORDER + -(side + 2 * _BORDER) % _CELL for side in (height, width))
    padded = [cv2.copyMakeBorder(each, _BORDER, down, _BORDER, right, cv2.BORDER_REFLECT_101) for each in seen]
    made = [
        run(*(each[see] for each in padded))[keep.start - see.start : keep.stop - see.start]
        for see, keep in bands(*padded[0].shape[:2])
    ]
    return np.concatenate(made)[_BORDER : _BORDER + height, _BORDER : _BORDER + width]


def bands(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Rows that a network sees at a time, always as many, and those of them that are kept; each begins with a cell."""
    rows = min(height, max(4 * _MARGIN, _AREA // width // _CELL * _CELL))
    begin = 0
    while begin < height:
        top = max(0, min(begin - _MARGIN, height - rows))
        end = height if top + rows == height else top + rows - _MARGIN
        yield slice(top, top + rows), slice(begin, end)
        begin = end


def _repainted(generated: GeneratedFrame, change: FloatImage, repaint: Repaint) -> GeneratedFrame:
    """A frame with its picture changed; what is to become of its faces is said of that picture."""
    frame, tracked = generated.frame, generated.tracked
    planes = tuple(plane.copy() for plane in frame.components)
    add_rgb(planes, frame.samples, _whole(frame), change)
    scene = repaint(frame, planes)
    crops = tuple(replace(crop, crop=cut_again(scene, crop.crop)) for crop in generated.crops)
    return replace(generated, tracked=replace(tracked, frame=scene), crops=crops, decoded=frame)
