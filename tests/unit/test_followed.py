"""What was followed is read as it was written, as far as it is whole."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gfpvideo.frames import Detection, Face, Samples, TrackedFrame
from gfpvideo.media.colour import ColourTags, KnownColour
from gfpvideo.media.source import Account
from gfpvideo.media.span import Part
from gfpvideo.media.trace import OtherPictureError, Place
from gfpvideo.restoration.jobs.followed import Followed
from helpers import frame_of

ACCOUNT = Account(("a warning",), (0,) * 9, 512, Part(Fraction(1, 3), None, Fraction(-7, 90000)))
PLACE = Place(4, 4, 6, Fraction(1, 7), None, KnownColour(ColourTags(1, 6, 5, 4)))


def film(count: int, rng: np.random.Generator) -> list[TrackedFrame]:
    """Frames with a face each, whose numbers have all their bits."""
    found = []
    for index in range(count):
        frame = frame_of([rng.integers(0, 255, (4, 6), np.uint8)], Samples("gray", 8), index)
        face = Face(1 + index // 3, rng.normal(size=(5, 2)) * np.pi, filled=index % 2 == 1)
        plain = Detection(rng.normal(size=(5, 2)), rng.normal(size=4), 0.7)
        sure = replace(plain, deviations=rng.uniform(size=5))
        cut = index % 3 == 0
        found.append(TrackedFrame(replace(frame, place=PLACE if index == 4 else None), (face,), (plain, sure), cut))
    return found


def noted(folder: Path, frames: list[TrackedFrame], account: Account = ACCOUNT) -> Followed:
    followed, source = Followed(folder, 4), SimpleNamespace(account=account)
    given: Any = source
    assert list(followed.noted(iter(frames), given)) == frames
    return followed


def alike(one: TrackedFrame, other: TrackedFrame) -> Iterator[bool]:
    yield one.cut == other.cut
    for face, same in zip(one.faces, other.faces, strict=True):
        yield (face.track, face.filled) == (same.track, same.filled)
        yield np.array_equal(face.landmarks, same.landmarks)
    for found, same in zip(one.detections, other.detections, strict=True):
        yield found.score == same.score
        yield np.array_equal(found.landmarks, same.landmarks)
        yield np.array_equal(found.box, same.box)
        yield (found.deviations is None) == (same.deviations is None)
        yield found.deviations is None or np.array_equal(found.deviations, np.asarray(same.deviations))


def test_every_bit_is_kept(rng: np.random.Generator, tmp_path: Path) -> None:
    frames = film(10, rng)
    noted(tmp_path, frames)
    again = Followed(tmp_path, 4)
    assert again.whole is not None
    assert (again.begin, again.end, again.whole.frames, again.whole.account) == (0, 10, 10, ACCOUNT)
    for frame in frames:
        assert all(alike(again.run_of(frame.frame.index).tracked(frame.frame), frame))
    assert again.place(3) is None
    assert again.place(9) == PLACE
    assert again.cut() == 9
    assert again.known(3, 5).keys() == set(range(8))
    assert len(set(again.known(0, 10).values())) == 10


def test_another_process_sees_it_grow(rng: np.random.Generator, tmp_path: Path) -> None:
    frames, source = film(10, rng), Followed(tmp_path, 4)
    other = Followed(tmp_path, 4)
    film_read: Any = SimpleNamespace(account=ACCOUNT)
    ends = []
    for _ in source.noted(iter(frames), film_read):
        other.refresh()
        ends.append((other.end, other.whole is None))
    other.refresh()
    assert ends == [(0, True)] * 3 + [(4, True)] * 4 + [(8, True)] * 3
    assert (other.end, other.whole is None) == (10, False)


def test_what_is_damaged_is_followed_again(rng: np.random.Generator, tmp_path: Path) -> None:
    """Nor does what comes after it count, for numbers of tracks hang on all before."""
    frames = film(10, rng)
    noted(tmp_path, frames)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    path = tmp_path / "followed-00001.json"
    path.write_bytes(path.read_bytes()[:-20])
    again = Followed(tmp_path, 4)
    with pytest.raises(OtherPictureError, match=r"followed-00001\.json: what was followed is damaged"):
        again.run_of(5)
    assert (again.end, again.whole) == (4, None)
    assert again.detections(0, 10).keys() == set(range(4))
    film_read: Any = SimpleNamespace(account=ACCOUNT)
    list(again.noted(iter(frames), film_read))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_end_that_may_be_none_is_forgotten(rng: np.random.Generator, tmp_path: Path) -> None:
    followed = noted(tmp_path, film(10, rng))
    followed.forget_end()
    assert (followed.end, followed.whole) == (8, None)
    assert (Followed(tmp_path, 4).end, Followed(tmp_path, 4).whole) == (8, None)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b'{"first": 0}', b"null", b"[" * 5000])),
    st.sampled_from(["followed.json", "followed-00000.json"]),
)
def test_anything_is_read_without_a_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    folder = tmp_path_factory.mktemp("junk")
    (folder / name).write_bytes(content)
    followed = Followed(folder, 4)
    assert (followed.begin, followed.end, followed.whole) == (None, 0, None)
    assert followed.detections(0, 8) == {}
