"""Single moments of the queue of starts that the state machine seldom reaches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import FaceSearchStart
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import ProcessorBusyError, RequestCancelledError
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Failed, Outcome, Started, Unknown, WaitedFor
from aiorekostream.fleet.queue import RequestState
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import MARGIN, SessionSlot, SessionSlots
from aiorekostream.fleet.start_queue import QueuedStart, StartQueue
from aiorekostream.pipeline import LostAttempt
from tests.fleet.service import label

if TYPE_CHECKING:
    from collections.abc import Callable


LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH
SESSION = StartedSession("session-1")


@attrs.define
class QueueScene:
    """A queue, and the outcomes that it gave."""

    limits: dict[ProcessorKind | None, int] = attrs.field(factory=dict)
    when_busy: WhenBusy = attrs.field(default="queue", kw_only=True)
    queue: StartQueue = attrs.field(init=False)
    outcomes: dict[QueuedStart, Outcome] = attrs.field(factory=dict, init=False)
    ends: list[SessionEnd] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        slots = SessionSlots(self.limits, retry_interval=5)
        self.queue = StartQueue(slots, when_busy=self.when_busy, on_session_end=self.ends.append)

    def add(self, *names: str, now: float = 0, deadline: float = math.inf, urgent: bool = False) -> list[QueuedStart]:
        """Add requests: face searches for x, y and z, label detections of 10 seconds for all other names."""
        starts = [FaceSearchStart(name) if name in "xyz" else label(name, 10) for name in names]
        requests = [
            QueuedStart(
                start,
                self.outcomes.__setitem__,
                name=start.name,
                kind=start.kind,
                deadline=deadline,
                urgent=urgent,
            )
            for start in starts
        ]
        for request in requests:
            self.queue.add(request, now)
        return requests

    def dispatch(self, now: float = 0, most: int = 100) -> str:
        """Dispatch what can be dispatched, and give the names."""
        names = ""
        while len(names) < most and (request := self.queue.dispatch(now)) is not None:
            names += request.name
        return names

    def start(self, request: QueuedStart, now: float = 0) -> None:
        """Complete a dispatched request as started."""
        self.queue.complete(request, Started(request.request, SESSION), now)

    def fail(self, request: QueuedStart, now: float = 0) -> None:
        """Complete a dispatched request as failed."""
        self.queue.complete(request, Failed(request.request, RuntimeError()), now)

    def run_session(self, name: str, now: float = 0) -> SessionSlot:
        """Add, dispatch and start a request, and give the slot of its session."""
        (request,) = self.add(name, now=now)
        assert self.dispatch(now) == name
        self.start(request, now)
        return self.slot(name)

    @property
    def ended(self) -> list[str]:
        """The processors whose sessions have ended."""
        return [end.name for end in self.ends]

    def slot(self, name: str) -> SessionSlot:
        slot = self.queue.slots.get(name)
        assert slot is not None
        return slot


# --------------------------------------------------------------------------------------------------------------- order


def test_queue_dispatches_both_kinds_in_the_order_of_arrival() -> None:
    scene = QueueScene()
    scene.add("a", "x", "b", "y")
    assert scene.dispatch() == "axby"


def test_queue_dispatches_urgent_requests_first_in_their_order() -> None:
    scene = QueueScene()
    scene.add("a", "b")
    scene.add("c", "x", urgent=True)
    scene.add("d")
    assert scene.dispatch() == "cxabd"


def test_queue_lets_other_kinds_pass_when_a_kind_is_full() -> None:
    scene = QueueScene({LABELS: 1})
    scene.add("a", urgent=True)
    scene.add("b", urgent=True)
    scene.add("x")
    assert scene.dispatch() == "ax"
    assert scene.queue.first() is None
    assert scene.queue.waits_for_session_end


def test_first_returns_the_request_dispatched_next() -> None:
    scene = QueueScene()
    a, b = scene.add("a", "b")
    assert scene.queue.first() is a
    assert scene.queue.dispatch(0) is a
    assert scene.queue.first() is b
    assert (scene.queue.pending, scene.queue.in_flight, scene.queue.queued) == (2, 1, 1)


def test_throttled_request_keeps_its_place() -> None:
    scene = QueueScene()
    (first, *_) = scene.add("a", "b", "c")
    assert scene.dispatch(most=1) == "a"
    scene.queue.requeue(first, 1)
    assert scene.dispatch(1) == "abc"


def test_throttled_requests_keep_their_order_when_they_return_in_another() -> None:
    scene = QueueScene()
    requests = scene.add("a", "b", "c", "d")
    assert scene.dispatch(most=3) == "abc"
    for request in (requests[2], requests[0], requests[1]):
        scene.queue.requeue(request, 1)
    assert scene.dispatch(1) == "abcd"


def test_backing_off_request_returns_to_its_place_after_the_delay() -> None:
    scene = QueueScene()
    first, second, _ = scene.add("a", "b", "c")
    assert scene.dispatch(most=1) == "a"
    scene.queue.requeue(first, 1, delay=10)
    assert first.state is RequestState.BACKING_OFF
    assert scene.dispatch(1, most=1) == "b"
    scene.queue.requeue(second, 10)
    assert scene.queue.next_moment == 11
    assert scene.dispatch(10.9, most=1) == "b"
    assert scene.dispatch(11) == "ac"


def test_requests_rejected_for_capacity_are_dispatched_in_order_again() -> None:
    scene = QueueScene()
    requests = scene.add("a", "b", "c", "d")
    assert scene.dispatch() == "abcd"
    for request in reversed(requests):
        scene.queue.reject_for_capacity(request, 1)
    assert [scene.dispatch(moment) for moment in (1, 6, 11, 16)] == ["", "a", "bc", "d"]


def test_rejection_for_capacity_counts_as_no_attempt() -> None:
    scene = QueueScene()
    (request,) = scene.add("a")
    for number in range(1, 20):
        assert scene.dispatch(100 * number) == "a"
        request.trace.attempts += 1
        scene.queue.reject_for_capacity(request, 100 * number)
    assert request.trace.attempts == 0


def test_blocked_request_goes_before_those_that_came_later() -> None:
    scene = QueueScene()
    scene.run_session("x")
    scene.add("x", "a")
    scene.queue.session_ended(SessionEnd("x"), scene.slot("x"))
    assert scene.dispatch(5) == "xa"


# -------------------------------------------------------------------------------------------------- deadlines, cancels


def test_queued_request_expires_at_its_deadline() -> None:
    scene = QueueScene({LABELS: 0})
    (request,) = scene.add("a", now=1, deadline=5)
    assert scene.queue.next_moment == 5
    scene.queue.advance(4.9)
    assert not scene.outcomes
    scene.queue.advance(5)
    assert scene.outcomes == {request: Expired(request.request, 4, waited_for="capacity")}


def test_request_is_not_dispatched_at_its_deadline() -> None:
    scene = QueueScene()
    (late, _) = scene.add("a", deadline=5) + scene.add("b")
    assert scene.dispatch(5) == "b"
    assert isinstance(scene.outcomes[late], Expired)


def test_dispatched_request_does_not_expire() -> None:
    scene = QueueScene()
    (request,) = scene.add("a", deadline=5)
    assert scene.dispatch() == "a"
    assert request.trace.send_by == 5
    scene.queue.advance(6)
    assert not scene.outcomes


@pytest.mark.parametrize(("dispatched", "waited_for"), [("", "request"), ("a", "request"), ("started", "session")])
def test_request_for_a_busy_processor_expires(dispatched: str, waited_for: WaitedFor) -> None:
    scene = QueueScene()
    first, second = (*scene.add("a"), *scene.add("a", deadline=5))
    if dispatched:
        assert scene.dispatch() == "a"
    if dispatched == "started":
        scene.start(first)
    scene.queue.advance(5)
    assert scene.outcomes[second] == Expired(second.request, 5, waited_for=waited_for)


def test_request_that_arrives_after_its_deadline_waited_for_nothing() -> None:
    scene = QueueScene()
    (request,) = scene.add("a", now=2, deadline=1)
    assert scene.outcomes == {request: Expired(request.request, 0)}


def _with_delay(queue: StartQueue, request: QueuedStart, now: float) -> None:
    queue.requeue(request, now, delay=10)


_COMES_BACK = pytest.mark.parametrize(
    "comes_back", [StartQueue.requeue, StartQueue.reject_for_capacity, _with_delay], ids=["at once", "capacity", "rest"]
)


@_COMES_BACK
def test_cancelled_request_is_not_sent_again(comes_back: Callable[[StartQueue, QueuedStart, float], None]) -> None:
    scene = QueueScene()
    (request,) = scene.add("a", deadline=100)
    assert scene.dispatch() == "a"
    scene.queue.cancel(request)
    assert not scene.outcomes
    assert request.trace.send_by == -math.inf
    comes_back(scene.queue, request, 2)
    outcome = scene.outcomes[request]
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)
    assert scene.dispatch(50) == ""
    assert scene.queue.pending == scene.queue.in_flight == 0


@pytest.mark.parametrize(
    ("comes_back", "waited_for"),
    [(StartQueue.requeue, "permit"), (StartQueue.reject_for_capacity, "capacity"), (_with_delay, "backoff")],
)
def test_request_expires_when_it_comes_back_after_its_deadline(
    comes_back: Callable[[StartQueue, QueuedStart, float], None], waited_for: WaitedFor
) -> None:
    scene = QueueScene()
    (request,) = scene.add("a", deadline=5)
    assert scene.dispatch() == "a"
    comes_back(scene.queue, request, 6)
    assert scene.dispatch(6) == ""
    assert scene.outcomes == {request: Expired(request.request, 6, waited_for=waited_for)}


@pytest.mark.parametrize("state", [RequestState.QUEUED, RequestState.BLOCKED, RequestState.BACKING_OFF])
def test_request_that_is_not_dispatched_is_cancelled_at_once(state: RequestState) -> None:
    scene = QueueScene()
    if state is RequestState.BLOCKED:
        scene.run_session("a")
    (request,) = scene.add("a")
    if state is RequestState.BACKING_OFF:
        assert scene.dispatch() == "a"
        scene.queue.requeue(request, 0, delay=10)
    assert request.state is state
    scene.queue.cancel(request)
    outcome = scene.outcomes[request]
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)
    scene.queue.cancel(request)  # a second time changes nothing
    assert scene.queue.pending == 0
    assert scene.dispatch(20) == ""


def test_request_expires_after_it_has_backed_off() -> None:
    scene = QueueScene()
    (request,) = scene.add("a", deadline=20)
    assert scene.dispatch() == "a"
    scene.queue.requeue(request, 0, delay=10)
    assert scene.queue.next_moment == 10
    scene.queue.advance(10)
    assert scene.queue.first() is request
    assert scene.queue.next_moment == 20
    scene.queue.advance(20)
    assert scene.outcomes == {request: Expired(request.request, 20, waited_for="permit")}


def test_backoff_ends_for_good_when_the_listener_of_an_expiry_cancels() -> None:
    scene = QueueScene()
    (backs_off,) = scene.add("a")
    assert scene.dispatch() == "a"
    (expires,) = scene.add("b", deadline=10)
    scene.queue.requeue(backs_off, 0, delay=10)
    scene.queue.on_complete = lambda request, _: scene.queue.cancel(backs_off) if request is expires else None
    scene.queue.advance(10)
    assert isinstance(scene.outcomes[backs_off], Failed)
    assert scene.queue.first() is None
    assert scene.queue.next_moment == math.inf


def test_follower_takes_over_when_the_leader_is_cancelled() -> None:
    scene = QueueScene(when_busy="share")
    leader, follower = scene.add("a", "a")
    scene.queue.cancel(leader)
    assert scene.queue.first() is follower


def test_follower_takes_over_when_the_leader_expires() -> None:
    scene = QueueScene()
    (leader,) = scene.add("a", deadline=5)
    (follower,) = scene.add("a")
    scene.queue.advance(5)
    assert isinstance(scene.outcomes[leader], Expired)
    assert scene.queue.first() is follower


def test_follower_takes_over_although_an_old_session_has_its_slot() -> None:
    """That session should be over; the service knows, so the request is sent whichever of the two is cancelled."""
    scene = QueueScene(when_busy="share")
    scene.run_session("a")
    leader, follower = scene.add("a", "a", now=11)
    scene.queue.cancel(leader)
    assert scene.dispatch(11) == "a"
    assert follower.state is RequestState.DISPATCHED


def test_follower_has_one_outcome_when_another_ones_listener_cancels_it() -> None:
    scene = QueueScene(when_busy="share")
    leader, first, second = scene.add("a", "a", "a")
    assert scene.dispatch() == "a"
    scene.queue.on_complete = lambda request, _: scene.queue.cancel(second) if request is first else None
    scene.start(leader)
    assert isinstance(scene.outcomes[first], Started)
    assert isinstance(scene.outcomes[second], Failed)
    assert scene.queue.pending == 0


def test_follower_is_sent_when_the_dispatched_leader_was_cancelled() -> None:
    """It never asked for its own cancellation, so it does not share that outcome."""
    scene = QueueScene(when_busy="share")
    leader, follower = scene.add("a", "a")
    assert scene.dispatch() == "a"
    cancelled = RequestCancelledError(name="a")
    scene.queue.complete(leader, Failed(leader.request, cancelled), 1)
    assert follower not in scene.outcomes
    assert scene.queue.first() is follower


def test_failure_of_the_scheduler_spares_dispatched_requests() -> None:
    scene = QueueScene({FACES: 1})
    scene.run_session("b")
    dispatched = scene.add("a")
    assert scene.dispatch() == "a"
    rests = scene.add("c")
    assert scene.dispatch() == "c"
    scene.queue.requeue(rests[0], 0, delay=10)
    others = scene.add("a", "a", "x", "y", "b") + rests
    error = RuntimeError()
    scene.queue.fail_queued(lambda _: error)
    assert {request: Failed(request.request, error) for request in others}.items() <= scene.outcomes.items()
    assert scene.queue.requests() == dispatched
    assert scene.queue.queued == 0


def test_requests_are_listed_in_the_order_of_arrival() -> None:
    scene = QueueScene()
    added = scene.add("a", "b", "a", "c", "b", "a")
    assert scene.dispatch(most=1) == "a"
    assert scene.queue.requests() == added


# ------------------------------------------------------------------------------------------------------------ sessions


def test_session_of_another_client_takes_a_slot_as_long_as_it_may_last() -> None:
    scene = QueueScene({LABELS: 1})
    (request,) = scene.add("a")
    assert scene.dispatch() == "a"
    scene.queue.complete(request, AlreadyRunning(request.request), 1)
    scene.add("b", now=1)
    assert scene.dispatch(1 + 120 + MARGIN - 0.001) == ""
    assert scene.dispatch(1 + 120 + MARGIN) == "b"
    assert scene.ended == ["a"]


def test_face_search_of_another_client_lasts_until_a_poll_shows_its_end() -> None:
    scene = QueueScene({FACES: 1})
    scene.queue.track_external("x", FACES, 0)
    scene.add("y", now=1)
    assert scene.dispatch(1e6) == ""
    scene.queue.session_ended(SessionEnd("x"), scene.slot("x"))
    assert scene.dispatch(1e6) == "y"
    assert scene.ended == ["x"]


def test_tracking_leaves_own_sessions_as_they_are() -> None:
    scene = QueueScene()
    scene.run_session("a")
    scene.queue.track_external("a", LABELS, 5)
    assert scene.slot("a").session == SESSION
    assert scene.queue.next_moment == 10 + MARGIN


def test_tracking_leaves_dispatched_starts_as_they_are() -> None:
    scene = QueueScene()
    (request,) = scene.add("a")
    assert scene.dispatch() == "a"
    scene.queue.track_external("a", LABELS, 5)
    scene.fail(request, 6)
    assert "a" not in scene.queue.slots


def test_tracking_again_renews_what_was_found_before() -> None:
    scene = QueueScene()
    scene.queue.track_external("a", LABELS, 0)
    scene.queue.track_external("a", LABELS, 100)
    assert scene.queue.next_moment == 100 + 120 + MARGIN


def test_poll_of_an_older_session_does_not_end_the_next_one() -> None:
    scene = QueueScene()
    older = scene.run_session("a")
    (second,) = scene.add("a", now=1)
    scene.queue.session_ended(SessionEnd("a"), older)
    assert scene.dispatch(6) == "a"
    scene.queue.session_ended(SessionEnd("a"), older)  # dispatched by now
    scene.start(second, 7)
    scene.queue.session_ended(SessionEnd("a"), older)  # and started
    assert "a" in scene.queue.slots
    assert scene.ended == ["a"]


def test_requests_that_wait_for_permits_alone_wait_for_no_session_end() -> None:
    scene = QueueScene({LABELS: 10})
    scene.add("a", "b")
    assert not scene.queue.waits_for_session_end


@pytest.mark.parametrize("fate", ["failed", "requeued", "expired"])
def test_older_session_keeps_its_slot_when_the_start_is_not_applied(fate: str) -> None:
    scene = QueueScene({LABELS: 2}, when_busy="reject")
    scene.queue.track_external("a", LABELS, 0)
    (request,) = scene.add("a", now=1, deadline=2)
    if fate != "expired":
        assert scene.dispatch(1) == "a"
    if fate == "failed":
        scene.fail(request, 1)
    elif fate == "requeued":
        scene.queue.requeue(request, 1)
    else:
        scene.queue.advance(2)
    assert scene.queue.slots.count(LABELS) == 1


def test_end_of_an_older_session_lets_no_follower_pass_the_leader() -> None:
    scene = QueueScene(when_busy="share")
    scene.run_session("a")
    second, third = scene.add("a", "a", now=15)
    assert scene.queue.first() is second
    scene.queue.advance(10 + MARGIN)
    assert scene.dispatch(31) == "a"
    scene.start(second, 32)
    assert scene.outcomes[third] == Started(third.request, SESSION, shared=True)
    assert scene.queue.pending == 0


# -------------------------------------------------------------------------------------------------- sharing, rejecting


def test_follower_is_sent_when_the_deadline_of_its_leader_has_passed() -> None:
    """The follower has time left, so it does not fail for want of time."""
    scene = QueueScene(when_busy="share")
    (leader,) = scene.add("a", deadline=5)
    (follower,) = scene.add("a", deadline=9)
    assert scene.dispatch(1) == "a"
    scene.fail(leader, 6)
    assert follower not in scene.outcomes
    assert scene.dispatch(6) == "a"


def test_follower_shares_the_outcome_of_the_leader_when_it_fails() -> None:
    scene = QueueScene(when_busy="share")
    leader, follower = scene.add("a", "a")
    assert scene.dispatch() == "a"
    scene.fail(leader)
    outcome, shared = scene.outcomes[leader], scene.outcomes[follower]
    assert isinstance(outcome, Failed)
    assert isinstance(shared, Failed)
    assert shared.error is outcome.error


def test_second_request_is_rejected_when_the_first_is_pending() -> None:
    scene = QueueScene(when_busy="reject")
    _, second = scene.add("a", "a")
    outcome = scene.outcomes[second]
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ProcessorBusyError)


def test_request_that_waits_does_not_share_the_session_before_it() -> None:
    scene = QueueScene(when_busy="share")
    scene.run_session("a")
    scene.add("a", "a", now=15)  # that session should be over
    assert scene.queue.pending == 2


@pytest.mark.parametrize("policy", ["share", "reject"])
def test_old_session_is_polled_before_it_is_shared_or_rejected_for(policy: WhenBusy) -> None:
    scene = QueueScene(when_busy=policy)
    slot = scene.run_session("x")
    scene.add("x", now=60)
    assert scene.queue.waits_for_session_end
    assert scene.dispatch(60) == ""
    scene.queue.session_ended(SessionEnd("x"), slot)
    scene.queue.mark_polled(61, 61)
    assert scene.dispatch(61) == "x"
    assert not scene.queue.waits_for_session_end


@pytest.mark.parametrize(("policy", "outcome"), [("share", Started), ("reject", Failed)])
def test_old_session_is_shared_or_rejected_for_once_a_poll_showed_it(policy: WhenBusy, outcome: type) -> None:
    scene = QueueScene(when_busy=policy)
    scene.run_session("x")
    (second,) = scene.add("x", now=60)
    scene.queue.mark_polled(61, 61)
    assert isinstance(scene.outcomes[second], outcome)
    assert not scene.queue.waits_for_session_end
    (third,) = scene.add("x", now=62)  # the poll is recent enough
    assert isinstance(scene.outcomes[third], outcome)


def test_session_before_an_unknown_start_is_not_shared() -> None:
    """It is reported once the end of whatever there is was seen."""
    scene = QueueScene(when_busy="share")
    scene.run_session("a")
    (second,) = scene.add("a", now=15)
    assert scene.dispatch(15) == "a"
    second.trace.lost.append(LostAttempt(15, 45))
    scene.queue.complete(second, Unknown(second.request, RuntimeError()), 16)
    (third,) = scene.add("a", now=17)
    assert third not in scene.outcomes
    scene.queue.session_ended(SessionEnd("a"), scene.slot("a"))
    assert scene.ends == [SessionEnd("a", session=SESSION)]
    assert scene.dispatch(60) == "a"


def test_request_is_sent_when_its_session_was_stopped_during_the_poll() -> None:
    scene = QueueScene(when_busy="share")
    slot = scene.run_session("x")
    scene.add("x", now=60)
    scene.queue.mark_stopping("x", 60, slot)
    scene.queue.mark_polled(61, 61)
    assert scene.dispatch(61) == "x"


def test_request_behind_a_new_start_is_rejected_after_a_poll() -> None:
    scene = QueueScene(when_busy="reject")
    slot = scene.run_session("x")
    second, third = scene.add("x", "x", now=60)
    scene.queue.session_ended(SessionEnd("x"), slot)
    scene.queue.mark_polled(61, 61)
    assert scene.queue.first() is second
    assert isinstance(scene.outcomes[third], Failed)


def test_request_that_waits_for_a_poll_can_be_cancelled() -> None:
    scene = QueueScene(when_busy="reject")
    scene.run_session("x")
    (second,) = scene.add("x", now=60)
    scene.queue.cancel(second)
    assert isinstance(scene.outcomes[second], Failed)
    assert not scene.queue.waits_for_session_end


# ------------------------------------------------------------------------------------------------------------- unknown


def unknown(scene: QueueScene, name: str, *, applied_by: float = 30, now: float = 1) -> None:
    """Let a start end as unknown that the service may apply up to a moment."""
    (request,) = scene.add(name)
    assert scene.dispatch() == name
    request.trace.lost.append(LostAttempt(0, applied_by))
    scene.queue.complete(request, Unknown(request.request, RuntimeError()), now)


def test_unknown_start_keeps_its_slot_until_a_late_enough_poll() -> None:
    scene = QueueScene({FACES: 1})
    unknown(scene, "x", applied_by=30)
    assert not scene.queue.slots.has_room(FACES)
    assert scene.queue.slots.begun_before(30) == {}  # a poll that is asked before proves nothing
    assert set(scene.queue.slots.begun_before(30.1)) == {"x"}


def test_unknown_label_detection_takes_its_slot_as_long_as_it_may_last() -> None:
    scene = QueueScene({LABELS: 1})
    unknown(scene, "a", applied_by=30)
    assert scene.queue.next_moment == 30 + 120 + MARGIN


@pytest.mark.parametrize(("policy", "is_rejected"), [("queue", False), ("share", False), ("reject", True)])
def test_next_request_after_an_unknown_one_gets_an_outcome(policy: WhenBusy, is_rejected: bool) -> None:  # noqa: FBT001
    """The processor is busy while the service may still apply the unknown start, and is free after a poll."""
    scene = QueueScene(when_busy=policy)
    unknown(scene, "x", applied_by=30)
    (request,) = scene.add("x", now=2)
    if is_rejected:
        assert isinstance(scene.outcomes[request], Failed)
        return
    assert scene.dispatch(2) == ""
    for now in (7, 12, 17, 22, 27, 32):
        assert scene.queue.waits_for_session_end
        assert scene.dispatch(now) == ""
        for name, slot in scene.queue.slots.begun_before(now - 1).items():
            scene.queue.session_ended(SessionEnd(name), slot)
        scene.queue.mark_polled(now, now)
    assert scene.dispatch(32) == "x"


# --------------------------------------------------------------------------------------------------------------- stops


@pytest.mark.parametrize("is_ambiguous", [True, False])
def test_start_is_not_sent_again_when_a_stop_may_have_been_meant_for_it(*, is_ambiguous: bool) -> None:
    scene = QueueScene()
    (request,) = scene.add("x")
    assert scene.dispatch() == "x"
    request.trace.unresolved = is_ambiguous
    scene.queue.mark_stopping("x", 1, scene.queue.slots.get("x"))
    assert request.trace.send_by == (-math.inf if is_ambiguous else math.inf)


def test_stop_leaves_the_session_that_came_after_it_alone() -> None:
    scene = QueueScene()
    older = scene.run_session("a")
    (second,) = scene.add("a", now=1)
    scene.queue.session_ended(SessionEnd("a"), older)
    assert scene.dispatch(2) == "a"
    scene.start(second, 3)
    scene.queue.mark_stopping("a", 4, older)
    assert scene.slot("a").expected_end == 3 + 10


# -------------------------------------------------------------------------------------------------------------- memory


def test_queue_remembers_nothing_of_completed_requests() -> None:
    scene = QueueScene(when_busy="share")
    for round_number in range(50):
        now = 100.0 * round_number
        for request in scene.add(*"abcde", *"abcde", now=now, deadline=now + 1000):
            if request.name == "e":
                scene.queue.cancel(request)
        assert scene.dispatch(now) == "abcd"
        for request in scene.queue.requests():
            if request.state is RequestState.DISPATCHED:
                scene.fail(request, now)
    queue = scene.queue
    assert queue.pending == queue.in_flight == len(queue.slots) == len(queue.requests()) == 0
    assert queue.next_moment == math.inf
