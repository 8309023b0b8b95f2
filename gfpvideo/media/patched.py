"""Make the pictures that are written: what was restored, laid over what it was restored from."""

from av.filter import Graph
from av.video.frame import VideoFrame

from gfpvideo.frames import RestoredFrame
from gfpvideo.media.pixel_format import components
from gfpvideo.pixels.patches import lay_over


class Patched:
    """Makes the pictures that are written: the decoder's own where nothing was restored, else a private copy."""

    def __init__(self) -> None:
        self._graphs: dict[tuple[int, int, str], Graph] = {}

    def __call__(self, restored: RestoredFrame) -> VideoFrame:
        """The picture of a restored frame, its side data and colour tags included; the frame's own stays as it is."""
        picture = restored.frame.picture
        assert isinstance(picture, VideoFrame), "frames of films carry FFmpeg's picture"
        if not restored.patches:
            return picture
        own = self._copied(picture, restored)
        lay_over(restored, components(own))
        return own

    def _copied(self, picture: VideoFrame, restored: RestoredFrame) -> VideoFrame:
        """A copy with all that the picture carries; PyAV has no other means to keep its side data."""
        key = (picture.width, picture.height, picture.format.name)
        if key not in self._graphs:
            self._graphs[key] = _copying(picture, restored)
        self._graphs[key].push(picture)
        own = self._graphs[key].pull()
        assert isinstance(own, VideoFrame)
        own.make_writable()
        own.pts, own.time_base = restored.frame.pts, restored.frame.time_base
        return own


def _copying(picture: VideoFrame, restored: RestoredFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=restored.frame.time_base
    )
    copied, sink = graph.add("copy"), graph.add("buffersink")
    source.link_to(copied)
    copied.link_to(sink)
    graph.configure()
    return graph
