"""The script: the faults that are waiting for their requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.faults import Fault, Latency

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


__all__ = ["FaultScript"]


@attrs.define
class FaultScript:
    """Faults in the order in which they were scripted.

    Attributes:
        random: a number from 0 up to and without 1, for faults that strike with a probability.
    """

    random: Callable[[], float]
    _waiting: list[tuple[Fault, int | None]] = attrs.field(factory=list, init=False)

    @property
    def waiting(self) -> Sequence[Fault]:
        """The faults that may still strike, each with the number of times that it has left."""
        return tuple(attrs.evolve(fault, times=left) for fault, left in self._waiting)

    def add(self, faults: Iterable[Fault]) -> None:
        """FaultScript faults behind those that are there."""
        self._waiting += [(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        """Take every fault away."""
        self._waiting.clear()

    def match(self, operation: str, name: str) -> tuple[Fault, ...]:
        """The faults that strike a request, which uses them up: every latency, and the first of the others."""
        if not self._waiting:
            return ()
        struck: list[Fault] = []
        kept: list[tuple[Fault, int | None]] = []
        decided = False
        for fault, left in self._waiting:
            is_latency = isinstance(fault, Latency)
            if (is_latency or not decided) and fault.matches(operation, name) and self.random() < fault.probability:
                struck.append(fault)
                decided = decided or not is_latency
                if left == 1:
                    continue
                kept.append((fault, None if left is None else left - 1))
            else:
                kept.append((fault, left))
        self._waiting = kept
        return tuple(struck)
