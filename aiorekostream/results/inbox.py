"""Take in the messages of a queue, hand their events to handlers, and see to it that each message is settled once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from aiorekostream.codec.notifications import parse_notification
from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.errors import ConfigurationError, MalformedEventError, RekostreamError
from aiorekostream.results.delivery import Delivery, outcome_of
from aiorekostream.results.event_ids import EventIds
from aiorekostream.results.held import Arrival, CopyLedger, HeldMessage, Stage
from aiorekostream.results.leases import LeaseKeeper
from aiorekostream.results.settler import Settler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.results.queue_port import QueueMessage

__all__ = ["Inbox", "InboxCounts"]

_log = logging.getLogger("aiorekostream")

# Malformed messages that are remembered as reported, by id.
_REMEMBERED = 1_000


@attrs.define(eq=False)
class InboxCounts:
    """What became of messages; see ``ConsumerReport``."""

    received: int = 0
    delivered: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    malformed: int = 0
    released: int = 0
    unconfirmed: int = 0


@attrs.define(eq=False, kw_only=True)
class Inbox:
    """The messages that a consumer holds.

    Invariant: every held message has a lease, until it is deleted or released.

    Attributes:
        event_ids: knows which events were acknowledged before.
        leases: keeps the messages hidden from other receivers.
        settler: deletes and releases them.
        on_change: called when there is a delivery or more room.
        ledger: decides about copies of an event.
        counts: what became of messages.
    """

    event_ids: EventIds
    leases: LeaseKeeper
    settler: Settler
    on_change: Callable[[], None]
    ledger: CopyLedger
    counts: InboxCounts = attrs.field(factory=InboxCounts)
    _held: dict[str, HeldMessage] = attrs.field(factory=dict[str, HeldMessage], init=False)
    _waiting: deque[tuple[HeldMessage, Delivery[StreamProcessorEvent]]] = attrs.field(
        factory=deque[tuple[HeldMessage, Delivery[StreamProcessorEvent]]], init=False
    )
    _handling: int = attrs.field(default=0, init=False)
    _reported: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @property
    def size(self) -> int:
        """The number of held messages."""
        return len(self._held)

    @property
    def has_waiting(self) -> bool:
        """Whether a delivery waits for a handler."""
        return bool(self._waiting)

    def unsettled(self) -> tuple[str, ...]:
        """Return the ids of the held messages."""
        return tuple(self._held)

    async def accept(self, messages: Sequence[QueueMessage]) -> None:
        """Take in received messages."""
        self.counts.received += len(messages)
        outcomes = [outcome_of(parse_notification, message.body) for message in messages]
        event_ids = [outcome.event_id for outcome in outcomes if not isinstance(outcome, MalformedEventError)]
        known = frozenset(await self.event_ids.known(list(dict.fromkeys(event_ids)))) if event_ids else frozenset[str]()
        for message, outcome in zip(messages, outcomes, strict=True):
            if (held := self._held.get(message.id)) is not None:
                # Its visibility timeout had ended. Only the latest receipt deletes it for certain.
                held.receipt = message.receipt
                self.leases.add(held)
            elif isinstance(outcome, MalformedEventError):
                self._accept_malformed(message, outcome)
            else:
                self._accept_event(message, outcome, is_known=outcome.event_id in known)
        self.on_change()

    def next_delivery(self) -> Delivery[StreamProcessorEvent] | None:
        """Return a delivery that waits for a handler; ``None`` if there is none."""
        if not self._waiting:
            return None
        held, delivery = self._waiting.popleft()
        held.stage = Stage.HANDLING
        self._handling += 1
        self.counts.delivered += 1
        return delivery

    def acknowledge(self, held: HeldMessage) -> None:
        """Delete a message whose event was handled, and the copies of the event.

        Raises:
            ConfigurationError: the consumer is closed.
        """
        if self._closed:
            raise ConfigurationError("the consumer is closed, so the event will be delivered again")
        self._handling -= 1
        if held.event_id is not None:
            for copy in self.ledger.acknowledge(held.event_id):
                self.counts.duplicates += 1
                self._delete(copy)
        self._delete(held)
        if not (self._handling or self._waiting):
            self.settler.flush_soon()

    def release(self, held: HeldMessage, delay: float | None) -> None:
        """Let a message that is being handled be delivered again, and the copies of its event."""
        if self._closed:
            return
        self.counts.released += 1
        self._handling -= 1
        self._let_go(held, delay)

    def release_waiting(self) -> None:
        """Release at once what no handler has."""
        while self._waiting:
            held, _ = self._waiting.popleft()
            self._let_go(held, 0)

    def release_all(self) -> None:
        """Release at once whatever was not acknowledged, and settle nothing any more."""
        self.release_waiting()
        self._closed = True
        for held in [held for held in self._held.values() if held.stage is Stage.HANDLING]:
            self._let_go(held, 0)

    def deleted(self, held: HeldMessage, error: RekostreamError | None) -> None:
        """Forget a message that the queue deleted, or refused to."""
        if error is None:
            self.counts.acknowledged += 1
        else:
            self.counts.unconfirmed += 1
            _log.warning("the message %s could not be deleted: %s", held.id, error)
        self._forget(held)

    def _accept_malformed(self, message: QueueMessage, error: MalformedEventError) -> None:
        if message.id in self._reported:
            return  # left to the redrive policy of the queue
        self._reported[message.id] = None
        while len(self._reported) > _REMEMBERED:
            del self._reported[next(iter(self._reported))]
        self.counts.malformed += 1
        _log.warning("the message %s is malformed: %s", message.id, error)
        self._deliver(self._hold(message, None), message, error)

    def _accept_event(self, message: QueueMessage, event: StreamProcessorEvent, *, is_known: bool) -> None:
        held = self._hold(message, event.event_id)
        arrival = Arrival.HANDLED if is_known else self.ledger.arrive(event.event_id, held)
        if arrival is Arrival.FIRST:
            self._deliver(held, message, event)
        elif arrival is Arrival.COPY:
            held.stage = Stage.COPY
        else:
            self.counts.duplicates += 1
            self._delete(held)

    def _hold(self, message: QueueMessage, event_id: str | None) -> HeldMessage:
        held = HeldMessage(message.id, message.receipt, event_id)
        self._held[message.id] = held
        self.leases.add(held)
        return held

    def _deliver(
        self, held: HeldMessage, message: QueueMessage, outcome: StreamProcessorEvent | MalformedEventError
    ) -> None:
        delivery: Delivery[StreamProcessorEvent] = Delivery(
            outcome,
            raw=message.body,
            id=message.id,
            settlement=_MessageSettlement(self, held),
            receive_count=message.receive_count,
        )
        self._waiting.append((held, delivery))

    def _delete(self, held: HeldMessage) -> None:
        held.stage = Stage.DELETING
        self.settler.acknowledge(held)

    def _let_go(self, held: HeldMessage, delay: float | None) -> None:
        copies = () if held.event_id is None else self.ledger.release(held.event_id)
        for message in (held, *copies):
            self._forget(message)
            if delay is not None:
                self.settler.release(message, delay)

    def _forget(self, held: HeldMessage) -> None:
        self.leases.remove(held)
        self._held.pop(held.id, None)
        self.on_change()


@attrs.frozen
class _MessageSettlement:
    """Settle one message."""

    inbox: Inbox
    held: HeldMessage

    async def acknowledge(self) -> None:
        self.inbox.acknowledge(self.held)

    async def release(self, delay: float | None) -> None:
        self.inbox.release(self.held, delay)
