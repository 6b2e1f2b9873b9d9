"""Queue starts: the queue of an operation, plus sessions and requests for busy processors. Pure.

Invariants, beside those of ``RequestQueue``:

- never more sessions of a kind than ``slots`` allows;
- a request that waits for a session to end (of its kind, or of its own processor) lets the others pass;
- memory grows with the sessions, too.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import InvalidRequestError, ProcessorBusyError, ValidationIssue
from aiorekostream.fleet.outcomes import AlreadyRunning, Failed, Outcome, Started, Unknown
from aiorekostream.fleet.queue import QueuedRequest, RequestQueue, RequestState
from aiorekostream.fleet.requests import FleetRequest
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import MARGIN, SessionSlot

__all__ = ["QueuedStart", "StartQueue", "longest_session", "queued_start"]

QueuedStart = QueuedRequest[StartRequest]


@attrs.define(eq=False)
class StartQueue(RequestQueue[StartRequest]):
    """Starts that wait or are dispatched, and the sessions that there are.

    Attributes:
        longest: the longest that another client's label detection may last, in seconds.
        poll_interval: how long a session is believed to go on after a poll showed it, in seconds.
        on_session_end: called with each session that has ended.
        unpolled: the processors that a poll must show before the requests behind them can be decided about.
    """

    longest: float = 120.0
    poll_interval: float = 5.0
    on_session_end: Callable[[SessionEnd], None] = lambda _: None
    unpolled: set[str] = attrs.field(factory=set[str], init=False)
    _polled_at: float = attrs.field(default=-math.inf, init=False)

    def dispatch(self, now: float) -> QueuedStart | None:
        """See ``RequestQueue``; the start takes a slot."""
        request = super().dispatch(now)
        if request is not None:
            self.slots.reserve(request.name, request.kind)
        return request

    def complete(self, request: QueuedStart, outcome: Outcome, now: float) -> None:
        """See ``RequestQueue``; the slot of a session that there is or may be is kept."""
        name, kind = request.name, request.kind
        match outcome:
            case Started(session=session):
                before, end = self.slots.get(name), now + longest_session(request.request)
                slot = SessionSlot(kind, since=now, expected_end=end, session=session, latest_end=end + MARGIN)
                self.slots.occupy(name, slot, now)
                if before is not None and before.previous is not None:  # that session is over: a new one has begun
                    request.state = RequestState.COMPLETED  # a listener may cancel it
                    self.on_session_end(SessionEnd(name, session=before.session))
            case AlreadyRunning():
                self.slots.occupy(name, self._bounded_slot(name, kind, now), now, is_external=True)
            case Unknown():
                # It may be applied until then, so an earlier poll that shows the processor at rest proves nothing.
                since = max(now, request.trace.applied_by)
                self.slots.occupy(name, self._bounded_slot(name, kind, since), now)
            case _:
                self.slots.restore(name)
        super().complete(request, outcome, now)

    def requeue(self, request: QueuedStart, now: float, *, delay: float = 0.0) -> None:
        """See ``RequestQueue``; the slot is given back."""
        self.slots.restore(request.name)
        super().requeue(request, now, delay=delay)

    def reject_for_capacity(self, request: QueuedStart, now: float) -> None:
        """Put a start back that the service refused because too many sessions are under way."""
        request.trace.attempts = 0  # it waits for a session to end, however often the service has to say so
        self.requeue(request, now)
        self.slots.learn_limit(request.kind, now)

    def advance(self, now: float) -> None:
        """See ``RequestQueue``; sessions that cannot last any longer are over."""
        for name, slot in self.slots.expire(now).items():
            self._session_over(SessionEnd(name, session=slot.session))
        super().advance(now)

    @property
    def next_moment(self) -> float:
        """See ``RequestQueue``."""
        return min(super().next_moment, self.slots.next_change)

    @property
    def waits_for_session_end(self) -> bool:
        """Whether a request waits for a session to end, of its own processor or of its kind."""
        return self.waits_for_own_session or any(self.slots.is_full(kind) for _, kind in self._lanes)

    @property
    def waits_for_own_session(self) -> bool:
        """Whether a request waits for a session of its own processor to end."""
        return bool(self.unpolled or (self._followers and self.when_busy == "queue"))

    def wanted_slots(self) -> dict[ProcessorKind, int]:
        """Return the number of requests of each kind that a leased slot would let be sent."""
        counts = Counter[ProcessorKind]()
        for (_, kind), lane in self._lanes.items():
            if kind is not None and self.slots.allows(kind):
                counts[kind] += len(lane)
        return counts

    # --------------------------------------------------------------------------------------------------------- sessions

    def mark_stopping(self, name: str, now: float, slot: SessionSlot | None) -> None:
        """Record that a stop of a processor was sent while it had this slot, or none."""
        if self.slots.get(name) is slot:
            self.slots.mark_stopping(name, now)
        leader = self._leaders.get(name)
        if leader is not None and leader.state is RequestState.DISPATCHED and leader.trace.may_be_applied:
            leader.stopped = True
            leader.trace.send_by = -math.inf  # the stop may have been meant for this start: it is not sent again

    def track_external(
        self, name: str, kind: ProcessorKind | None, now: float, session: StartedSession | None = None
    ) -> None:
        """Count a session that was found under way, which another host may have reported."""
        slot = self.slots.get(name)
        if slot is None or (slot.session is None and slot.since <= now):
            self.slots.occupy(name, self._bounded_slot(name, kind, now, session), now, is_external=True)

    def session_ended(self, end: SessionEnd, slot: SessionSlot) -> None:
        """Free the slot of a session that was seen to have ended, unless the processor has another one by now."""
        if self.slots.get(end.name) is slot:
            self.slots.free(end.name, end.status)
            self._session_over(attrs.evolve(end, session=slot.session))

    def mark_polled(self, began: float, now: float) -> None:
        """Record a poll: the sessions that it did not show as ended were under way when it began."""
        # One that took longer than the interval decides about the requests that wait for it, and no later ones.
        self._polled_at = now
        for request in self._take_unpolled():
            self._place(request, now)
        self._polled_at = began

    def mark_poll_failed(self, now: float) -> None:
        """Record a poll that showed nothing: a request that waits for it is sent, since only the service knows."""
        for request in self._take_unpolled():
            if request.name in self._leaders or request.when_busy == "queue":
                self._place(request, now)
            else:
                self._enqueue(request)

    # ---------------------------------------------------------------------------------------------------------- details

    def _take_unpolled(self) -> Iterator[QueuedStart]:
        """Yield the requests that a poll decides about, less those that a listener cancels on the way."""
        unpolled, self.unpolled = self.unpolled, set()
        for name in unpolled:
            for request in tuple(self._followers.pop(name, ())):
                if request.state is RequestState.BLOCKED:
                    yield request

    def _place(self, request: QueuedStart, now: float) -> None:
        """Decide about a request by what its processor has, and what else was asked of it."""
        leader, slot, policy = self._leaders.get(request.name), self.slots.get(request.name), request.when_busy
        # A queued request waits until the end is certain. To share with or reject for a session that should be over
        # would be a guess, so that request is sent: the service knows.
        if leader is None and (slot is None or (policy != "queue" and slot.expected_end <= now)):
            self._enqueue(request)
        elif leader is not None or policy == "queue" or slot is None:
            self._place_behind(request)
        elif max(slot.since, self._polled_at) < now - self.poll_interval:
            # No recent poll has shown that the session goes on, so a poll decides.
            self.unpolled.add(request.name)
            self._follow(request)
        elif policy == "share" and slot.session is not None and slot.since <= now:
            self._finish(request, Started(request.request, slot.session, shared=True))
        else:
            self._place_behind(request)
            if policy == "share":
                # An unknown start may still be applied, so there is no session to share yet; polls show when none is.
                self.unpolled.add(request.name)

    def _place_behind(self, request: QueuedStart) -> None:
        if request.when_busy == "reject":
            self._finish(request, Failed(request.request, ProcessorBusyError(name=request.name)))
        else:
            self._follow(request)

    def _leave_followers(self, request: QueuedStart) -> None:
        super()._leave_followers(request)
        if request.name not in self._followers:
            self.unpolled.discard(request.name)

    def _bounded_slot(
        self, name: str, kind: ProcessorKind | None, since: float, session: StartedSession | None = None
    ) -> SessionSlot:
        """Return the slot of a session of which only the kind is known, and so the longest that it may last."""
        before, longest = self.slots.get(name), math.inf if kind is ProcessorKind.FACE_SEARCH else self.longest
        if session is None and before is not None:
            session = before.session
        return SessionSlot(kind, since, expected_end=since, session=session, latest_end=since + longest + MARGIN)

    def _session_over(self, end: SessionEnd) -> None:
        self.on_session_end(end)
        if end.name not in self._leaders:
            self._unblock(end.name)


def queued_start(
    item: StartRequest | FleetRequest, *, clock: Clock, lifetime: float
) -> QueuedStart | Failed[StartRequest]:
    """Return the queued request of an item; ``Failed`` if the item is not a start.

    Args:
        item: the start, alone or with a deadline or a priority.
        clock: the clock of its deadline.
        lifetime: the most seconds for which it is worth sending; infinity for no limit.
    """
    start, urgent, tag = item, False, None
    if isinstance(item, FleetRequest):
        start, urgent, tag = item.request, item.urgent, item.tag
        if item.expires_at is not None:
            lifetime = min(lifetime, (item.expires_at - clock.wall()).total_seconds())
    if not isinstance(start, FaceSearchStart | LabelDetectionStart):
        issue = ValidationIssue(("request",), start, "a FaceSearchStart, a LabelDetectionStart or a FleetRequest")
        return Failed(cast("StartRequest", cast("object", start)), InvalidRequestError([issue]))
    deadline = math.inf if lifetime == math.inf else clock.now() + lifetime
    return QueuedRequest(start, name=start.name, kind=start.kind, deadline=deadline, urgent=urgent, tag=tag)


def longest_session(start: StartRequest) -> float:
    """Return the longest that a session should last, in seconds; infinity for a face search."""
    return start.stop_selector.max_duration_in_seconds if isinstance(start, LabelDetectionStart) else math.inf
