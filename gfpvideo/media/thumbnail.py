"""Small upright pictures of frames, for whoever looks at the whole picture: detector, shots, people."""

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gfpvideo.frames import Samples
from gfpvideo.media.orientation import Orientation
from gfpvideo.pixels.transfer import PQ_THUMBNAIL


def shrunk(picture: VideoFrame, how: Samples, orientation: Orientation, width: int, height: int) -> NDArray[np.uint8]:
    """A decoded picture as a viewer sees it, at another size.

    Args:
        picture: FFmpeg's picture.
        how: how its samples are read.
        orientation: how a player turns it.
        width: columns of the result.
        height: rows of the result.

    Returns:
        (height, width, 3) upright BGR.
    """
    stored = (height, width) if orientation.swaps_axes else (width, height)
    small = picture.reformat(width=stored[0], height=stored[1], format="bgr24", interpolation="AREA")
    pixels = np.asarray(small.to_ndarray(), np.uint8)
    return orientation.upright(PQ_THUMBNAIL[pixels] if how.curve == "pq" else pixels)
