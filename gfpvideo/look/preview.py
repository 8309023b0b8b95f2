"""Look before spending an hour: one moment of each shot, before and after, on one sheet."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gfpvideo.options.timecode import timecode
from gfpvideo.restoration.moments import Moment

_CAPTION = 28


def preview_sheet(moments: Sequence[Moment]) -> NDArray[np.uint8]:
    """(H, W, 3) BGR picture with a column for each moment: when it is and whose track, before, after."""
    return np.concatenate([_column(moment) for moment in moments], axis=1)


def _column(moment: Moment) -> NDArray[np.uint8]:
    caption = np.full((_CAPTION, moment.before.shape[1], 3), 255, np.uint8)
    text = f"{timecode(moment.time)}  track {moment.track}"
    cv2.putText(caption, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([caption, moment.before[..., ::-1], moment.after[..., ::-1]])
