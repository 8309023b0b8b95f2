"""Look at each item of a stream together with its neighbours."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def windows(
    items: Iterator[Item], radius: int, shed: Callable[[Item], Item] = lambda item: item
) -> Iterator[tuple[Sequence[Item], int]]:
    """Each item in order, ``radius`` items late, as its window and its place in it.

    The window holds up to ``radius`` items either side; use it before the next one is asked for.

    Args:
        items: the stream.
        radius: neighbours to either side.
        shed: takes from an item what only its own turn needs, before it becomes a neighbour of the past.
    """
    held: deque[Item] = deque()
    place = 0
    for item in items:
        held.append(item)
        if len(held) > place + radius:
            yield held, place
            place = _advance(held, place, radius, shed)
    while place < len(held):
        yield held, place
        place = _advance(held, place, radius, shed)


def _advance(held: deque[Item], place: int, radius: int, shed: Callable[[Item], Item]) -> int:
    held[place] = shed(held[place])
    if place < radius:
        return place + 1
    held.popleft()
    return place
