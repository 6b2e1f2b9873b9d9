"""Keep the messages that a consumer holds, and the copies of one event among them; pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Arrival", "CopyLedger", "HeldMessage", "Stage"]


class Stage(enum.Enum):
    """Where a held message is."""

    WAITING = "waiting for a handler"
    HANDLING = "being handled"
    COPY = "waiting for the settlement of another copy"
    DELETING = "being deleted"


@attrs.define(eq=False)
class HeldMessage:
    """A message that is received and not yet deleted or released.

    Attributes:
        id: the id of the message.
        receipt: the handle of its latest receipt; an older one may not delete it.
        event_id: the id of the event in it; ``None`` for a malformed one.
        stage: where it is.
        lease_until: when the service shows it to other receivers again, on the clock.
    """

    id: str
    receipt: str
    event_id: str | None
    stage: Stage = Stage.WAITING
    lease_until: float = 0.0


class Arrival(enum.Enum):
    """What a message is to the events that are known."""

    FIRST = "first"
    """Its event is not being handled: deliver it."""
    COPY = "copy"
    """Its event is being handled: keep the message until that is settled."""
    HANDLED = "handled"
    """Its event was acknowledged: delete the message."""


@attrs.define(eq=False)
class CopyLedger:
    """Decide what to do with the copies of an event, which SNS and SQS may deliver more than once.

    A copy is dropped only after its event was acknowledged: until then its first delivery may fail.

    Attributes:
        most: how many acknowledged events are remembered, which bridges the time until the store of event ids has them:
            more than the messages that are held at a time.
    """

    most: int
    _copies: dict[str, list[HeldMessage]] = attrs.field(factory=dict[str, list[HeldMessage]], init=False)
    _acknowledged: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def arrive(self, event_id: str, message: HeldMessage) -> Arrival:
        """Take note of a message with an event."""
        if event_id in self._acknowledged:
            return Arrival.HANDLED
        if event_id in self._copies:
            self._copies[event_id].append(message)
            return Arrival.COPY
        self._copies[event_id] = []
        return Arrival.FIRST

    def acknowledge(self, event_id: str) -> Sequence[HeldMessage]:
        """Note that an event was handled, and return its copies, which are to be deleted."""
        self._acknowledged[event_id] = None
        while len(self._acknowledged) > self.most:
            del self._acknowledged[next(iter(self._acknowledged))]
        return self._copies.pop(event_id, [])

    def release(self, event_id: str) -> Sequence[HeldMessage]:
        """Note that an event was not handled, and return its copies, which are to be released as well."""
        return self._copies.pop(event_id, [])
