"""What is fuzzed: each takes the bytes of a file and a folder to put it into, and refuses only in our own words."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gfpvideo.errors import GfpvideoError
from gfpvideo.faces.recorded import Tracks
from gfpvideo.jobs.journal import read_identity, read_records


def tracks(content: bytes, folder: Path) -> None:
    """A file of tracks."""
    path = folder / "tracks.json"
    path.write_bytes(content)
    with suppress(GfpvideoError):
        Tracks.read(path)


def journal(content: bytes, folder: Path) -> None:
    """The journal of an interrupted restoration."""
    (folder / "journal.jsonl").write_bytes(content)
    read_identity(folder)
    read_records(folder)


READERS: dict[str, Callable[[bytes, Path], None]] = {"tracks": tracks, "journal": journal}
