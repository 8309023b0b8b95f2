"""What is said at the end about those who were not restored."""

from typing import Any

import pytest

from gfpvideo.options.restore import RestoreOptions
from gfpvideo.report import Report
from gfpvideo.restoration.outcome import conclude, together


def concluded(found: set[int], faces: int = 0, spared: int = 0, hopeless: int = 0, **values: Any) -> Report:
    report = Report("film.mp4", "out.mp4")
    report.add(10, faces, spared, hopeless, [])
    conclude(report, RestoreOptions(**values), lambda: found)
    return report


@pytest.mark.parametrize(
    ("found", "values", "words"),
    [
        ({1, 2}, {"only": (2, 7)}, "track 7 never occurs: there are tracks 1, 2 "),
        (
            set(range(1, 21)),
            {"skip": (40, 31)},
            "tracks 31, 40 never occur: there are tracks 1, 2, 3, 4, 5, 6, 7, 8 and 12",
        ),
        (set(), {"only": (1,)}, "track 1 never occurs: no face was found"),
    ],
)
def test_tracks_that_never_occur_are_named(found: set[int], values: dict[str, Any], words: str) -> None:
    report = concluded(found, faces=3, **values)
    assert report.exit_code == 1
    (warning,) = report.warnings
    assert warning.startswith(words)
    assert report.why_none == ""


@pytest.mark.parametrize(
    ("found", "counts", "values", "words"),
    [
        (set(), {}, {}, "no face was found whose eyes and mouth are at least 10 pixels apart (--min-face)"),
        (set(), {}, {"min_face": 0}, "no face was found"),
        ({1, 2}, {}, {"only": (1,), "skip": (1,)}, "none of those who were found (tracks 1, 2) was chosen"),
        ({1}, {"spared": 9, "hopeless": 9}, {}, "every face is too blurred or hidden to be placed"),
        ({1}, {"spared": 9, "hopeless": 8}, {}, "every face is sharp enough already, hardly larger than --min-face"),
        ({1}, {"spared": 9, "hopeless": 9}, {"strength": 0}, "--strength 0 takes nothing of the restoration"),
    ],
)
def test_why_no_face_was_restored(found: set[int], counts: dict[str, int], values: dict[str, Any], words: str) -> None:
    report = concluded(found, **counts, **values)
    assert report.why_none.startswith(words)
    assert report.exit_code == 0


def test_where_faces_were_restored_nobody_asks_for_tracks() -> None:
    def asked() -> set[int]:
        raise AssertionError

    report = Report("film.mp4", "out.mp4")
    report.add(10, 3, 0, 0, [1])
    conclude(report, RestoreOptions(), asked)
    assert (report.why_none, report.warnings) == ("", [])


def test_several_films_give_each_reason_once_the_commonest_first() -> None:
    pieces = [concluded(set()), concluded({1}, spared=1, hopeless=1), concluded(set()), concluded({1}, faces=1)]
    first, second = together(pieces).split("; ")
    assert (first, second) == (pieces[0].why_none, pieces[1].why_none)
