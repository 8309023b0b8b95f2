"""How much of its restoration a face should get: less where it is sharp and undamaged, tiny, or seen from the side.

Everything is measured on the source alone, so it does not depend on the model, and smoothed along the track, so that
nothing switches from one frame to the next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.composite.blocks import block_steps, difference, inner, levels
from gfpvideo.composite.raster import stands
from gfpvideo.frames import Crop, CroppedFrame, Frame, Rect
from gfpvideo.pixels.color import FloatImage
from gfpvideo.pixels.geometry import face_size, resample, scale_of
from gfpvideo.pixels.ramp import ramp
from gfpvideo.pixels.regions import face_mask, inside_face
from gfpvideo.stages.reach import Reach
from gfpvideo.stages.windows import windows

_FINE, _COARSE = (0.7, 1.4), (2.0, 4.0)
"""Bands (standard deviations of two Gaussians, in pixels of the crop) whose energies tell how sharp a face is."""
_BLURRED, _SHARP = 0.40, 0.56
"""Fine over coarse amplitude below which a face gets all of its restoration, and from which none is needed.

On clean FFHQ-like faces it is 0.52 (0.43 to 0.64), shrunk to a half and enlarged again 0.37, shrunk four times 0.27."""
_CLEAN, _NOISY = 0.7 / 127.5, 1.25 / 127.5
"""Amplitude of noise in the fine band that is no reason to restore, and from which sharpness is none not to.

White noise has 0.4 of its standard deviation there."""
_FLAT, _FLATTEST = 0.1, 1.1
"""Part of a face that is flat, and how many times its noise in the fine band may be what others have.

