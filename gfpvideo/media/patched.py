"""Make the pictures that are written: what was restored, laid over what it was restored from."""

from av.video.frame import VideoFrame

from gfpvideo.frames import RestoredFrame
from gfpvideo.media.one_filter import OneFilter
from gfpvideo.media.pixel_format import components
from gfpvideo.pixels.patches import lay_over


class Patched:
    """Makes the pictures that are written: the frame's own where nothing was restored, else a private copy."""

    def __init__(self) -> None:
        self._copy = OneFilter("copy")  # PyAV has no other means to keep a picture's side data

    def __call__(self, restored: RestoredFrame) -> VideoFrame:
        """The picture of a restored frame, its side data and colour tags included; the frame's own stays as it is."""
        frame = restored.frame
        picture = frame.picture
        assert isinstance(picture, VideoFrame), "frames of films carry FFmpeg's picture"
        if not restored.patches:
            return picture
        own = self._copy(picture, frame.time_base)
        own.make_writable()
        own.pts, own.time_base = frame.pts, frame.time_base
        lay_over(restored, components(own))
        return own
