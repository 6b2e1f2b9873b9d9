"""Single moments of a plan, which whole lives seldom come to."""

from __future__ import annotations

import math

import pytest

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.replies import StartedSession
from aiorekostream.domain.requests import FaceSearchStart, StartRequest
from aiorekostream.errors import RequestCancelledError
from aiorekostream.fleet.outcomes import AlreadyRunning, Expired, Failed, Started, Unknown
from aiorekostream.fleet.plan import Call, Decision, Plan, Recall, Settle
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import MARGIN, Slots
from aiorekostream.fleet.tickets import Ticket
from tests.fleet.service import label

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH
SESSION = StartedSession("session-1")


def ticket(name: str, *, seconds: int = 10, deadline: float = math.inf, urgent: bool = False) -> Ticket:
    return Ticket(label(name, seconds), name, kind=LABELS, lasts=seconds, deadline=deadline, urgent=urgent)


def face(name: str) -> Ticket:
    return Ticket(FaceSearchStart(name), name, kind=FACES)


def taken(plan: Plan, *tickets: Ticket, now: float = 0) -> list[Decision]:
    for each in tickets:
        plan.take(each, now)
    return plan.step(now)


def ticket_of(name: str, plan: Plan) -> Ticket:
    return plan._leaders[name]


def called(decisions: list[Decision]) -> str:
    return "".join(it.ticket.name for it in decisions if isinstance(it, Call))


def finished(plan: Plan, it: Ticket, now: float, *, well: bool = True) -> list[Decision]:
    request = it.request
    assert not isinstance(request, str)
    plan.sent(it)
    plan.finished(it, Started(request, SESSION) if well else Failed(request, RuntimeError()), now)
    return plan.step(now)


def only_outcome(decisions: list[Decision]) -> object:
    (settled,) = (it.outcome for it in decisions if isinstance(it, Settle))
    return settled


# --------------------------------------------------------------------------------------------------------------- order


def test_kinds_take_turns_in_the_order_of_arrival() -> None:
    plan, tickets = Plan(Slots(), 1), [ticket("a"), face("x"), ticket("b"), face("y")]
    order = called(taken(plan, *tickets))
    for it in tickets:
        order += called(finished(plan, it, 0))
    assert order == "axby"


def test_those_that_are_recalled_together_are_called_again_in_their_order() -> None:
    plan = Plan(Slots(), 3, patience=7)
    assert called(taken(plan, *map(ticket, "abcd"))) == "abc"
    assert called(plan.step(7)) == "abc"


def test_those_that_were_refused_for_want_of_a_slot_are_called_again_in_their_order() -> None:
    plan, tickets = Plan(Slots(pause=5), 4), list(map(ticket, "abcd"))
    taken(plan, *tickets)
    for it in tickets:
        plan.sent(it)
        plan.no_slot(it, 1)
    assert (called(plan.step(6)), called(plan.step(11)), called(plan.step(16))) == ("a", "bc", "d")


def test_a_call_that_is_made_again_goes_before_those_that_came_later() -> None:
    plan, first = Plan(Slots(), 1), ticket("a")
    taken(plan, first, ticket("b"))
    plan.sent(first)
    plan.again(first, 1)
    assert called(plan.step(1)) == "a"


def test_a_recall_counts_as_no_try() -> None:
    plan, it = Plan(Slots(), 1, patience=7), ticket("a")
    taken(plan, it)
    for number in range(1, 10):
        assert [type(each) for each in plan.step(7 * number)] == [Recall, Call]
    assert it.tries == 1


def test_a_call_that_has_made_an_attempt_is_left_to_its_end() -> None:
    for was_refused in (True, False):
        plan, it = Plan(Slots(), 1, patience=7), ticket("a")
        taken(plan, it)
        assert plan.next_moment == 7
        plan.sent(it)
        if was_refused:
            plan.held_back(it, 5)
        assert plan.next_moment == math.inf


def test_a_request_that_rests_comes_back_in_its_place() -> None:
    plan, first = Plan(Slots(), 1), ticket("a")
    taken(plan, first, *map(ticket, "bc"))
    plan.sent(first)
    plan.again(first, 1, rest=10)
    assert called(plan.step(1)) == "b"
    assert plan.next_moment == 11
    assert called(plan.step(11)) == ""
    plan.again(ticket_of("b", plan), 12)
    assert called(plan.step(12)) == "a"


def test_a_refusal_for_want_of_a_slot_counts_as_no_try() -> None:
    plan, it = Plan(Slots(pause=5), 1), ticket("a")
    taken(plan, it)
    for number in range(1, 10):
        plan.sent(it)
        plan.no_slot(it, number * 100)
        plan.step(number * 100 + 50)
    assert it.tries == 1


