"""How a film's samples are to be shown: it says so once, and some say it anew on the way."""

from collections.abc import Iterator
from typing import NamedTuple

from av.video.frame import VideoFrame


class ColourTags(NamedTuple):
    """FFmpeg's numbers for what a decoder says of a picture's samples."""

    range: int
    matrix: int
    primaries: int
    transfer: int


UNTAGGED = ColourTags(0, 2, 2, 2)
"""Those of a picture of which nothing is said."""


class OneColour:
    """Gives every picture of a film the tags of its first.

    A film's header holds one set of them, which its encoder is opened with. Recordings that were joined, and MPEG-2
    that repeats its tags now and then only, change them on the way.
    """

    def __init__(self, tags: ColourTags) -> None:
        self.tags = tags
        """Those of all pictures."""
        self._changed: tuple[int, ColourTags] | None = None

    def __call__(self, picture: VideoFrame, index: int) -> None:
        """Tag a picture, the film's number ``index``, as all are."""
        found = tags_of(picture)
        if found != self.tags:
            self._changed = self._changed or (index, found)
            picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = self.tags

    def findings(self) -> Iterator[str]:
        """What the user should know of the pictures that have come."""
        if self._changed is not None:
            index, now = self._changed
            changes = zip(ColourTags._fields, self.tags, now, strict=True)
            what = ", ".join(f"{name} {one} to {other}" for name, one, other in changes if one != other)
            yield f"the colours' tags change at frame {index} ({what}): the film bears the first ones throughout"


def tags_of(picture: VideoFrame) -> ColourTags:
    """What a decoder says of a picture."""
    tags = picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc
    return ColourTags(*(int(tag) for tag in tags))
