"""Mark where shots begin, so that nothing is tracked or smoothed across a cut."""

from collections import deque
from collections.abc import Iterator

from scenedetect import AdaptiveDetector, FrameTimecode

from gfpvideo.frames import Frame, ShotFrame

_SIDE = 160
"""Long side of the picture that cuts are looked for in: enough for them, and cheap."""
_WINDOW = 2
"""Frames either side that a cut must stand out from (a pan or a flash does not)."""
_MIN_SHOT = 4
"""Frames that a shot lasts at least."""
_COUNTER_RATE = 25.0
"""scenedetect wants a frame rate with its frame numbers; no time is ever computed from it."""


def mark_shots(frames: Iterator[Frame]) -> Iterator[ShotFrame]:
    """Stage: each frame, and whether a shot starts with it; a few frames late."""
    detector = AdaptiveDetector(min_scene_len=_MIN_SHOT, window_width=_WINDOW)
    waiting: deque[Frame] = deque()
    cuts: set[int] = set()
    for number, frame in enumerate(frames):
        if number == 0:
            cuts.add(frame.index)  # of a part of a film, it need not be 0
        waiting.append(frame)
        small = frame.thumbnail(_SIDE)
        found = detector.process_frame(FrameTimecode(frame.index, fps=_COUNTER_RATE), small)
        cuts.update(timecode.frame_num for timecode in found)
        if len(waiting) > _WINDOW:
            yield _marked(waiting.popleft(), cuts)
    while waiting:
        yield _marked(waiting.popleft(), cuts)


def unmarked(frames: Iterator[Frame]) -> Iterator[ShotFrame]:
    """Stage: each frame, of which nobody asks where its shot begins."""
    return (ShotFrame(frame, cut=False) for frame in frames)


def _marked(frame: Frame, cuts: set[int]) -> ShotFrame:
    is_cut = frame.index in cuts
    cuts.discard(frame.index)
    return ShotFrame(frame, is_cut)
