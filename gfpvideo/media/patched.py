"""Make the pictures that are written: what was restored, laid over what it was restored from."""

from dataclasses import replace

from av.video.frame import VideoFrame

from gfpvideo.frames import Frame, RestoredFrame
from gfpvideo.media.one_filter import OneFilter
from gfpvideo.media.pixel_format import components, read_only
from gfpvideo.pixels.color import Components
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
        own = _copied(picture, frame, self._copy)
        lay_over(restored, components(own))
        return own


class Repainter:
    """Makes frames of other samples; all else of a frame stays, and the one that it is made from."""

    def __init__(self) -> None:
        self._copy = OneFilter("copy")

    def __call__(self, frame: Frame, planes: Components) -> Frame:
        """The same frame with the samples ``planes``, laid out as its components."""
        if not isinstance(frame.picture, VideoFrame):
            return replace(frame, components=read_only(tuple(planes)))
        own = _copied(frame.picture, frame, self._copy)
        for there, samples in zip(components(own), planes, strict=True):
            there[...] = samples
        return replace(frame, picture=own, components=read_only(components(own)))


def _copied(picture: VideoFrame, frame: Frame, copy: OneFilter) -> VideoFrame:
    own = copy(picture, frame.time_base)
    own.make_writable()
    own.pts, own.time_base = frame.pts, frame.time_base
    return own
