"""What is said at the end about those who were to be restored, and were not."""

from collections.abc import Callable, Collection, Iterator

from gfpvideo.frames import TrackedFrame
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report

_NAMED = 8
"""Most tracks that a message names."""


def note_tracks(frames: Iterator[TrackedFrame], tracks: set[int]) -> Iterator[TrackedFrame]:
    """Stage: the same frames, the numbers of their tracks noted."""
    for frame in frames:
        tracks.update(face.track for face in frame.faces)
        yield frame


def conclude(report: Report, options: RestoreOptions, tracks: Callable[[], Collection[int]]) -> None:
    """Warn of tracks that were named and never occurred; say why no face was restored, if none was.

    Args:
        report: what was done; it is added to.
        options: as the user gave them.
        tracks: gives the numbers of all tracks that were followed; it is only asked where that matters.
    """
    named = {*options.only, *options.skip}
    if report.faces and not named:
        return
    found = sorted(tracks())
    absent = sorted(named.difference(found))
    if absent:
        never = f"{_numbers(absent)} never occur{'s' * (len(absent) == 1)}"
        there = f"there {'are' if len(found) > 1 else 'is'} {_numbers(found)}" if found else "no face was found"
        report.warnings.append(f"{never}: {there} (gfpvideo inspect shows who is who)")
    if not report.faces:
        report.why_none = _why_none(report, options, found)


def _numbers(tracks: Collection[int]) -> str:
    """Some tracks by their numbers: ``tracks 1, 2, 3``."""
    shown = ", ".join(map(str, list(tracks)[:_NAMED]))
    more = f" and {len(tracks) - _NAMED} more" if len(tracks) > _NAMED else ""
    return f"track{'s' * (len(tracks) > 1)} {shown}{more}"


def _why_none(report: Report, options: RestoreOptions, found: Collection[int]) -> str:
    if not found and options.tracks is not None:
        return f"{options.tracks} holds no face that is to be restored"
    if not found:
        smaller = f" whose eyes and mouth are at least {options.min_face:g} pixels apart (--min-face)"
        return f"no face was found{smaller if options.min_face else ''}"
    if not options.strength:
        return "--strength 0 takes nothing of the restoration"
    if not report.spared:
        return f"none of those who were found ({_numbers(found)}) was chosen"
    if report.hopeless == report.spared:
        return "every face is too blurred or hidden to be placed"
    return "every face is sharp enough already, hardly larger than --min-face or seen from the side; see --no-adapt"


def together(pieces: Collection[Report]) -> str:
    """Why no face was restored in any of several films and pictures: each reason once, the commonest first."""
    reasons = [piece.why_none for piece in pieces]
    return "; ".join(sorted({*reasons} - {""}, key=lambda reason: (-reasons.count(reason), reason)))
