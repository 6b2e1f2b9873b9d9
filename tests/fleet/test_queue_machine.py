"""Check the invariants of the queue of starts with sequences of events that Hypothesis generates."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import FaceSearchStart
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Failed, Outcome, Started, Unknown
from aiorekostream.fleet.queue import RequestState
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import MARGIN, SessionSlot, SessionSlots
from aiorekostream.fleet.start_queue import QueuedStart, StartQueue
from aiorekostream.pipeline import LostAttempt
from tests.effort import examples
from tests.fleet.service import label

if TYPE_CHECKING:
    from aiorekostream.fleet.requests import WhenBusy

LABELS = ["a", "b", "c", "d", "e"]
FACES = ["x", "y", "z"]
POLICIES: list[WhenBusy] = ["queue", "share", "reject"]
SECONDS = st.one_of(st.sampled_from([0.0, 0.5, 5.0, 30.0]), st.floats(0, 60))
FATES = [
    *("started", "started", "failed", "throttled", "asked to wait", "no capacity"),
    *("unknown, not applied", "unknown, applied", "unknown, applied late"),
]
PICK = st.integers(0, 10**6)
_MAX_APPLY_DELAY = 30.0


class QueueMachine(RuleBasedStateMachine):
    """The model knows the real sessions: the kind of each, and when it truly ends."""

    @initialize(policy=st.sampled_from(POLICIES), label_limit=st.integers(1, 3), face_limit=st.integers(1, 2))
    def begin(self, policy: WhenBusy, label_limit: int, face_limit: int) -> None:
        self.limits: dict[ProcessorKind | None, int] = {
            ProcessorKind.LABEL_DETECTION: label_limit,
            ProcessorKind.FACE_SEARCH: face_limit,
        }
        self.ends: list[SessionEnd] = []
        self.told: list[QueuedStart] = []
        self.queue = StartQueue(
            SessionSlots(self.limits, retry_interval=5),
            when_busy=policy,
            on_complete=lambda request, _: self.told.append(request),
            on_session_end=self.ends.append,
        )
        self.now = 0.0
        self.requests: list[QueuedStart] = []
        self.outcomes: dict[QueuedStart, Outcome] = {}
        self.dispatched: list[QueuedStart] = []
        self.withdrawn: set[QueuedStart] = set()
        self.real: dict[str, tuple[ProcessorKind | None, float]] = {}
        self.late: dict[str, tuple[QueuedStart, float]] = {}
        self.asked: dict[str, SessionSlot] = {}
        self.shown: set[str] = set()

    # ------------------------------------------------------------------------------------------------------ the world

    def at_work(self) -> dict[str, tuple[ProcessorKind | None, float]]:
        return {name: (kind, end) for name, (kind, end) in self.real.items() if end > self.now}

    def on_complete(self, request: QueuedStart, outcome: Outcome) -> None:
        assert request not in self.outcomes, "two outcomes"
        assert outcome.request == request.request
        assert request.state is RequestState.COMPLETED
        assert self.told[-1] is request, "the queue's own callback comes first"
        if isinstance(outcome, Expired):
            assert request not in self.dispatched, "it was sent"
            assert self.now >= request.deadline
            assert outcome.waited == self.now - request.arrived_at
        if isinstance(outcome, Failed) and isinstance(outcome.error, RequestCancelledError):
            assert request.cancelled or request in self.withdrawn, "no caller has cancelled it"
        self.outcomes[request] = outcome

    def begin_session(self, request: QueuedStart, share: float) -> None:
        start = request.request
        longest = math.inf if isinstance(start, FaceSearchStart) else start.stop_selector.max_duration_in_seconds
        end = self.now + longest * share + (MARGIN - 0.001 if share == 1 else 0)
        self.real[request.name] = request.kind, end

    def shares_a_call(self, request: QueuedStart) -> bool:
        """Whether a request waits for the outcome of a dispatched one, by the definition."""
        is_behind = request.state is RequestState.BLOCKED and request.name in {it.name for it in self.dispatched}
        return is_behind and request.when_busy == "share"

    def runnable(self) -> list[QueuedStart]:
        """The requests that may be dispatched now, in their order, by the definition."""
        waiting = [it for it in self.queue.requests() if it.state is RequestState.QUEUED]
        return sorted(
            (it for it in waiting if self.queue.slots.has_room(it.kind)), key=lambda it: (not it.urgent, it.number)
        )

    # ---------------------------------------------------------------------------------------------------------- rules

    @rule(
        names=st.lists(st.sampled_from(LABELS + FACES), min_size=1, max_size=4),
        seconds=st.integers(1, 60),
        within=st.one_of(st.just(math.inf), st.just(math.inf), SECONDS),
        urgent=st.booleans(),
        permits=st.integers(0, 4),
    )
    def request(self, names: list[str], seconds: int, within: float, permits: int, *, urgent: bool) -> None:
        for name in names:
            start = label(name, seconds) if name in LABELS else FaceSearchStart(name)
            request = QueuedStart(
                start, self.on_complete, name=start.name, kind=start.kind, deadline=self.now + within, urgent=urgent
            )
            self.requests.append(request)
            self.queue.add(request, self.now)
            self.queue.advance(self.now)
        for _ in range(permits):
            self.a_permit_is_granted()

    @precondition(lambda self: self.queue.queued)
    @rule()
    def a_permit_is_granted(self) -> None:
        self.queue.advance(self.now)
        expected, first = self.runnable(), self.queue.first()
        request = self.queue.dispatch(self.now)
        assert request is first
        assert request is (expected[0] if expected else None), "out of order"
        if request is None:
            return
        assert request.deadline > self.now, "it is no longer worth sending"
        assert not request.cancelled
        assert request.name not in {other.name for other in self.dispatched}, "two starts of one processor"
        self.dispatched.append(request)

    @precondition(lambda self: self.dispatched)
    @rule(pick=PICK, fate=st.sampled_from(FATES), share=st.floats(0.1, 1))
    def a_call_ends(self, pick: int, fate: str, share: float) -> None:
        request = self.dispatched.pop(pick % len(self.dispatched))
        start = request.request
        is_at_work = request.name in self.at_work()
        if fate.startswith("unknown"):
            request.trace.lost.append(LostAttempt(self.now, self.now + _MAX_APPLY_DELAY))
            if fate == "unknown, applied" and not is_at_work:
                self.begin_session(request, share)
            elif fate == "unknown, applied late":
                self.late[request.name] = request, self.now + _MAX_APPLY_DELAY * share
            self.queue.complete(request, Unknown(start, RuntimeError()), self.now)
        elif is_at_work:
            self.queue.complete(request, AlreadyRunning(start), self.now)
        elif fate == "started":
            self.begin_session(request, share)
            session = StartedSession(f"session-{len(self.outcomes)}")
            self.queue.complete(request, Started(start, session), self.now)
        elif fate == "failed":
            self.queue.complete(request, Failed(start, RuntimeError()), self.now)
        elif fate == "throttled":
            self.queue.requeue(request, self.now)
        elif fate == "asked to wait":
            self.queue.requeue(request, self.now, delay=share * 100)
        else:
            self.queue.reject_for_capacity(request, self.now)
        self.queue.advance(self.now)

    @precondition(lambda self: self.at_work())
    @rule(pick=PICK, by_the_fleet=st.booleans())
    def a_processor_is_stopped(self, pick: int, *, by_the_fleet: bool) -> None:
        at_work = self.at_work()
        name = sorted(at_work)[pick % len(at_work)]
        kind, end = at_work[name]
        self.real[name] = kind, min(end, self.now + 1)
        if by_the_fleet:
            self.queue.mark_stopping(name, self.now, self.queue.slots.get(name))

    @precondition(lambda self: len(self.queue.slots) > 0)
    @rule()
    def a_poll_is_asked(self) -> None:
        self.asked = self.queue.slots.begun_before(self.now)
        self.shown = self.asked.keys() - self.at_work().keys()

    @precondition(lambda self: self.asked)
    @rule()
    def a_poll_is_answered(self) -> None:
        for name in sorted(self.shown):
            self.queue.session_ended(SessionEnd(name), self.asked[name])
        self.asked, self.shown = {}, set()
        self.queue.mark_polled(self.now, self.now)
        self.queue.advance(self.now)

    @precondition(lambda self: len(self.queue.slots) > 0)
    @rule()
    def sessions_are_polled(self) -> None:
        self.a_poll_is_asked()
        self.a_poll_is_answered()

    @precondition(lambda self: self.at_work())
    @rule()
    def sessions_are_synchronized(self) -> None:
        for name, (kind, _) in self.at_work().items():
            self.queue.track_external(name, kind, self.now)

    @precondition(lambda self: self.queue.pending)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        left = self.queue.requests()
        request = left[pick % len(left)]
        has_a_call = request in self.dispatched or self.shares_a_call(request)
        self.queue.cancel(request)
        assert has_a_call is (request not in self.outcomes)

    @precondition(lambda self: self.queue.pending)
    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        left = self.queue.requests()
        request = left[pick % len(left)]
        self.withdrawn.add(request)
        self.queue.withdraw(request)
        assert (request in self.dispatched) is (request not in self.outcomes)

    @precondition(lambda self: self.queue.queued > 5)
    @rule()
    def the_scheduler_fails(self) -> None:
        sharing = [request for request in self.queue.requests() if self.shares_a_call(request)]
        self.queue.fail_queued(lambda _: RuntimeError())
        assert set(self.queue.requests()) == {*self.dispatched, *sharing}

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(1000):
            late = min((at for _, at in self.late.values()), default=math.inf)
            moment = min(self.queue.next_moment, late)
            if moment > end:
                break
            self.now = max(self.now, moment)
            for name, (request, at) in list(self.late.items()):
                if at <= self.now:
                    del self.late[name]
                    if name not in self.at_work():
                        self.begin_session(request, 0.5)
            self.queue.advance(self.now)
        else:
            raise AssertionError("time alone keeps it busy")
        self.now = end

    # ----------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def no_kind_has_more_sessions_than_its_limit(self) -> None:
        busy = {name: kind for name, (kind, _) in self.at_work().items()}
        busy |= {request.name: request.kind for request in self.dispatched}
        for kind, limit in self.limits.items():
            assert Counter(busy.values())[kind] <= limit
            assert self.queue.slots.count(kind) <= limit

    @invariant()
    def every_request_is_somewhere(self) -> None:
        left = [it for it in self.requests if it not in self.outcomes]
        assert self.queue.requests() == left
        assert self.queue.in_flight == len(self.dispatched)
        assert self.queue.pending == len(left)
        assert self.queue.queued == len(left) - len(self.dispatched)
        states = {it for it in left if it.state is RequestState.DISPATCHED}
        assert states == set(self.dispatched)

    @invariant()
    def runnable_requests_are_offered(self) -> None:
        expected = self.runnable()
        assert self.queue.first() is (expected[0] if expected else None)

    @invariant()
    def blocked_requests_wait_for_something(self) -> None:
        blocked = [it for it in self.queue.requests() if it.state is RequestState.BLOCKED]
        ahead = {it.name for it in self.queue.requests() if it.state is not RequestState.BLOCKED}
        for request in blocked:
            assert request.name in ahead or self.queue.waits_for_session_end

    @invariant()
    def cancelled_requests_wait_for_a_call(self) -> None:
        for request in self.queue.requests():
            assert not request.cancelled or request in self.dispatched or self.shares_a_call(request)

    @invariant()
    def one_request_of_a_processor_is_ahead(self) -> None:
        ahead = [it.name for it in self.queue.requests() if it.state is not RequestState.BLOCKED]
        assert len(ahead) == len(set(ahead))

    @invariant()
    def every_session_has_a_slot(self) -> None:
        for name in [*self.at_work(), *self.late, *(it.name for it in self.dispatched)]:
            assert name in self.queue.slots, "a session that there is or may be has no slot"
        assert len(self.queue.slots) <= len(LABELS) + len(FACES)

    def teardown(self) -> None:
        """Bring everything that waits to its end: no request starves."""
        if not hasattr(self, "queue"):
            return
        for _ in range(10 * len(self.requests) + 100):
            if not self.queue.pending:
                break
            self.a_permit_is_granted()
            while self.dispatched:
                request = self.dispatched.pop()
                self.queue.complete(request, Failed(request.request, RuntimeError()), self.now)
            self.real = {}
            self.wait(6.0)
            self.a_poll_is_asked()
            self.a_poll_is_answered()
            self.every_request_is_somewhere()
        assert len(self.outcomes) == len(self.requests), "a request has no outcome"
        assert len(self.told) == len(self.requests)
        self.wait(200.0)
        self.real = {}
        self.a_poll_is_asked()
        self.a_poll_is_answered()
        self.wait(200.0)
        assert len(self.queue.slots) == 0
        assert self.queue.next_moment == math.inf or not self.queue.pending
        assert not self.queue.waits_for_session_end


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = examples(300)
