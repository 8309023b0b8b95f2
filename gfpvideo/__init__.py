"""gfpvideo: restore the faces in a film and leave everything else untouched."""

from typing import TYPE_CHECKING, Any

from gfpvideo.errors import GfpvideoError
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.telemetry import silence
from gfpvideo.version import __version__

if TYPE_CHECKING:
    from gfpvideo.generator.generator import load_generator
    from gfpvideo.restoration.run import restore

silence()  # here, since every module of gfpvideo comes after this one, and so does what they import

__all__ = ["GfpvideoError", "Report", "RestoreOptions", "__version__", "load_generator", "restore"]


def __getattr__(name: str) -> Any:
    """Import the heavy half of the API when it is first used: `gfpvideo --help` must not wait for it."""
    if name == "restore":
        from gfpvideo.restoration.run import restore

        return restore
    if name == "load_generator":
        from gfpvideo.generator.generator import load_generator

        return load_generator
    raise AttributeError(f"module 'gfpvideo' has no attribute {name!r}")
