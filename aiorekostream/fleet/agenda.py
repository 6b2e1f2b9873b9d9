"""What is due when: one moment for each key, to be moved and struck out at will. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import attrs

__all__ = ["Agenda"]

_KeyT = TypeVar("_KeyT", bound=Hashable)

# What was moved or struck out stays in the heap until it outweighs what counts by this factor and number.
_DEAD_WEIGHT = 2
_SPARE = 64


@attrs.define
class Agenda(Generic[_KeyT]):
    """Moments in order; its size is that of what is due, however often entries are changed."""

    _entries: dict[_KeyT, tuple[float, int]] = attrs.field(factory=dict, init=False)
    _heap: list[tuple[float, int, _KeyT]] = attrs.field(factory=list, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: _KeyT, moment: float) -> None:
        """Let a key be due at a moment and no other; never, if that is infinity."""
        if moment == math.inf:
            self.strike(key)
            return
        number = next(self._numbers)
        self._entries[key] = moment, number
        heapq.heappush(self._heap, (moment, number, key))
        if len(self._heap) > _DEAD_WEIGHT * len(self._entries) + _SPARE:
            self._heap = [(at, mark, key) for key, (at, mark) in self._entries.items()]
            heapq.heapify(self._heap)

    def strike(self, key: _KeyT) -> None:
        """Let a key never be due."""
        self._entries.pop(key, None)

    @property
    def next(self) -> float:
        """The earliest moment; infinity if there is none."""
        while self._heap:
            moment, number, key = self._heap[0]
            if self._entries.get(key) == (moment, number):
                return moment
            heapq.heappop(self._heap)
        return math.inf

    def due(self, now: float) -> list[_KeyT]:
        """Take out the keys that are due by now, in the order of their moments."""
        keys: list[_KeyT] = []
        while self.next <= now:
            key = heapq.heappop(self._heap)[2]
            del self._entries[key]
            keys.append(key)
        return keys
