"""A few items of a stream whose length is not known, evenly spread over it."""

from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Spread(Generic[Item]):
    """Keeps at most ``most`` of the items that it is given; when there are more, every second one goes."""

    def __init__(self, most: int) -> None:
        self.items: list[Item] = []
        self._most = most
        self._count, self._every = 0, 1

    def add(self, item: Item) -> None:
        """Take the next item."""
        self.offer(lambda: item)

    def offer(self, make: Callable[[], Item]) -> None:
        """Take the next item, which is made only if it is kept."""
        if self._count % self._every == 0:
            self.items.append(make())
        if len(self.items) > self._most:
            self.items, self._every = self.items[::2], 2 * self._every
        self._count += 1