# -------------------------------------------------------------------------------------------------------- withdrawing


def test_what_was_withdrawn_while_it_was_under_way_is_not_sent_again() -> None:
    for comes_back in (Plan.held_back, Plan.again, Plan.no_slot):
        plan, it = Plan(Slots(), 1), ticket("a", deadline=100)
        taken(plan, it)
        plan.sent(it)
        plan.withdraw(it, 1)
        assert plan.step(1) == []
        comes_back(plan, it, 2)
        decisions = plan.step(2)
        assert called(decisions) == ""
        outcome = only_outcome(decisions)
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, RequestCancelledError)


def test_a_deadline_that_passed_while_it_was_under_way_counts_when_it_is_to_be_sent_again() -> None:
    for comes_back in (Plan.held_back, Plan.again, Plan.no_slot):
        plan, it = Plan(Slots(), 1), ticket("a", deadline=5)
        taken(plan, it)
        plan.sent(it)
        assert plan.step(5) == []
        comes_back(plan, it, 6)
        decisions = plan.step(6)
        assert called(decisions) == ""
        outcome = only_outcome(decisions)
        assert isinstance(outcome, Expired)
        assert outcome.waited == 6


# ------------------------------------------------------------------------------------------------------------ sessions


def test_what_somebody_else_runs_takes_a_slot_until_it_cannot_last_any_longer() -> None:
    plan, it = Plan(Slots({LABELS: 1}), 5, longest=120), ticket("a")
    taken(plan, it)
    request: StartRequest = label("a")
    plan.finished(it, AlreadyRunning(request), 1)
    assert called(taken(plan, ticket("b"), now=1)) == ""
    assert called(plan.step(1 + 120 + MARGIN - 0.001)) == ""
    assert called(plan.step(1 + 120 + MARGIN)) == "b"


def test_stock_that_is_taken_leaves_the_fleet_s_own_sessions_as_they_are() -> None:
    plan, it = Plan(Slots(), 5), ticket("a", seconds=10)
    taken(plan, it)
    finished(plan, it, 0)
    plan.adopt("a", LABELS, 5)
    hold = plan.slots.held("a")
    assert hold is not None
    assert (hold.session, plan.next_moment) == (SESSION, 10 + MARGIN)


def test_a_look_at_an_older_session_does_not_end_the_one_that_came_after_it() -> None:
    plan, first, second = Plan(Slots(), 5), ticket("a"), ticket("a")
    taken(plan, first, second)
    finished(plan, first, 0)
    (seen,) = plan.slots.begun_before(5).values()
    plan.ended("a", seen)
    plan.step(6)
    finished(plan, second, 7)
    plan.ended("a", seen)  # the answer to a look that began before
    plan.step(8)
    assert "a" in plan.slots


def test_requests_that_only_wait_for_their_turn_wait_for_no_end() -> None:
    plan = Plan(Slots({LABELS: 10}), 1)
    taken(plan, *map(ticket, "ab"))
    assert plan.waiting == 1
    assert not plan.waits_for_an_end


def test_whoever_joins_a_request_that_waits_does_not_get_the_session_before_it() -> None:
    plan, first, second, third = Plan(Slots(), 1, WhenBusy.JOIN), ticket("a"), ticket("a"), ticket("a")
    taken(plan, first)
    finished(plan, first, 0)
    taken(plan, ticket("b"), now=1)  # the only call
    taken(plan, second, third, now=15)  # that session should be over
    assert (plan.waiting, plan.step(15)) == (2, [])


def test_the_slot_of_an_older_session_stays_taken_when_a_start_of_its_processor_is_not_carried_out() -> None:
    for fate in ("failed", "again", "expired"):
        plan = Plan(Slots({LABELS: 2}), 5, WhenBusy.REFUSE)
        plan.adopt("a", LABELS, 0)
        it = ticket("a", deadline=2)
        taken(plan, it, now=1)
        if fate == "failed":
            finished(plan, it, 1, well=False)
        elif fate == "again":
            plan.sent(it)
            plan.again(it, 1)
        else:
            plan.step(2)
        assert plan.slots.count(LABELS) == 1


def test_a_second_stock_renews_what_the_first_one_found() -> None:
    plan = Plan(Slots(), 5, longest=120)
    plan.adopt("a", LABELS, 0)
    plan.adopt("a", LABELS, 100)
    assert plan.next_moment == 100 + 120 + MARGIN


