"""Do no harm: what is finest in a film without noise is the face's own, and no restored film may have less of it.

Networks that look for damage smooth a little wherever they look, and averaging over time smooths a little more. In a
damaged film that is what they are for; in a good one pores and lashes go. And a source and its restoration, mixed by
the share that a face gets, have less of it than either where they differ. So where a mixture has less fine detail than
its source, as much of the source's as is missing comes back, as far as the source's is not damage.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from gfpvideo.frames import GeneratedFrame, RestoredCrop
from gfpvideo.pixels.color import FloatImage, rgb_to_ycc
from gfpvideo.pixels.mix import times

_FINE = 0.7
"""Standard deviation, in pixels of the crop, of the Gaussian that fine detail is what remains of."""
_NEIGHBOURHOOD = 3.0
"""Standard deviation, in pixels of the crop, over which its energy is gathered."""
_NOTHING = (0.2 / 127.5) ** 2
"""Energy that is none."""


def keep_detail(frames: Iterator[GeneratedFrame]) -> Iterator[GeneratedFrame]:
    """Stage: restored crops that have at least their source's fine detail, as far as that is not damage."""
    for frame in frames:
        yield replace(frame, crops=tuple(detailed(crop) for crop in frame.crops))


def detailed(crop: RestoredCrop) -> RestoredCrop:
    """One restored crop with the fine detail that its source has more of."""
    own = 1 - crop.crop.damage
    if own <= 0:
        return crop
    source, share = crop.crop.source, crop.crop.share
    shown = np.asarray(cv2.addWeighted(crop.restored, share, source, 1 - share, 0), np.float32)
    return replace(crop, restored=crop.restored + lost_detail(source, crop.crop.luma, shown, own / share))


def lost_detail(source: FloatImage, luma: FloatImage, shown: FloatImage, share: float) -> FloatImage:
    """(H, W, 3) ``share`` of the fine detail that is missing in what is shown.

    Args:
        source: (H, W, 3) what is restored.
        luma: (H, W) its luma.
        shown: (H, W, 3) what is to be seen instead.
        share: how much of what is missing comes back.
    """
    fine = finest(luma)
    back = _missing(fine, finest(rgb_to_ycc(shown)[0]), finest(fine))
    return times(finest(source), np.float32(share) * back)


def finest(picture: FloatImage) -> FloatImage:
    """What is finest in a picture, (H, W) or (H, W, C)."""
    return np.asarray(picture - cv2.GaussianBlur(picture, (0, 0), _FINE), np.float32)


def _missing(source: FloatImage, mixed: FloatImage, added: FloatImage) -> FloatImage:
    """(S, S) how many times ``added`` must be added to ``mixed`` to have the energy of ``source`` around each pixel.

    Args:
        source: (S, S) fine detail of the source.
        mixed: (S, S) the same of what is to be shown.
        added: (S, S) the same of what can be added.
    """
    alike, power = _around(added * mixed), _around(np.square(added)) + _NOTHING
    missing = np.maximum(_around(np.square(source)) - _around(np.square(mixed)), 0)
    return np.asarray((np.sqrt(np.square(alike) + power * missing) - np.abs(alike)) / power, np.float32)


def _around(values: FloatImage) -> FloatImage:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), _NEIGHBOURHOOD), np.float32)
