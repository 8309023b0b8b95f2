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


class KnownColour(NamedTuple):
    """What is known of a film's tags at one of its frames."""

    first: ColourTags
    """Those of the first picture, which all get."""
    changed: int | None = None
    """The first frame that bore others, if one did until there."""
    later: ColourTags | None = None
    """Those of that frame."""


UNTAGGED = KnownColour(ColourTags(0, 2, 2, 2))
"""Of a film of which nothing is said."""


class OneColour:
    """Gives every picture of a film the tags of its first.

    A film's header holds one set of them, which its encoder is opened with. Recordings that were joined, and MPEG-2
    that repeats its tags now and then only, change them on the way.
    """

    def __init__(self, known: KnownColour) -> None:
        self.known = known
        """What the pictures that have come have told."""

    def __call__(self, picture: VideoFrame, index: int) -> None:
        """Tag a picture, the film's number ``index``, as all are."""
        found, first = tags_of(picture), self.known.first
        if found != first:
            if self.known.changed is None:
                self.known = KnownColour(first, index, found)
            picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = first

    def findings(self) -> Iterator[str]:
        """What the user should know of the pictures that have come."""
        first, index, now = self.known
        if now is not None:
            changes = zip(ColourTags._fields, first, now, strict=True)
            what = ", ".join(f"{name} {one} to {other}" for name, one, other in changes if one != other)
            yield f"the colours' tags change at frame {index} ({what}): the film bears the first ones throughout"


def tags_of(picture: VideoFrame) -> ColourTags:
    """What a decoder says of a picture."""
    tags = picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc
    return ColourTags(*(int(tag) for tag in tags))