# ------------------------------------------------------------------------------------------------- joining and refusing


def test_an_old_session_is_looked_for_before_anybody_joins_it_or_is_refused_for_it() -> None:
    for policy in (WhenBusy.JOIN, WhenBusy.REFUSE):
        plan, first, second = Plan(Slots(), 5, policy, memory=5), face("x"), face("x")
        taken(plan, first)
        finished(plan, first, 0)
        assert taken(plan, second, now=60) == []
        assert plan.waits_for_an_end
        (seen,) = plan.slots.begun_before(60).values()
        plan.ended("x", seen)
        plan.looked(61)
        assert called(plan.step(61)) == "x"


def test_an_old_session_that_goes_on_is_joined_or_refused_for_once_that_was_seen() -> None:
    for policy, outcome in ((WhenBusy.JOIN, Started), (WhenBusy.REFUSE, Failed)):
        plan, first, second, third = Plan(Slots(), 5, policy, memory=5), face("x"), face("x"), face("x")
        taken(plan, first)
        finished(plan, first, 0)
        taken(plan, second, now=60)
        plan.looked(61)
        assert type(only_outcome(plan.step(61))) is outcome
        assert not plan.waits_for_an_end
        assert type(only_outcome(taken(plan, third, now=62))) is outcome  # it was looked just now


def test_a_session_that_is_told_to_stop_while_it_is_looked_for_is_not_waited_for_in_vain() -> None:
    plan, first, second = Plan(Slots(), 5, WhenBusy.JOIN, memory=5), face("x"), face("x")
    taken(plan, first)
    finished(plan, first, 0)
    taken(plan, second, now=60)
    plan.told_to_stop("x", 60, plan.slots.held("x"))
    plan.looked(61)
    assert called(plan.step(61)) == "x"


def test_who_is_behind_one_that_started_anew_after_a_look_is_refused() -> None:
    plan, first, second, third = Plan(Slots(), 5, WhenBusy.REFUSE, memory=5), face("x"), face("x"), face("x")
    taken(plan, first)
    finished(plan, first, 0)
    taken(plan, second, third, now=60)
    (seen,) = plan.slots.begun_before(60).values()
    plan.ended("x", seen)
    plan.looked(61)
    decisions = plan.step(61)
    assert called(decisions) == "x"
    assert isinstance(only_outcome(decisions), Failed)


def test_who_waits_to_be_told_whether_a_session_goes_on_may_leave() -> None:
    plan, first, second = Plan(Slots(), 5, WhenBusy.REFUSE, memory=5), face("x"), face("x")
    taken(plan, first)
    finished(plan, first, 0)
    taken(plan, second, now=60)
    plan.withdraw(second, 61)
    assert isinstance(only_outcome(plan.step(61)), Failed)
    assert not plan.waits_for_an_end


# ------------------------------------------------------------------------------------------------------------ in doubt


def test_what_is_in_doubt_keeps_its_slot_when_its_time_is_over() -> None:
    plan, it = Plan(Slots({LABELS: 1}), 5), ticket("a", deadline=5)
    taken(plan, it)
    plan.doubted(it)
    assert plan.step(6) == []
    plan.held_back(it, 7)
    assert isinstance(only_outcome(plan.step(7)), Unknown)
    assert not plan.slots.room(LABELS)


def test_what_is_in_doubt_and_was_refused_a_slot_ends_in_doubt() -> None:
    plan, it = Plan(Slots(), 5), ticket("a", deadline=50)
    taken(plan, it)
    plan.doubted(it)
    plan.no_slot(it, 1)
    assert isinstance(only_outcome(plan.step(50)), Unknown)


@pytest.mark.parametrize("waits", [True, False])
def test_what_is_in_doubt_and_was_told_to_stop_is_not_sent_again(*, waits: bool) -> None:
    plan, it = Plan(Slots(), 5), face("x")
    taken(plan, it)
    plan.doubted(it)
    if waits:
        plan.held_back(it, 1)
    plan.told_to_stop("x", 2, plan.slots.held("x"))
    if not waits:
        plan.held_back(it, 2)
    outcome = only_outcome(plan.step(2))
    assert isinstance(outcome, Unknown)
    assert "it was stopped" in str(outcome.error)


def test_a_stop_leaves_a_start_alone_that_was_certainly_not_carried_out_before_it() -> None:
    plan, it = Plan(Slots(), 5), face("x")
    taken(plan, it)
    plan.sent(it)
    plan.told_to_stop("x", 1, plan.slots.held("x"))
    plan.held_back(it, 2)  # it was throttled
    assert plan.step(2) == []
