"""Find the session of an event, by the claims of sessions on the events of a consumer that they share."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import attrs

from aiorekostream.results.delivery import Delivery
from aiorekostream.results.session_rules import EventKeys, SessionEvent

__all__ = ["ClaimBook", "EventDelivery", "ReceivedEvent", "SessionClaim"]

EventDelivery: TypeAlias = Delivery[SessionEvent]


@attrs.frozen(eq=False)
class ReceivedEvent:
    """An event that no session has claimed so far.

    Attributes:
        delivery: the delivery.
        event: the event in it.
        keys: what identifies the session in the event.
        number: its position among the events and the claims.
        is_awaited: whether a wait or a fleet needs it.
    """

    delivery: EventDelivery
    event: SessionEvent
    keys: EventKeys
    number: int
    is_awaited: bool


@attrs.define(eq=False, kw_only=True)
class SessionClaim:
    """The claim of one session.

    Attributes:
        source: what its events have in common; see ``EventKeys``.
        since: the earliest moment of its events; ``None`` where they have none.
        deliver: takes an event of the session.
        on_consumer_end: called when no more events come, with the error of the consumer if it has failed.
        session_id: the id of the session; ``None`` while the start is not answered, and where its answer had none.
        number: its position among the events and the claims.
        held: events that may belong to the session, until the start is answered.
    """

    source: str
    since: datetime.datetime | None = None
    deliver: Callable[[EventDelivery], None]
    on_consumer_end: Callable[[Exception | None], None]
    session_id: str | None = None
    number: int = attrs.field(default=0, init=False)
    held: list[ReceivedEvent] = attrs.field(factory=list[ReceivedEvent], init=False)

    def may_have(self, keys: EventKeys) -> bool:
        """Return whether an event with the same source is not older than the session."""
        return self.since is None or keys.moment is None or self.since <= keys.moment


@attrs.define(eq=False)
class ClaimBook:
    """The claims on the events of one consumer.

    A session is known by its id once its start is answered. Until then, the events with its source are held: an event
    may overtake the answer. A session without an id takes the events with its source that no other session claims: a
    face search, and a label detection whose answer was lost. Of several, it is the latest one that is not younger than
    the event.
    """

    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)
    _starting: dict[str, dict[SessionClaim, None]] = attrs.field(
        factory=dict[str, dict[SessionClaim, None]], init=False
    )
    _by_session: dict[str, SessionClaim] = attrs.field(factory=dict[str, SessionClaim], init=False)
    _by_source: dict[str, list[SessionClaim]] = attrs.field(factory=dict[str, list[SessionClaim]], init=False)

    def next_number(self) -> int:
        """Return the position of an event or a claim that is new now."""
        return next(self._numbers)

    def claims(self) -> list[SessionClaim]:
        """Return all claims."""
        starting = itertools.chain.from_iterable(self._starting.values())
        return [*starting, *self._by_session.values(), *itertools.chain.from_iterable(self._by_source.values())]

    def add(self, claim: SessionClaim) -> None:
        """Add the claim of a session whose start is about to be sent."""
        claim.number = self.next_number()
        self._starting.setdefault(claim.source, {})[claim] = None

    def started(self, claim: SessionClaim, session_id: str | None) -> list[ReceivedEvent]:
        """Record the answer to a start, and return the events that were held for it."""
        held = self.remove(claim)
        claim.session_id = session_id
        if session_id is None:
            self._by_source.setdefault(claim.source, []).append(claim)
        else:
            self._by_session[session_id] = claim
        return held

    def remove(self, claim: SessionClaim) -> list[ReceivedEvent]:
        """Remove a claim, if it is there, and return the events that were held for it."""
        starting = self._starting.get(claim.source, {})
        starting.pop(claim, None)
        if not starting:
            self._starting.pop(claim.source, None)
        if claim.session_id is not None and self._by_session.get(claim.session_id) is claim:
            del self._by_session[claim.session_id]
        without_id = self._by_source.get(claim.source, [])
        if claim in without_id:
            without_id.remove(claim)
        if not without_id:
            self._by_source.pop(claim.source, None)
        held, claim.held = claim.held, []
        return held

    def find(self, keys: EventKeys) -> SessionClaim | None:
        """Return the claim of the session that an event belongs to; ``None`` if there is none, or none yet."""
        claim = None if keys.session is None else self._by_session.get(keys.session)
        if claim is None and keys.source is not None:
            without_id = reversed(self._by_source.get(keys.source, ()))
            claim = next((each for each in without_id if each.may_have(keys)), None)
        return claim

    def hold(self, received: ReceivedEvent) -> bool:
        """Hold an event for an unanswered start that was sent before it arrived; return whether there is one."""
        for claim in self._candidates(received.keys.source):
            if claim.number < received.number and claim.may_have(received.keys):
                claim.held.append(received)
                return True
        return False

    def _candidates(self, source: str | None) -> Iterable[SessionClaim]:
        if source is None:
            return itertools.chain.from_iterable(self._starting.values())
        return self._starting.get(source, ())
