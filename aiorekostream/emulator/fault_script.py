"""Hold the pending faults and match them with requests."""

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
    """The pending faults, in the order in which they were injected.

    Attributes:
        random: returns a number in [0, 1), compared with a fault's probability.
    """

    random: Callable[[], float]
    _pending: list[tuple[Fault, int | None]] = attrs.field(factory=list, init=False)

    @property
    def pending(self) -> Sequence[Fault]:
        """The pending faults, each with its remaining number of times."""
        return tuple(attrs.evolve(fault, times=left) for fault, left in self._pending)

    def add(self, faults: Iterable[Fault]) -> None:
        """Append faults."""
        self._pending += [(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        """Remove all pending faults."""
        self._pending.clear()

    def match(self, operation: str, name: str) -> tuple[Fault, ...]:
        """Return the faults that apply to a request: every matching latency, and the first other matching fault.

        Decrements the remaining times of each returned fault.
        """
        if not self._pending:
            return ()
        matched: list[Fault] = []
        kept: list[tuple[Fault, int | None]] = []
        is_decided = False
        for fault, left in self._pending:
            is_latency = isinstance(fault, Latency)
            if (is_latency or not is_decided) and fault.matches(operation, name) and self.random() < fault.probability:
                matched.append(fault)
                is_decided = is_decided or not is_latency
                if left == 1:
                    continue
                kept.append((fault, None if left is None else left - 1))
            else:
                kept.append((fault, left))
        self._pending = kept
        return tuple(matched)
