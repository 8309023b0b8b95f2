"""What is fuzzed: each takes the bytes of a file and a folder to put it into, and refuses only in our own words."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from gfpvideo.errors import GfpvideoError
from gfpvideo.faces.tracks_file import Tracks
from gfpvideo.media.container import Limits
from gfpvideo.media.filters import check_filters
from gfpvideo.media.source import VideoSource
from gfpvideo.media.y4m import open_y4m
from gfpvideo.options.pipelines import parse_pipeline
from gfpvideo.restoration.jobs.fingerprint import read_begun
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.jobs.journal import Journal


def tracks(content: bytes, folder: Path) -> None:
    """A file of tracks."""
    path = folder / "tracks.json"
    path.write_bytes(content)
    with suppress(GfpvideoError):
        Tracks.read(path)


def journal(content: bytes, folder: Path) -> None:
    """The journal of an interrupted restoration, and what was followed."""
    for name in ("job.json", "segment-00000.json", "followed-00000.json", "followed.json"):
        (folder / name).write_bytes(content)
    (folder / "segment-00000.mkv").touch()
    read_begun(folder)
    list(Journal(folder, 8).records())
    Followed(folder, 8).detections(0, 8)


def pipeline(content: bytes, folder: Path) -> None:
    """A pipeline."""
    with suppress(GfpvideoError):
        parse_pipeline(content.decode("utf-8", "replace"), folder / "pipeline.toml", check_filters)


def y4m(content: bytes, folder: Path) -> None:
    """Pictures from a pipe, up to the tenth."""
    path = folder / "pictures.y4m"
    path.write_bytes(content)
    with suppress(GfpvideoError):
        limits = Limits(max_side=512, max_streams=4)
        with VideoSource(path, limits=limits, container=open_y4m(str(path))) as source:
            for _ in islice(source.frames(), 10):
                pass


READERS: dict[str, Callable[[bytes, Path], None]] = {
    "tracks": tracks, "journal": journal, "pipeline": pipeline, "y4m": y4m,
}  # fmt: skip
