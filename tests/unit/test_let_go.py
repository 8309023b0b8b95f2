"""A film of which not all pictures were read is closed, also where somebody listens to what FFmpeg says."""

import subprocess
import sys
from pathlib import Path

import pytest

FIELDS = "fields_of(film, Limits())"
SOURCE = "with VideoSource(film) as source: next(source.frames())"
AFTER = "next(pictures_after(film, 0, Limits()))"


@pytest.mark.parametrize("reads", [FIELDS, SOURCE, AFTER])
def test_a_listener_holds_nothing_up(reads: str, film: Path) -> None:
    """Decoders that work ahead wait for Python's lock to tell it something; who closes them must not keep that lock."""
    code = (
        "import sys; from pathlib import Path; import av.logging\n"
        "from gfpvideo.media.container import Limits; from gfpvideo.media.decode import pictures_after\n"
        "from gfpvideo.media.fields import fields_of; from gfpvideo.media.source import VideoSource\n"
        "av.logging.set_level(av.logging.ERROR)\n"
        "film = Path(sys.argv[1])\n"
        f"for _ in range(5):\n    {reads}\n"
    )
    subprocess.run([sys.executable, "-c", code, str(film)], check=True, timeout=120)
