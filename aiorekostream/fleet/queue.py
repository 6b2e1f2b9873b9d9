"""Queue the requests of one operation: choose the next one, and record each outcome. A pure state machine.

A request is queued (it may expire, be cancelled, or be overtaken by an urgent one) or dispatched (it gets its true
outcome). Which one goes is decided only when the permit to send is there.

Invariants:

- at most one dispatched request per processor;
- exactly one outcome for each request;
- first come, first served among the runnable ones, urgent ones first;
- memory grows with the requests that have no outcome yet.
"""

import enum
import functools
import itertools
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar, cast

import attrs

from aiorekostream.deadline_queue import DeadlineQueue
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet.outcomes import Expired, Failed, Outcome, Started, WaitedFor
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.pipeline import CallTrace

__all__ = ["QueuedRequest", "RequestQueue", "RequestState"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)


class RequestState(enum.Enum):
    """Where a request is."""

    QUEUED = "waits for a permit, or for a slot of its kind"
    BLOCKED = "waits for another request or a session of the same processor"
    BACKING_OFF = "waits as long as the service has asked"
    DISPATCHED = "its call is under way"
    COMPLETED = "has its outcome"


def _no_callback(_request: object, _outcome: Outcome) -> None:
    """Do nothing with an outcome."""


@attrs.define(eq=False)
class QueuedRequest(Generic[_RequestT]):
    """A request from its arrival to its outcome; only the queue changes it.

    Attributes:
        request: the start, or the name of the processor to stop.
        on_complete: called once, with this and the outcome.
        name: the processor.
        kind: the limit that the session of a start counts against; ``None`` for a stop.
        deadline: when it is no longer worth sending, on the clock.
        urgent: whether it goes before those that are not.
        number: its place in the order of arrival.
        arrived_at: when the fleet took it.
        state: where it is.
        trace: how far its call has come, over all its dispatches.
        cancelled: whether its caller no longer wants it.
        tag: what its outcome returns to the caller.
        when_busy: the policy where the processor is busy; that of the queue if ``None``.
        stopped: whether a stop of its processor was sent when the service may have applied it.
    """

    request: _RequestT
    on_complete: "Callable[[QueuedRequest[_RequestT], Outcome], None]" = _no_callback
    name: str = attrs.field(kw_only=True)
    kind: ProcessorKind | None = attrs.field(default=None, kw_only=True)
    deadline: float = attrs.field(default=math.inf, kw_only=True)
    urgent: bool = attrs.field(default=False, kw_only=True)
    tag: object = attrs.field(default=None, kw_only=True)
    when_busy: WhenBusy | None = attrs.field(default=None, kw_only=True)
    number: int = attrs.field(default=0, init=False)
    arrived_at: float = attrs.field(default=0.0, init=False)
    state: RequestState = attrs.field(default=RequestState.QUEUED, init=False)
    trace: CallTrace = attrs.field(factory=functools.partial(CallTrace, retries_throttled=False), init=False)
    cancelled: bool = attrs.field(default=False, init=False)
    stopped: bool = attrs.field(default=False, init=False)

    @property
    def shares(self) -> bool:
        """Whether it waits for the outcome of the request before it for its processor."""
        return self.state is RequestState.BLOCKED and self.when_busy == "share"

    def cancellation(self) -> Failed[_RequestT]:
        """Return the outcome that it has where it is cancelled before it is sent."""
        return Failed(self.request, RequestCancelledError(name=self.name))


