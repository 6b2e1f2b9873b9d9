"""The queue of starts: which request is dispatched next, and what became of each. A state machine over events. Pure.

A request is queued (it may expire, be cancelled, or be overtaken by an urgent one) or dispatched (it gets its true
outcome). Which one goes is decided only when the permit to send is there.

Invariants:

- at most one dispatched start per processor, and never more sessions of a kind than ``slots`` allows;
- exactly one outcome for each request;
- first come, first served among the runnable ones, urgent ones first; a request that waits for a session to end (of its
  kind, or of its own processor) lets the others pass;
- memory grows with the requests that have no outcome yet, and the sessions.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import LabelDetectionStart, StartRequest
from aiorekostream.errors import ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet.deadline_queue import DeadlineQueue
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Failed, Started, StartOutcome, Unknown
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import MARGIN, SessionSlot, SessionSlots
from aiorekostream.pipeline import CallTrace

__all__ = ["QueuedRequest", "RequestState", "StartQueue"]


class RequestState(enum.Enum):
    """Where a request is."""

    QUEUED = "waits for a permit, or for a slot of its kind"
    BLOCKED = "waits for another request or a session of the same processor"
    BACKING_OFF = "waits as long as the service has asked"
    DISPATCHED = "its call is under way"
    COMPLETED = "has its outcome"


@attrs.define(eq=False)
class QueuedRequest:
    """A start from its arrival to its outcome; only the queue changes it.

    Attributes:
        request: the start.
        on_complete: called once, with this and the outcome.
        deadline: when it is no longer worth sending, on the clock.
        urgent: whether it goes before those that are not.
        number: its place in the order of arrival.
        arrived_at: when the fleet took it.
        state: where it is.
        trace: how far its call has come, over all its dispatches.
        cancelled: whether its caller no longer wants it.
        name: the processor.
        kind: the limit that its session counts against.
        stopped: whether a stop of its processor was sent when the service may have applied it.
    """

    request: StartRequest
    on_complete: Callable[[QueuedRequest, StartOutcome], None]
    deadline: float = attrs.field(default=math.inf, kw_only=True)
    urgent: bool = attrs.field(default=False, kw_only=True)
    number: int = attrs.field(default=0, init=False)
    arrived_at: float = attrs.field(default=0.0, init=False)
    state: RequestState = attrs.field(default=RequestState.QUEUED, init=False)
    trace: CallTrace = attrs.field(factory=CallTrace, init=False)
    cancelled: bool = attrs.field(default=False, init=False)
    name: str = attrs.field(init=False)
    kind: ProcessorKind = attrs.field(init=False)
    stopped: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.name, self.kind = self.request.name, self.request.kind

    @property
    def longest(self) -> float:
        """The longest that its session should last, in seconds; infinity for a face search."""
        if isinstance(self.request, LabelDetectionStart):
            return self.request.stop_selector.max_duration_in_seconds
        return math.inf


_Followers = OrderedDict[QueuedRequest, None]


@attrs.define(eq=False)
class StartQueue:
    """Requests that wait, starts that are dispatched, and sessions under way.

    Attributes:
        slots: the sessions, and how many there may be.
        when_busy: what happens to a request for a busy processor.
        longest: the longest that another client's label detection may last, in seconds.
        poll_interval: how long a session is believed to go on after a poll showed it, in seconds.
        on_complete: called with each request and its outcome, before the request's own callback.
        on_session_end: called with the name of a processor whose session has ended.
        in_flight: the number of dispatched requests.
        pending: the number of requests without an outcome.
    """

    slots: SessionSlots
    when_busy: WhenBusy = "queue"
    longest: float = 120.0
    poll_interval: float = 5.0
    on_complete: Callable[[QueuedRequest, StartOutcome], None] = lambda _request, _outcome: None
    on_session_end: Callable[[str], None] = lambda _: None
    in_flight: int = attrs.field(default=0, init=False)
    pending: int = attrs.field(default=0, init=False)
    _leaders: dict[str, QueuedRequest] = attrs.field(factory=dict, init=False)
    _blocked: dict[str, _Followers] = attrs.field(factory=dict, init=False)
    _unpolled: set[str] = attrs.field(factory=set, init=False)
    _polled_at: float = attrs.field(default=-math.inf, init=False)
    # The requests that wait for a permit, by urgency and kind; a lane that is empty is not kept.
    _lanes: dict[tuple[bool, ProcessorKind], DeadlineQueue[QueuedRequest]] = attrs.field(factory=dict, init=False)
    _deadlines: DeadlineQueue[QueuedRequest] = attrs.field(factory=DeadlineQueue[QueuedRequest], init=False)
    _backoffs: DeadlineQueue[QueuedRequest] = attrs.field(factory=DeadlineQueue[QueuedRequest], init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    # --------------------------------------------------------------------------------------------- requests: in and out

    def add(self, request: QueuedRequest, now: float) -> None:
        """Take a request."""
        request.number, request.arrived_at = next(self._numbers), now
        self.pending += 1
        if request.deadline <= now:
            self._finish(request, Expired(request.request, 0.0))
            return
        self._deadlines.set(request, request.deadline)
        if self._needs_poll(request.name, now):
            self._unpolled.add(request.name)
            self._block(request)
        else:
            self._place(request, now)

    def first(self) -> QueuedRequest | None:
        """The request that would be dispatched now; ``None`` where none is runnable."""
        found: QueuedRequest | None = None
        for (_, kind), lane in self._lanes.items():
            if self.slots.has_room(kind):
                request = lane.first()
                if found is None or (not request.urgent, request.number) < (not found.urgent, found.number):
                    found = request
        return found

    def dispatch(self, now: float) -> QueuedRequest | None:
        """Take the next request out of the queue to send it; ``None`` where none is runnable any more."""
        self.advance(now)
        request = self.first()
        if request is None:
            return None
        self._leave_lane(request)
        self._deadlines.remove(request)
        self.slots.reserve(request.name, request.kind)
        request.state = RequestState.DISPATCHED
        request.trace.send_by = request.deadline
        self.in_flight += 1
        return request

    def complete(self, request: QueuedRequest, outcome: StartOutcome, now: float) -> None:
        """Give a dispatched request its outcome."""
        self.in_flight -= 1
        self._account_for(request, outcome, now)
        del self._leaders[request.name]
        self._finish(request, outcome)
        if self.when_busy == "share" and not _is_cancelled(outcome):
            self._unpolled.discard(request.name)
            for follower in list(self._blocked.pop(request.name, ())):
                self._finish(follower, attrs.evolve(outcome, request=follower.request))
        elif self.when_busy == "share" or request.name not in self.slots:
            self._unblock(request.name)

    def requeue(self, request: QueuedRequest, now: float, *, delay: float = 0.0) -> None:
        """Put a dispatched request that was certainly not applied back in its place.

        Args:
            request: the request.
            now: the time.
            delay: the seconds that the service has asked to wait.
        """
        self.in_flight -= 1
        self.slots.restore(request.name)
        if delay > 0:
            request.state = RequestState.BACKING_OFF
            self._backoffs.set(request, now + delay)
        else:
            self._enqueue(request)
        self._deadlines.set(request, request.deadline)
        if request.cancelled:
            self._call_off(request, Failed(request.request, RequestCancelledError(name=request.name)))

    def reject_for_capacity(self, request: QueuedRequest, now: float) -> None:
        """Put a start back that the service refused because too many sessions are under way."""
        request.trace.attempts = 0  # it waits for a session to end, however often the service has to say so
        self.requeue(request, now)
        self.slots.learn_limit(request.kind, now)

    def cancel(self, request: QueuedRequest) -> None:
        """Cancel a request. A dispatched one is not sent again, and gets its true outcome."""
        request.cancelled = True
        request.trace.send_by = -math.inf
        if request.state not in {RequestState.DISPATCHED, RequestState.COMPLETED}:
            self._call_off(request, Failed(request.request, RequestCancelledError(name=request.name)))

    def fail_queued(self, error_of: Callable[[QueuedRequest], Exception]) -> None:
        """Fail every request that is not dispatched."""
        for request in self.requests():
            if request.state not in {RequestState.DISPATCHED, RequestState.COMPLETED}:
                self._call_off(request, Failed(request.request, error_of(request)))

    def requests(self) -> list[QueuedRequest]:
        """The requests without an outcome, in the order of their arrival."""
        blocked = (each for followers in self._blocked.values() for each in followers)
        return sorted([*self._leaders.values(), *blocked], key=lambda each: each.number)

    # --------------------------------------------------------------------------------------------------------- sessions

    def mark_stopping(self, name: str, now: float, slot: SessionSlot | None) -> None:
        """Record that a stop of a processor was sent while it had this slot, or none."""
        if self.slots.get(name) is slot:
            self.slots.mark_stopping(name, now)
        leader = self._leaders.get(name)
        if leader is not None and leader.state is RequestState.DISPATCHED and leader.trace.may_be_applied:
            leader.stopped = True
            leader.trace.send_by = -math.inf  # the stop may have been meant for this start: it is not sent again

    def track_external(self, name: str, kind: ProcessorKind, now: float) -> None:
        """Count a session that was found under way."""
        slot = self.slots.get(name)
        if slot is None or (slot.session is None and slot.since <= now):
            self._reserve_external(name, kind, now)

    def session_ended(self, name: str, slot: SessionSlot) -> None:
        """Free the slot of a session that was seen to have ended, unless the processor has another one by now."""
        if self.slots.get(name) is slot:
            self.slots.free(name)
            self._session_over(name)

    def mark_polled(self, now: float) -> None:
        """Record a poll: the sessions that it did not show as ended are under way."""
        self._polled_at = now
        unpolled, self._unpolled = self._unpolled, set()
        for name in unpolled:
            for request in list(self._blocked.pop(name, ())):
                self._place(request, now)

    def mark_poll_failed(self, now: float) -> None:
        """Record a poll that showed nothing: a request that waits for it is sent, since only the service knows."""
        unpolled, self._unpolled = self._unpolled, set()
        for name in unpolled:
            for request in list(self._blocked.pop(name, ())):
                if name in self._leaders:
                    self._place(request, now)
                else:
                    self._enqueue(request)

    # ------------------------------------------------------------------------------------------------------------- time

    def advance(self, now: float) -> None:
        """Do what is due: sessions that cannot last any longer, deadlines, backoffs."""
        for name in self.slots.expire(now):
            self._session_over(name)
        for request in self._deadlines.pop_due(now):
            self._call_off(request, Expired(request.request, now - request.arrived_at))
        for request in self._backoffs.pop_due(now):
            self._enqueue(request)

    @property
    def next_moment(self) -> float:
        """When ``advance`` will have something to do; infinity for never."""
        return min(self._deadlines.next_moment, self._backoffs.next_moment, self.slots.next_change)

    @property
    def waits_for_session_end(self) -> bool:
        """Whether a request waits for a session to end."""
        if self._unpolled or (self._blocked and self.when_busy == "queue"):
            return True
        return any(not self.slots.has_room(kind) for _, kind in self._lanes)

    @property
    def queued(self) -> int:
        """The number of requests that are neither dispatched nor completed."""
        return self.pending - self.in_flight

    # ---------------------------------------------------------------------------------------------------------- details

    def _is_busy(self, slot: SessionSlot | None, now: float) -> bool:
        # A queued request waits until the end is certain. To share with or reject for a session that should be over
        # would be a guess, so that request is sent: the service knows.
        return slot is not None and (self.when_busy == "queue" or now < slot.expected_end)

    def _needs_poll(self, name: str, now: float) -> bool:
        """Whether a session would be shared, or rejected for, that no recent poll has shown to go on."""
        slot = self.slots.get(name)
        if slot is None or self.when_busy == "queue" or name in self._leaders or not self._is_busy(slot, now):
            return False
        return max(slot.since, self._polled_at) < now - self.poll_interval

    def _place(self, request: QueuedRequest, now: float) -> None:
        """Decide about a request by what its processor has, and what else was asked of it."""
        leader, slot = self._leaders.get(request.name), self.slots.get(request.name)
        if leader is None and not self._is_busy(slot, now):
            self._enqueue(request)
        elif self.when_busy == "reject":
            self._finish(request, Failed(request.request, ProcessorBusyError(name=request.name)))
        elif leader is None and slot is not None and slot.session is not None and self.when_busy == "share":
            self._finish(request, Started(request.request, slot.session))
        else:
            self._block(request)
            if leader is None and self.when_busy == "share":
                # An unknown start may still be applied: there is no session to share yet, and polls tell when none is.
                self._unpolled.add(request.name)

    def _block(self, request: QueuedRequest) -> None:
        request.state = RequestState.BLOCKED
        self._blocked.setdefault(request.name, OrderedDict())[request] = None

    def _enqueue(self, request: QueuedRequest) -> None:
        self._leaders[request.name] = request
        request.state = RequestState.QUEUED
        lane = self._lanes.get((request.urgent, request.kind))
        if lane is None:
            lane = self._lanes[request.urgent, request.kind] = DeadlineQueue[QueuedRequest]()
        lane.set(request, request.number)

    def _leave_lane(self, request: QueuedRequest) -> None:
        lane = self._lanes.get((request.urgent, request.kind))
        if lane is not None:
            lane.remove(request)
            if not lane:
                del self._lanes[request.urgent, request.kind]

    def _account_for(self, request: QueuedRequest, outcome: StartOutcome, now: float) -> None:
        """Keep the slot of a session that there is or may be."""
        match outcome:
            case Started(session=session):
                end = now + request.longest
                self.slots.occupy(
                    request.name, request.kind, since=now, expected_end=end, latest_end=end + MARGIN, session=session
                )
            case AlreadyRunning():
                self._reserve_external(request.name, request.kind, now)
            case Unknown():
                # It may be applied until then, so an earlier poll that shows the processor at rest proves nothing.
                self._reserve_external(request.name, request.kind, max(now, request.trace.applied_by))
            case _:
                self.slots.restore(request.name)

    def _reserve_external(self, name: str, kind: ProcessorKind, since: float) -> None:
        longest = math.inf if kind is ProcessorKind.FACE_SEARCH else self.longest
        self.slots.occupy(name, kind, since=since, expected_end=since, latest_end=since + longest + MARGIN)

    def _call_off(self, request: QueuedRequest, outcome: StartOutcome) -> None:
        """Complete a request that is not dispatched."""
        if request.state is RequestState.BLOCKED:
            followers = self._blocked[request.name]
            del followers[request]
            if not followers:
                del self._blocked[request.name]
                self._unpolled.discard(request.name)
            self._finish(request, outcome)
            return
        self._leave_lane(request)
        self._backoffs.remove(request)
        del self._leaders[request.name]
        self._finish(request, outcome)
        if self.when_busy != "queue" or request.name not in self.slots:
            self._unblock(request.name)

    def _finish(self, request: QueuedRequest, outcome: StartOutcome) -> None:
        request.state = RequestState.COMPLETED
        self._deadlines.remove(request)
        self.pending -= 1
        self.on_complete(request, outcome)
        request.on_complete(request, outcome)

    def _session_over(self, name: str) -> None:
        self.on_session_end(name)
        if name not in self._leaders:
            self._unblock(name)

    def _unblock(self, name: str) -> None:
        """Let the next request for a processor that is free now join the queue."""
        followers = self._blocked.get(name)
        if followers:
            request, _ = followers.popitem(last=False)
            if not followers:
                del self._blocked[name]
            self._enqueue(request)


def _is_cancelled(outcome: StartOutcome) -> bool:
    return isinstance(outcome, Failed) and isinstance(outcome.error, RequestCancelledError)
