"""Keep the pending faults, and match them with requests and notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from aiorekostream.domain.rules import each, reject
from aiorekostream.emulator.delivery_faults import DeliveryFault
from aiorekostream.emulator.faults import Fault, Latency

__all__ = ["FaultScript"]


@attrs.define
class FaultScript:
    """The pending faults, in the order in which they were injected.

    Attributes:
        random: returns a number in [0, 1), compared with a fault's probability.
    """

    random: Callable[[], float]
    _pending: list[tuple[Fault | DeliveryFault, int | None]] = attrs.field(factory=list, init=False)

    @property
    def pending(self) -> Sequence[Fault | DeliveryFault]:
        """The pending faults, each with its remaining number of times."""
        return tuple(attrs.evolve(fault, times=left) for fault, left in self._pending)

    def add(self, faults: Iterable[Fault | DeliveryFault]) -> None:
        """Append faults.

        Raises:
            InvalidRequestError: a value is not a fault; none is appended.
        """
        checked = each(enumerate(faults), _fault)
        self._pending += [(fault, fault.times) for fault in checked]

    def clear(self) -> None:
        """Remove all pending faults."""
        self._pending.clear()

    def match(self, operation: str, name: str) -> tuple[Fault, ...]:
        """Return the faults that apply to a request: every matching latency, and the first other matching fault.

        Decrements the remaining times of each returned fault.
        """
        matched: list[Fault] = []

        def applies(fault: Fault | DeliveryFault) -> bool:
            if not isinstance(fault, Fault) or not fault.matches(operation, name):
                return False
            is_decided = any(not isinstance(other, Latency) for other in matched)
            if (is_decided and not isinstance(fault, Latency)) or self.random() >= fault.probability:
                return False
            matched.append(fault)
            return True

        self._use(applies)
        return tuple(matched)

    def match_delivery(self, event: str, name: str) -> tuple[DeliveryFault, ...]:
        """Return every fault that applies to a notification. Decrements the remaining times of each returned fault."""
        matched: list[DeliveryFault] = []

        def applies(fault: Fault | DeliveryFault) -> bool:
            if not isinstance(fault, DeliveryFault) or not fault.matches(event, name):
                return False
            if self.random() >= fault.probability:
                return False
            matched.append(fault)
            return True

        self._use(applies)
        return tuple(matched)

    def _use(self, applies: Callable[[Fault | DeliveryFault], bool]) -> None:
        """Ask for each fault whether it applies, and decrement the remaining times of those that do."""
        if self._pending:
            asked = [(fault, left, applies(fault)) for fault, left in self._pending]
            self._pending = [
                (fault, left - 1 if is_used and left is not None else left)
                for fault, left, is_used in asked
                if not (is_used and left == 1)
            ]


def _fault(value: object) -> Fault | DeliveryFault:
    return value if isinstance(value, Fault | DeliveryFault) else reject(value, "a fault, such as Throttle()")
