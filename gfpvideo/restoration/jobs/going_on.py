"""Go on with following a film where somebody stopped, without reading it from its beginning.

What a face is in one frame hangs on all frames of its shot until then, but not on their pictures: on what was found in
them, and that is kept. So the last shot is followed once more over frames without pictures, until those come that were
not seen yet. What comes out for the frames that were followed before is compared with what is kept of them.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gfpvideo.faces.shots import mark_shots
from gfpvideo.frames import Frame, ShotFrame, TrackedFrame
from gfpvideo.media.trace import OtherPictureError, Place
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.restoration.jobs.followed import Followed
from gfpvideo.restoration.load import Finder
from gfpvideo.restoration.way import follow
from gfpvideo.stages.run import Run

_SEEN_AGAIN = 24
"""Frames that are read again before the first that is new: more than cuts need to be found, and than a search spans."""


def place_to_go_on(followed: Followed, first: int) -> Place | None:
    """Where to read a film from, to follow it further and to have frames from ``first`` on; ``None``: its beginning."""
    return followed.place(min(first, followed.end - _SEEN_AGAIN))


def followed_on(
    frames: Iterator[Frame], followed: Followed, parts: Finder, options: RestoreOptions, run: Run
) -> Iterator[TrackedFrame]:
    """Stage: frames from :func:`place_to_go_on` on with their faces, known or found.

    Raises:
        OtherPictureError: if what is followed once more is not what was followed before.
    """
    begin = next(frames)
    since, end = begin.index, followed.end
    cut = since if options.tracks is not None else followed.cut()
    frames = chain([begin], frames)
    for frame in frames if since < cut else ():
        if frame.index == cut:
            frames = chain([frame], frames)
            break
        yield followed.run_of(frame.index).tracked(frame)
    cuts = {run.first + offset for run in followed.runs(cut, end) for offset in run.cuts}
    again = follow(
        chain((_without_picture(begin, index) for index in range(cut, since)), frames),
        parts,
        options,
        run,
        followed.detections(cut, end),
        partial(_recalled_shots, cuts=cuts, end=end),
    )
    yield from _checked(again, followed, since)


def _without_picture(like: Frame, index: int) -> Frame:
    return replace(like, index=index, picture=None, place=None, shrink=_no_picture)


def _no_picture(columns: int, rows: int) -> NDArray[np.uint8]:
    raise OtherPictureError(f"a picture of {columns}x{rows} is asked for of a frame that needs no search")


def _recalled_shots(frames: Iterator[Frame], cuts: Collection[int], end: int) -> Iterator[ShotFrame]:
    """Stage: where shots begin, known up to frame ``end``."""
    for frame in frames:
        if frame.picture is not None:
            frames = chain([frame], frames)
            break
        yield ShotFrame(frame, frame.index in cuts)
    for shot in mark_shots(frames):
        yield shot if shot.frame.index >= end else ShotFrame(shot.frame, shot.frame.index in cuts)


def _checked(again: Iterator[TrackedFrame], followed: Followed, since: int) -> Iterator[TrackedFrame]:
    """The frames from ``since`` on; tracks numbered as they were before."""
    end, earlier = followed.end, None
    for tracked in again:
        index = tracked.frame.index
        if index >= end:
            yield _numbered(tracked, earlier or 0)
            continue
        before = followed.run_of(index).tracked(tracked.frame)
        if earlier is None and before.faces and tracked.faces:
            earlier = before.faces[0].track - tracked.faces[0].track
        if not _same(_numbered(tracked, earlier or 0), before):
            raise OtherPictureError(f"frame {index} is followed otherwise than before")
        if index >= since:
            yield before


def _numbered(tracked: TrackedFrame, earlier: int) -> TrackedFrame:
    """The same frame, its tracks counted from the film's beginning, where there were some ``earlier``."""
    return replace(tracked, faces=tuple(replace(face, track=face.track + earlier) for face in tracked.faces))


def _same(one: TrackedFrame, other: TrackedFrame) -> bool:
    return len(one.faces) == len(other.faces) and all(
        (face.track, face.filled) == (same.track, same.filled) and np.array_equal(face.landmarks, same.landmarks)
        for face, same in zip(one.faces, other.faces, strict=True)
    )