@attrs.define(eq=False)
class RequestQueue(Generic[_RequestT]):
    """Requests that wait, and those that are dispatched.

    One request of a processor leads. Those that arrive before it has its outcome follow it and share the outcome; the
    first of them takes the lead where the leader was cancelled.

    Attributes:
        slots: the sessions, and how many there may be.
        when_busy: what happens to a request for a busy processor that does not say so itself.
        on_complete: called with each request and its outcome, before the request's own callback.
        in_flight: the number of dispatched requests.
        pending: the number of requests without an outcome.
    """

    slots: SessionSlots
    when_busy: WhenBusy = attrs.field(default="queue", kw_only=True)
    on_complete: Callable[[QueuedRequest[_RequestT], Outcome], None] = attrs.field(default=_no_callback, kw_only=True)
    in_flight: int = attrs.field(default=0, init=False)
    pending: int = attrs.field(default=0, init=False)
    _leaders: dict[str, QueuedRequest[_RequestT]] = attrs.field(factory=dict, init=False)
    _followers: dict[str, OrderedDict[QueuedRequest[_RequestT], None]] = attrs.field(factory=dict, init=False)
    # The requests that wait for a permit, by urgency and kind; a lane that is empty is not kept.
    _lanes: defaultdict[tuple[bool, ProcessorKind | None], DeadlineQueue[QueuedRequest[_RequestT]]] = attrs.field(
        factory=lambda: defaultdict(DeadlineQueue), init=False
    )
    # The requests that are not dispatched, by their deadlines; one that backs off, by the end of that if it is earlier.
    _due: DeadlineQueue[QueuedRequest[_RequestT]] = attrs.field(factory=DeadlineQueue, init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def add(self, request: QueuedRequest[_RequestT], now: float) -> None:
        """Take a request."""
        request.number, request.arrived_at = next(self._numbers), now
        request.when_busy = request.when_busy or self.when_busy
        self.pending += 1
        if request.deadline <= now:
            self._finish(request, _expired(request, 0.0, None))
        else:
            self._due.set(request, request.deadline)
            self._place(request, now)

    def first(self) -> QueuedRequest[_RequestT] | None:
        """Return the request that would be dispatched now; ``None`` where none is runnable."""
        found: QueuedRequest[_RequestT] | None = None
        for (_, kind), lane in self._lanes.items():
            if self.slots.has_room(kind):
                request = lane.first()
                if found is None or (not request.urgent, request.number) < (not found.urgent, found.number):
                    found = request
        return found

    def dispatch(self, now: float) -> QueuedRequest[_RequestT] | None:
        """Take the next request out of the queue to send it; ``None`` where none is runnable any more."""
        self.advance(now)
        request = self.first()
        if request is not None:
            self._leave_lane(request)
            self._due.remove(request)
            request.state = RequestState.DISPATCHED
            request.trace.send_by = request.deadline
            self.in_flight += 1
        return request

    def complete(self, request: QueuedRequest[_RequestT], outcome: Outcome, now: float) -> None:
        """Give a dispatched request its outcome, and let its followers go on."""
        self.in_flight -= 1
        del self._leaders[request.name]
        self._finish(request, outcome)
        self._release(request, outcome, now)

    def requeue(self, request: QueuedRequest[_RequestT], now: float, *, delay: float = 0.0) -> None:
        """Put a dispatched request that was certainly not applied back in its place.

        Args:
            request: the request.
            now: the time.
            delay: the seconds that the service has asked to wait.
        """
        self.in_flight -= 1
        if delay > 0:
            request.state = RequestState.BACKING_OFF
            self._due.set(request, min(now + delay, request.deadline))
        else:
            self._enqueue(request)
            self._due.set(request, request.deadline)
        for follower in tuple(self._followers.get(request.name, ())):
            if follower.cancelled:  # there is no call any more whose outcome it could share
                self.withdraw(follower)
        if request.cancelled:
            self.cancel(request)

    def cancel(self, request: QueuedRequest[_RequestT]) -> None:
        """Cancel a request. A dispatched one is not sent again; it and those that share it get its true outcome."""
        request.cancelled = True
        request.trace.send_by = -math.inf
        if self.shared_call(request) is None:
            self.withdraw(request)

    def withdraw(self, request: QueuedRequest[_RequestT], outcome: Outcome | None = None) -> None:
        """Complete a request that is not dispatched, also one that shares the call of another.

        A request that already has an outcome keeps it: a listener may have cancelled it during another request's event.

        Args:
            request: the request.
            outcome: its outcome; ``Failed`` with ``RequestCancelledError`` if not given.
        """
        if request.state in {RequestState.DISPATCHED, RequestState.COMPLETED}:
            return
        outcome = outcome or request.cancellation()
        if request.state is RequestState.BLOCKED:
            self._leave_followers(request)
            self._finish(request, outcome)
            return
        self._leave_lane(request)
        del self._leaders[request.name]
        self._finish(request, outcome)
        self._unblock(request.name)

    def fail_queued(self, error_of: Callable[[QueuedRequest[_RequestT]], Exception]) -> None:
        """Fail every request that is neither dispatched nor shares the call of one that is."""
        for request in self.requests():
            if self.shared_call(request) is None:
                self.withdraw(request, Failed(request.request, error_of(request)))

    def shared_call(self, request: QueuedRequest[_RequestT]) -> QueuedRequest[_RequestT] | None:
        """Return the dispatched request whose outcome a request will share; ``None`` where there is none."""
        leader = self._leaders.get(request.name)
        is_dispatched = leader is not None and leader.state is RequestState.DISPATCHED
        return leader if is_dispatched and request.shares else None

    def requests(self) -> list[QueuedRequest[_RequestT]]:
        """Return the requests without an outcome, in the order of their arrival."""
        followers = (each for followers in self._followers.values() for each in followers)
        return sorted([*self._leaders.values(), *followers], key=lambda each: each.number)

    def advance(self, now: float) -> None:
        """Do what is due: deadlines and backoffs."""
        for request in self._due.pop_due(now):
            if request.deadline <= now:
                self.withdraw(request, _expired(request, now - request.arrived_at, self._waits_for(request)))
            elif request.state is RequestState.BACKING_OFF:  # a listener may have cancelled it at another's expiry
                self._enqueue(request)
                self._due.set(request, request.deadline)

    @property
    def next_moment(self) -> float:
        """When ``advance`` will have something to do; infinity for never."""
        return self._due.next_moment

    @property
    def queued(self) -> int:
        """The number of requests that are neither dispatched nor completed."""
        return self.pending - self.in_flight

    # ---------------------------------------------------------------------------------------------------------- details

    def _place(self, request: QueuedRequest[_RequestT], _now: float, /) -> None:
        """Decide whether a request leads or follows."""
        if request.name in self._leaders:
            self._follow(request)
        else:
            self._enqueue(request)

    def _follow(self, request: QueuedRequest[_RequestT]) -> None:
        request.state = RequestState.BLOCKED
        self._followers.setdefault(request.name, OrderedDict())[request] = None

    def _enqueue(self, request: QueuedRequest[_RequestT]) -> None:
        self._leaders[request.name] = request
        request.state = RequestState.QUEUED
        self._lanes[request.urgent, request.kind].set(request, request.number)

    def _leave_lane(self, request: QueuedRequest[_RequestT]) -> None:
        lane = self._lanes.get((request.urgent, request.kind))
        if lane is not None:
            lane.remove(request)
            if not lane:
                del self._lanes[request.urgent, request.kind]

    def _release(self, request: QueuedRequest[_RequestT], outcome: Outcome, now: float) -> None:
        """Share an outcome with the followers, unless it is that of a caller who wanted no further attempt."""
        is_given_up = request.cancelled or request.deadline <= now
        is_own = isinstance(outcome, Failed) and (is_given_up or isinstance(outcome.error, RequestCancelledError))
        for follower in tuple(self._followers.get(request.name, ())):
            # An event's listener may have cancelled it.
            if follower.shares and (follower.cancelled or not is_own):
                self._leave_followers(follower)
                self._finish(follower, _shared(outcome, follower))
        self._unblock(request.name)

    def _waits_for(self, request: QueuedRequest[_RequestT]) -> WaitedFor:
        """Return what a request that is not dispatched waits for."""
        if request.state is RequestState.BACKING_OFF:
            return "backoff"
        if request.state is RequestState.BLOCKED:
            return "request" if request.name in self._leaders else "session"
        return "permit" if self.slots.has_room(request.kind) else "capacity"

    def _unblock(self, name: str) -> None:
        """Let the next request for a processor join the queue, if it may."""
        request = next(iter(self._followers.get(name, ())), None)
        if request is not None and (request.when_busy != "queue" or name not in self.slots):
            self._leave_followers(request)
            self._enqueue(request)

    def _leave_followers(self, request: QueuedRequest[_RequestT]) -> None:
        followers = self._followers.get(request.name)
        if followers is not None and request in followers:  # a poll that decides about them has taken them out
            del followers[request]
            if not followers:
                del self._followers[request.name]

    def _finish(self, request: QueuedRequest[_RequestT], outcome: Outcome) -> None:
        request.state = RequestState.COMPLETED
        self._due.remove(request)
        self.pending -= 1
        if request.tag is not None:
            outcome = attrs.evolve(_any(outcome), tag=request.tag)
        self.on_complete(request, outcome)
        on_complete, request.on_complete = request.on_complete, _no_callback
        on_complete(request, outcome)  # which may hold the outcome, whose error's traceback leads to the request


def _expired(request: QueuedRequest[_RequestT], waited: float, waited_for: WaitedFor | None) -> Expired:
    return Expired(cast("StartRequest", request.request), waited, waited_for=waited_for)  # stops have no deadline


def _shared(outcome: Outcome, follower: QueuedRequest[_RequestT]) -> Outcome:
    """Return the outcome of a request that shares another's."""
    if isinstance(outcome, Started):
        outcome = attrs.evolve(outcome, shared=True)
    return attrs.evolve(_any(outcome), request=follower.request)


def _any(outcome: Outcome) -> Failed[StartRequest | str]:
    return cast("Failed[StartRequest | str]", outcome)  # attrs.evolve takes no union
