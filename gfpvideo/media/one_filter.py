"""One of FFmpeg's filters for single pictures, which come one by one and go at once."""

from fractions import Fraction

from av.filter import Graph
from av.video.frame import VideoFrame

_Kind = tuple[int, int, str, Fraction]


class OneFilter:
    """Passes pictures through a filter that makes one of each; whatever they carry goes with them."""

    def __init__(self, name: str, arguments: str | None = None) -> None:
        """Name the filter, and its arguments as FFmpeg writes them."""
        self._name, self._arguments = name, arguments
        self._graphs: dict[_Kind, Graph] = {}

    def __call__(self, picture: VideoFrame, time_base: Fraction) -> VideoFrame:
        """What the filter makes of ``picture``, whose timestamps count ticks of ``time_base`` seconds."""
        kind = (picture.width, picture.height, picture.format.name, time_base)
        if kind not in self._graphs:
            self._graphs[kind] = self._graph(picture, time_base)
        self._graphs[kind].push(picture)
        made = self._graphs[kind].pull()
        assert isinstance(made, VideoFrame)
        return made

    def _graph(self, picture: VideoFrame, time_base: Fraction) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=time_base
        )
        step, sink = graph.add(self._name, self._arguments), graph.add("buffersink")
        source.link_to(step)
        step.link_to(sink)
        graph.configure()
        return graph
