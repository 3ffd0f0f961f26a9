"""Keep what was used last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Kept(Generic[Item]):
    """A dictionary that forgets what was not used for longest when it grows too large.

    Args:
        limit: bytes; one item may be larger, and is then kept alone.
        size: tells an item's bytes.
    """

    def __init__(self, limit: int, size: Callable[[Item], int]) -> None:
        self.limit, self.size = limit, size
        self._items: OrderedDict[Hashable, Item] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """Return the item of a key, made now if it is not kept."""
        if key not in self._items:
            made = make()
            while self._items and self.nbytes + self.size(made) > self.limit:
                self._items.popitem(last=False)
            self._items[key] = made
        self._items.move_to_end(key)
        return self._items[key]

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(self.size(item) for item in self._items.values())
