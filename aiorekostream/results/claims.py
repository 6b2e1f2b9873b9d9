"""Which session an event belongs to: the claims of sessions on the events of a consumer that they share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import attrs

from aiorekostream.domain.labels import StreamProcessorEvent
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.session_rules import EventKeys

__all__ = ["ClaimBook", "EventDelivery", "ReceivedEvent", "SessionClaim"]

EventDelivery: TypeAlias = Delivery[StreamProcessorEvent]


@attrs.frozen(eq=False)
class ReceivedEvent:
    """An event that no session has claimed so far.

    Attributes:
        delivery: the delivery.
        event: the event in it.
        keys: what the event tells about its session.
        number: its place among the events and the claims.
        is_awaited: whether a wait or a fleet needs it.
    """

    delivery: EventDelivery
    event: StreamProcessorEvent
    keys: EventKeys
    number: int
    is_awaited: bool


@attrs.define(eq=False, kw_only=True)
class SessionClaim:
    """The claim of one session.

    Attributes:
        processor_name: the processor that the session is started on.
        deliver: takes an event of the session.
        on_consumer_end: called when no more events come, with the error of the consumer if it has failed.
        session_id: the id of the session; ``None`` while the start is not answered, and where its answer had none.
        number: its place among the events and the claims.
        held: events that may belong to the session, until the start is answered.
    """

    processor_name: str
    deliver: Callable[[EventDelivery], None]
    on_consumer_end: Callable[[Exception | None], None]
    session_id: str | None = None
    number: int = attrs.field(default=0, init=False)
    held: list[ReceivedEvent] = attrs.field(factory=list[ReceivedEvent], init=False)


@attrs.define(eq=False)
class ClaimBook:
    """The claims on the events of one consumer.

    A session is known by its id once its start is answered. Until then, the events of its processor are held: an event
    may overtake the answer. A session without an id, whose answer was lost, takes the events of its processor that no
    other session claims.
    """

    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _starting: dict[str, dict[SessionClaim, None]] = attrs.field(
        factory=dict[str, dict[SessionClaim, None]], init=False
    )
    _by_session: dict[str, SessionClaim] = attrs.field(factory=dict[str, SessionClaim], init=False)
    _by_processor: dict[str, SessionClaim] = attrs.field(factory=dict[str, SessionClaim], init=False)

    def next_number(self) -> int:
        """Return the place of something that happens now."""
        return next(self._numbers)

    def claims(self) -> list[SessionClaim]:
        """Return all claims."""
        starting = itertools.chain.from_iterable(self._starting.values())
        return [*starting, *self._by_session.values(), *self._by_processor.values()]

    def add(self, claim: SessionClaim) -> None:
        """Add the claim of a session whose start is about to be sent."""
        claim.number = self.next_number()
        self._starting.setdefault(claim.processor_name, {})[claim] = None

    def started(self, claim: SessionClaim, session_id: str | None) -> list[ReceivedEvent]:
        """Record the answer to a start, and return the events that were held for it."""
        held = self.remove(claim)
        claim.session_id = session_id
        if session_id is None:
            self._by_processor[claim.processor_name] = claim
        else:
            self._by_session[session_id] = claim
        return held

    def remove(self, claim: SessionClaim) -> list[ReceivedEvent]:
        """Remove a claim, if it is there, and return the events that were held for it."""
        starting = self._starting.get(claim.processor_name, {})
        starting.pop(claim, None)
        if not starting:
            self._starting.pop(claim.processor_name, None)
        if claim.session_id is not None and self._by_session.get(claim.session_id) is claim:
            del self._by_session[claim.session_id]
        if self._by_processor.get(claim.processor_name) is claim:
            del self._by_processor[claim.processor_name]
        held, claim.held = claim.held, []
        return held

    def find(self, keys: EventKeys) -> SessionClaim | None:
        """Return the claim of the session that an event belongs to; ``None`` if there is none, or none yet."""
        claim = self._by_session.get(keys.session)
        if claim is None and keys.processor is not None:
            claim = self._by_processor.get(keys.processor)
        return claim

    def hold(self, received: ReceivedEvent) -> bool:
        """Hold an event for a start that was sent before it came and is not answered, and tell whether there is one."""
        for claim in self._candidates(received.keys.processor):
            if claim.number < received.number:
                claim.held.append(received)
                return True
        return False

    def _candidates(self, processor_name: str | None) -> Iterable[SessionClaim]:
        if processor_name is None:
            return itertools.chain.from_iterable(self._starting.values())
        return self._starting.get(processor_name, ())
