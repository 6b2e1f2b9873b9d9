"""Keep keys in the order of a number, such as a deadline; a key can be moved or removed at any time. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import attrs

__all__ = ["DeadlineQueue"]

_KeyT = TypeVar("_KeyT", bound=Hashable)

# Entries of moved and removed keys stay in the heap until they outnumber the live ones by this factor, and this many.
_GARBAGE_FACTOR = 2
_GARBAGE_SPARE = 64


@attrs.define(eq=False, repr=False)
class DeadlineQueue(Generic[_KeyT]):
    """Hold one moment for each key; memory grows with the keys, not with the changes."""

    # The first entry of the heap is always that of a live key.
    _entries: dict[_KeyT, tuple[float, int, _KeyT]] = attrs.field(factory=dict, init=False)
    _heap: list[tuple[float, int, _KeyT]] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: _KeyT) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[_KeyT]:
        return iter(self._entries)

    def set(self, key: _KeyT, moment: float) -> None:
        """Set the moment of a key; infinity removes it."""
        if moment == math.inf:
            self.remove(key)
            return
        before, entry = self._entries.get(key), (moment, next(self._numbers), key)
        self._entries[key] = entry
        heapq.heappush(self._heap, entry)
        if len(self._heap) > _GARBAGE_FACTOR * len(self._entries) + _GARBAGE_SPARE:
            self._heap = sorted(self._entries.values())
        elif before is self._heap[0]:
            self._drop_removed()

    def remove(self, key: _KeyT) -> None:
        """Remove a key, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is not None and entry is self._heap[0]:
            self._drop_removed()

    def first(self) -> _KeyT:
        """Return the key with the earliest moment.

        Raises:
            IndexError: there is no key.
        """
        return self._heap[0][2]

    @property
    def next_moment(self) -> float:
        """The earliest moment; infinity where there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def pop_due(self, now: float) -> list[_KeyT]:
        """Remove and return the keys whose moments have come, in their order."""
        keys: list[_KeyT] = []
        while self._heap and self._heap[0][0] <= now:
            keys.append(self._heap[0][2])
            self.remove(keys[-1])
        return keys

    def _drop_removed(self) -> None:
        while self._heap and self._entries.get(self._heap[0][2]) is not self._heap[0]:
            heapq.heappop(self._heap)