Of the noise between two frames the flattest tenth shows 0.9 to 1.03 times as much (tape, a camera's noise); of clean
talking heads, whose motion passes for noise, 0.4 to 0.8."""
_CLIPPED = 0.9
"""Mean luma of a block from which on it may be clipped."""
_SMOOTH, _GRAINY = 1.8 / 127.5, 2.5 / 127.5
"""Amplitude in the fine band of the flattest quarter of a single face that is its own, and from which it may be grain.

Of ten clean faces 150 and 250 pixels wide nine have 1.7 or less (of sharpened portraits, eight); with grain of
deviation 10 it is 2.3 or more."""
_UNEVEN, _EVEN = 0.55, 0.66
"""The same amplitude over that of the whole face: detail is gathered in places, grain is everywhere.

Clean faces have 0.35 (0.24 to 0.54), with grain 0.7 (0.55 to 0.8)."""
_AVERAGED = 0.75
"""Crop pixels for each frame pixel below which the crop averages noise away, so that it is looked for in the frame."""
_WHOLE, _BLOCKY = 0.8, 1.6
"""Height of the steps between compression's blocks that is no reason to restore, and from which sharpness is none not
to, in levels of 255; where the crop is smaller than the face, so are the steps.

JPEG of quality 80 leaves 0.6, 60 1.2, 30 2.2 (:func:`gfpvideo.composite.blocks.block_steps`)."""
_DAMAGED = 0.25
"""Need for noise or blocks alone from which nothing is trusted to be detail: noise must not come back as such."""
_BLOCK = 16
"""Blocks of a crop by which noise is measured: their median leaves out what moves."""
_TURNED, _PROFILE = np.radians(38), np.radians(55)
"""Yaw where the restoration fades out."""
_NOSE_TURNED, _NOSE_PROFILE = 0.65, 0.95
"""The same where yaw is not known: asymmetry of the nose between the eyes (0: frontal, 1: above one eye)."""
_HOPELESS, _SURE = 0.4, 0.7
"""Mean trust in the frames around one below which a face is left alone, and from which it is restored."""
_HIDDEN, _SEEN = 0.2, 0.8
"""The same for the few frames around it, where something may pass before a face that is seen well otherwise."""
_PASSING = 2
"""Frames either side that are these few: of one doubtful frame among them nothing is seen."""
_TINY = 0.5
"""Share of the least size by which a face must exceed it to be restored altogether; less where the picture is enlarged.

There small faces are seen better: of eight of 12 pixels, with light noise and enlarged twice, the whole restoration is
nearer to the truth than the half of it by 0.9 dB and 17 % of perceptual distance."""
_REPEATED = 0.3
"""Mean difference of two frames' faces, in levels of 255, below which one is the other: encoders leave that much."""
_RADIUS = 6
"""Frames either side over which the share of a restoration is averaged, so that it fades and never switches."""
_LEAST = 0.02
"""Shares below this are none: the generator need not run."""


class _Look(NamedTuple):
    """What one face looks like in one frame."""

    share: float
    """How much of its restoration it needs."""
    damage: float
    """How much of what is finest in it is damage."""
    trust: float
    """How far the places of its points can be trusted."""
    news: bool = True
    """Whether it shows what the frame before does not: else grain, which has not changed, passes for detail."""


@dataclass(frozen=True)
class _Measured:
    """What each face of a frame needs by itself."""

    frame: CroppedFrame | None
    """The frame itself, until it was handed on."""
    looks: dict[int, _Look]
    """By track."""


def reach(*, adapt: bool) -> Reach:
    """Frames around one that its shares depend on: if measured, each against the frame before it, then averaged."""
    return Reach(_RADIUS + adapt, _RADIUS)


def weigh(
    frames: Iterator[CroppedFrame], min_face: float, *, adapt: bool = True, times: int = 1
) -> Iterator[CroppedFrame]:
    """Stage: each crop with the share of its restoration that it should get, a few frames later.

    Args:
        frames: frames with their crops.
        min_face: least size of a face in display pixels.
        adapt: whether faces get less than all of it where they need less; who cannot be placed gets none either way.
        times: how many times the picture will be enlarged.
    """
    measure = partial(_measure, min_face=min_face, times=times)
    marked = _mark_repeats(frames)
    measured = _measured(marked, measure) if adapt else map(_unmeasured, marked)
    for window, place in windows(measured, _RADIUS, lambda item: replace(item, frame=None)):
        yield _weighed(window, place)


def placed(trust: float) -> float:
    """Share of its restoration, 0 to 1, that a face gets of whose points so much is sure, over several frames."""
    return ramp(trust, _HOPELESS, _SURE)


def hopeless(trust: float) -> bool:
    """Whether a face is left alone because nobody can tell where its eyes and mouth are."""
    return placed(trust) < _LEAST


def _mark_repeats(frames: Iterator[CroppedFrame]) -> Iterator[CroppedFrame]:
    before: Frame | None = None
    for cropped in frames:
        last, before = before, cropped.frame
        if last is None or cropped.tracked.cut or last.samples != before.samples or last.size != before.size:
            yield cropped
        else:
            crops = (replace(crop, repeated=_repeats(last, before, inner(crop, before))) for crop in cropped.crops)
            yield replace(cropped, crops=tuple(crops))


def _repeats(last: Frame, now: Frame, rect: Rect) -> bool:
    """Whether two frames show the same within a rectangle, but for what an encoder has made of one of them."""
    return not rect.empty and difference(last, now, rect) < _REPEATED


def _measured(
    frames: Iterator[CroppedFrame],
    measure: Callable[[Crop, Frame, FloatImage, FloatImage | None], tuple[float, float]],
) -> Iterator[_Measured]:
    before: dict[int, FloatImage] = {}
    for frame in frames:
        crops = {crop.face.track: crop for crop in frame.crops}
        fine = {track: fine_detail(crop.luma) for track, crop in crops.items()}
        looks = {
            track: _Look(*measure(crop, frame.frame, fine[track], before.get(track)), crop.trust, not crop.repeated)
            for track, crop in crops.items()
        }
        before = fine
        yield _Measured(frame, looks)


def _unmeasured(frame: CroppedFrame) -> _Measured:
    """A face gets all of its restoration, and anything may be damage."""
    return _Measured(frame, {crop.face.track: _Look(1.0, 1.0, crop.trust) for crop in frame.crops})


def _measure(
    crop: Crop, frame: Frame, fine: FloatImage, before: FloatImage | None, min_face: float, times: int
) -> tuple[float, float]:
    grainy = stands(crop) * frame_grain(frame, crop) if scale_of(crop.to_crop) < _AVERAGED else 0.0
    return need_and_damage(crop, fine, min_face, before, block_steps(frame, crop), times, grainy)


def _weighed(window: Sequence[_Measured], place: int) -> CroppedFrame:
    frame = window[place].frame
    assert frame is not None
    return replace(frame, crops=tuple(_shared(crop, window, place) for crop in frame.crops))


def _shared(crop: Crop, window: Sequence[_Measured], place: int) -> Crop:
    """The crop with its share: the mean need around it, as far as it can be placed."""
    looks = {number: item.looks[crop.face.track] for number, item in enumerate(window) if crop.face.track in item.looks}
    near = [look.trust for number, look in looks.items() if abs(number - place) <= _PASSING]
    telling = [look for look in looks.values() if look.news] or list(looks.values())
    share, damage = (_mean(getattr(look, name) for look in telling) for name in ("share", "damage"))
    trust = _mean(look.trust for look in looks.values())
    seen = min(placed(trust), ramp(_mean(near), _HIDDEN, _SEEN))
    share *= seen
    return replace(crop, share=share if share >= _LEAST else 0.0, damage=damage, hopeless=bool(seen < _LEAST))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def need_and_damage(
    crop: Crop,
    fine: FloatImage,
    min_face: float,
    before: FloatImage | None = None,
    steps: float = 0.0,
    times: int = 1,
    grainy: float = 0.0,
) -> tuple[float, float]:
    """Share of its restoration that one crop should get, and of its finest detail that is damage, 0 to 1 each.

    Args:
        crop: the crop.
        fine: its :func:`fine_detail`.
        min_face: least size of a face in display pixels.
        before: fine detail of the same face one frame earlier: the difference shows how noisy both are.
        steps: height of the steps between compression's blocks in the frame, in levels of 255.
        times: how many times the picture will be enlarged.
        grainy: whether there is noise in the frame that the crop averages away, 0 to 1.
    """
    luma, scale = crop.luma, scale_of(crop.to_crop)
    alone = before is None
    noise = fine_noise(luma, scale) if alone else changing_noise(luma, fine, before)
    blurred = 1 - ramp(sharpness(luma, fine, noise), _BLURRED, _SHARP)
    noisy = max(ramp(noise, _CLEAN, _NOISY), grainy, grain(fine) if alone else 0.0)
    blocky = ramp(steps * min(1.0, scale), _WHOLE, _BLOCKY)
    damage = max(noisy, blocky)
    frontal = 1 - turned_aside(crop)
    large = ramp(face_size(crop.face.landmarks), min_face, (1 + _TINY / times) * min_face) if min_face else 1.0
    return float(max(blurred, damage) * frontal * large), ramp(damage, 0.0, _DAMAGED)


def fine_detail(luma: FloatImage) -> FloatImage:
    """The band (S, S) of a crop's luma that shows how sharp a face is, and how noisy."""
    return _band(luma, _FINE)


def sharpness(luma: FloatImage, fine: FloatImage, noise: float = 0.0) -> float:
    """Amplitude of fine over that of coarse detail inside the face, without what ``noise`` contributes.

    Args:
        luma: (S, S) of an aligned crop.
        fine: its :func:`fine_detail`.
        noise: amplitude of its noise in there, same scale.
    """
    mask = face_mask(len(luma))
    finer, coarser = (float((mask * np.square(band)).sum() / mask.sum()) for band in (fine, _band(luma, _COARSE)))
    return float(np.sqrt(max(finer - noise**2, 0.0) / max(coarser, 1e-9)))


def changing_noise(luma: FloatImage, fine: FloatImage, before: FloatImage) -> float:
    """Amplitude, in the fine band, of what differs between two frames of a face; what moves is left out.

    The median leaves out lids and lips. Of a head that nods most never lies on itself, beard and brows foremost: what
    its flattest places show bounds the noise then, since that is there as well.

    Args:
        luma: (S, S) of an aligned crop.
        fine: its :func:`fine_detail`.
        before: that of the same face one frame earlier.
    """
    difference = fine - before
    changed = float(np.sqrt(np.median(_blocks(np.asarray(difference * difference / 2, np.float32)))))
    return min(changed, _FLATTEST * _flattest(fine, luma))


def _flattest(band: FloatImage, luma: FloatImage) -> float:
    """Amplitude of a band in the flattest tenth of a face; where light or film have clipped it, noise went as well."""
    energies, lit = _blocks(np.square(band)), np.abs(_blocks(luma)) < _CLIPPED
    return float(np.sqrt(np.quantile(energies[lit], _FLAT))) if lit.any() else np.inf


def damage_of_picture(noise: float, steps: float) -> float:
    """How much of what is finest in a whole picture is damage, 0 to 1.

    Args:
        noise: largest :func:`noise_between` it and the frames beside it: of a frame that stands twice in a film, one is
            no news of the other.
        steps: height of the steps between compression's blocks, in levels of 255.
    """
    return ramp(max(ramp(noise, _CLEAN, _NOISY), ramp(steps, _WHOLE, _BLOCKY)), 0.0, _DAMAGED)


def noise_between(one: FloatImage, other: FloatImage) -> float:
    """:func:`changing_noise` of whole pictures (H, W) that have been laid onto one another."""
    return float(np.sqrt(np.median(_means(np.asarray(np.square(_band(one - other, _FINE)) / 2, np.float32)))))


def grain(fine: FloatImage) -> float:
    """Whether :func:`fine_detail` is everywhere in a face, 0 to 1: skin has little, film grain has it there as well.

    Unlike :func:`fine_noise` this takes no noise to be white: grain, dots of print and what JPEG leaves of them are as
    coarse as detail is, and must not pass for it.
    """
    return _everywhere(_blocks(np.square(fine)))


def frame_grain(frame: Frame, crop: Crop) -> float:
    """:func:`grain` of what a frame holds around a face: a crop that is much coarser averages strong noise away."""
    luma = levels(frame, inner(crop, frame))
    if min(luma.shape) <= _BLOCK:
        return 0.0
    return _everywhere(_means(np.square(_band(np.asarray(luma / 127.5, np.float32), _FINE))))


def _everywhere(energies: NDArray[np.float32]) -> float:
    """Whether blocks that have so much energy of fine detail have it because all have it, 0 to 1."""
    flattest = float(np.quantile(energies, 0.25))
    evenness = float(np.sqrt(flattest / max(float(energies.mean()), 1e-12)))
    return ramp(float(np.sqrt(flattest)), _SMOOTH, _GRAINY) * ramp(evenness, _UNEVEN, _EVEN)


def _means(energy: FloatImage) -> FloatImage:
    """Means of all blocks of a picture (H, W)."""
    height, width = energy.shape
    size = (-(-width // _BLOCK), -(-height // _BLOCK))
    return np.asarray(cv2.resize(energy, size, interpolation=cv2.INTER_AREA), np.float32)


def _blocks(energy: FloatImage) -> NDArray[np.float32]:
    """Means of the blocks inside the face."""
    blocks = len(energy) // _BLOCK
    means = np.asarray(cv2.resize(energy, (blocks, blocks), interpolation=cv2.INTER_AREA), np.float32)
    return means[inside_face(blocks)]


def fine_noise(luma: FloatImage, scale: float) -> float:
    """Amplitude of a single crop's noise in the fine band, taken to be white in the frame.

    Args:
        luma: (S, S) of an aligned crop.
        scale: crop pixels for each pixel of the frame: interpolation hides noise from the measure.
    """
    response, fine = _white_noise(len(luma), round(8 * float(np.log2(scale))))
    return _laplacian_noise(luma) / response * fine


def _laplacian_noise(luma: FloatImage) -> float:
    """Noise after Immerkaer (1996), with a median so that edges do not count."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(luma, -1, kernel))[inside_face(len(luma))]))


@cache
def _white_noise(size: int, eighth_octaves: int) -> tuple[float, float]:
    """What the measure makes of white noise of deviation 1 in the frame, and its amplitude in the fine band."""
    scale = 2 ** (eighth_octaves / 8)
    side = round(size / scale) + 2
    noise = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)
    seen = resample(noise, np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]]), (size, size), cv2.BORDER_REFLECT_101)
    return _laplacian_noise(seen), float(np.sqrt(np.square(_band(seen, _FINE)).mean()))


def turned_aside(crop: Crop) -> float:
    """0 for a face that looks at the viewer, 1 for one seen from the side."""
    if crop.shape is not None:
        return ramp(abs(crop.shape.yaw), _TURNED, _PROFILE)
    return ramp(asymmetry(crop), _NOSE_TURNED, _NOSE_PROFILE)


def asymmetry(crop: Crop) -> float:
    """How far the nose is from the middle between the eyes: 0 in the middle, 1 above an eye, more beyond."""
    left, right, nose = crop.face.landmarks[:3]
    along = right - left
    place = float((nose - left) @ along / max(float(along @ along), 1e-9))
    return abs(2 * place - 1)


def _band(luma: FloatImage, band: tuple[float, float]) -> FloatImage:
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), deviation) for deviation in band)
    return np.asarray(fine - coarse, np.float32)
