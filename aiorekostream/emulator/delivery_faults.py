"""Define the faults of delivery: what may happen to a notification between Rekognition and a queue.

SNS and standard queues deliver at least once and in any order; a notification is lost if its queue or its policy is
misconfigured. A topic or a bucket that denies access is a ``DependencyFaults``: the session fails.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import final

import attrs

from aiorekostream.domain.fields import whole_number
from aiorekostream.domain.rules import collecting
from aiorekostream.emulator.faults import InjectedFault, delay, text

__all__ = [
    "DELIVERY_FAULTS",
    "DelayNotification",
    "DeliveryFault",
    "DuplicateNotification",
    "LoseNotification",
    "ReorderNotification",
]


def _copies(value: int) -> int:
    return whole_number(value, least=1, most=100)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class DeliveryFault(InjectedFault):
    """The base of the faults of delivery: selects the notifications that the fault applies to.

    Attributes:
        event: a pattern (``*``, ``?``, ``[...]``) for the type of the event, ``LABEL_DETECTED`` or
            ``STREAM_PROCESSING_COMPLETE``; all by default.
        name: a pattern for the name of the stream processor; all by default.
        times: the number of notifications that the fault applies to, at least 1; None for no limit; 1 by default.
        probability: the probability that the fault applies to a matching notification, from 0 to 1; 1 by default.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    event: str = attrs.field(default="*", converter=text)

    def matches(self, event: str, name: str) -> bool:
        """Return whether the fault may apply to a notification.

        Args:
            event: the type of the event, such as ``LABEL_DETECTED``.
            name: the processor.
        """
        return fnmatchcase(event, self.event) and fnmatchcase(name, self.name)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class LoseNotification(DeliveryFault):
    """Deliver a notification to no queue."""


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class DuplicateNotification(DeliveryFault):
    """Deliver a notification more than once.

    Attributes:
        copies: the number of further copies, 1 to 100; 1 by default.
    """

    copies: int = attrs.field(default=1, converter=_copies)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class DelayNotification(DeliveryFault):
    """Deliver a notification later.

    Attributes:
        seconds: the delay on the emulator's clock: a ``timedelta`` or seconds, from 0 to 1e9; 5 by default.
    """

    seconds: float = attrs.field(default=5.0, converter=delay)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ReorderNotification(DeliveryFault):
    """Deliver a notification after the next one of its topic.

    Attributes:
        seconds: the time on the emulator's clock after which it is delivered if no other one follows: a ``timedelta``
            or seconds, from 0 to 1e9; 5 by default.
    """

    seconds: float = attrs.field(default=5.0, converter=delay)


DELIVERY_FAULTS: dict[str, type[DeliveryFault]] = {
    fault.__name__: fault for fault in (DelayNotification, DuplicateNotification, LoseNotification, ReorderNotification)
}
"""The classes of faults of delivery by name."""
