"""The pacer, against a token bucket that it cannot see."""

from __future__ import annotations

import copy
import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.resilience.pacing import Pacer, Ticket
from tests.resilience.bucket import Bucket, flow

_rates = st.sampled_from([0.05, 0.5, 1.0, 5.0, 20.0, 100.0]) | st.floats(0.05, 200)
_bursts = st.sampled_from([0.5, 1.0, 1.5, 2.0, 20.0]) | st.floats(0.5, 200)
_gaps = st.sampled_from([0.0, 1e-9, 0.01, 0.05, 1.0, 3600.0]) | st.floats(0, 100)


class Calls(RuleBasedStateMachine):
    """Calls that are sent, overtake one another, are refused or called back; the quota is no more than believed."""

    @initialize(rate=_rates, burst=_bursts, share=st.floats(0.01, 1), depth=st.floats(0.01, 1))
    def begin(self, rate: float, burst: float, share: float, depth: float) -> None:
        self.pacer = Pacer(rate, burst)
        self.bucket = Bucket(rate * share, max(1.0, burst * depth))
        self.now = 0.0
        self.sent: list[float] = []
        self.on_their_way: list[Ticket] = []
        self.passes: list[Ticket] = []
        self.refusals: list[Ticket] = []

    @rule(gap=_gaps)
    def time_passes(self, gap: float) -> None:
        self.now += gap

    @rule(many=st.integers(1, 30))
    def calls_are_made_as_soon_as_they_may(self, many: int) -> None:
        for _ in range(many):
            self.now = self.pacer.ready_at(self.now)
            assert self.pacer.ready_at(self.now) <= self.now + 1e-9 * max(1.0, self.now), "the moment it named had come"
            self.sent.append(self.now)
            self.on_their_way.append(self.pacer.take(self.now))

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data(), many=st.integers(1, 30))
    def some_arrive_in_any_order(self, data: st.DataObject, many: int) -> None:
        for _ in range(min(many, len(self.on_their_way))):
            ticket = self.on_their_way.pop(data.draw(st.integers(0, len(self.on_their_way) - 1)))
            (self.passes if self.bucket.admits(self.now) else self.refusals).append(ticket)

    @precondition(lambda self: self.passes)
    @rule(data=st.data())
    def some_are_heard_to_have_passed(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, len(self.passes)))):
            self.pacer.passed(self.passes.pop(0))

    @precondition(lambda self: self.refusals)
    @rule(data=st.data())
    def a_refusal_is_heard(self, data: st.DataObject) -> None:
        before = self.pacer.rate_at(self.now)
        ticket = self.refusals.pop(data.draw(st.integers(0, len(self.refusals) - 1)))
        self.pacer.refused(ticket, self.now)
        self.sent.remove(ticket.at)  # it cost the quota nothing
        assert self.pacer.rate_at(self.now) <= max(before, self.pacer.rate)

    @precondition(lambda self: self.on_their_way)
    @rule()
    def one_is_called_back(self) -> None:
        ticket = self.on_their_way.pop()
        self.pacer.returned(ticket)
        self.sent.remove(ticket.at)

    @invariant()
    def the_next_moment_is_never_past_nor_never(self) -> None:
        ready = self.pacer.ready_at(self.now)
        assert self.now <= ready
        # It comes down to a hundredth of the rate at the least.
        assert ready - self.now <= 2 / (0.0096 * self.pacer.rate)
        later = copy.copy(self.pacer)  # a look into the future must not bring it about
        assert ready <= later.ready_at(ready) <= ready + 1e-9 * max(1.0, ready)

    @invariant()
    def the_rate_stays_between_a_hundredth_and_what_is_believed(self) -> None:
        rate = self.pacer.rate_at(self.now)
        assert 0.0096 * self.pacer.rate <= rate <= self.pacer.rate

    @invariant()
    def no_more_may_have_been_let_through_than_is_believed_to_be_allowed(self) -> None:
        for index, moment in enumerate(self.sent[-60:], start=max(0, len(self.sent) - 60)):
            allowed = max(1.0, self.pacer.burst) + self.pacer.rate * (self.sent[-1] - moment)
            assert len(self.sent) - index <= allowed + 1 + 1e-6


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@given(_rates, _bursts, st.floats(0, 5))
def test_a_quota_that_is_what_it_was_believed_to_be_is_never_exceeded(rate: float, burst: float, way: float) -> None:
    assume(burst >= 1)
    found = flow(Pacer(rate, burst), Bucket(rate, burst), seconds=300 / rate, way=lambda: way)
    assert found.refused == []


@given(st.floats(0.1, 100), st.floats(2, 100), st.integers(0, 2**32))
def test_messages_may_be_late_by_one_call_s_time_without_a_refusal(rate: float, burst: float, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    found = flow(Pacer(rate, burst), Bucket(rate, burst), seconds=200 / rate, way=lambda: dice.random() / rate)
    assert found.refused == []


@given(st.floats(0.1, 100), st.floats(1, 100))
def test_the_whole_quota_is_used(rate: float, burst: float) -> None:
    found = flow(Pacer(rate, burst), Bucket(rate, burst), seconds=200 / rate, way=lambda: 0)
    assert len(found.admitted) >= 0.95 * (200 + burst - 1) - 2


def test_the_burst_is_spent_at_once_but_for_a_little_room() -> None:
    found = flow(Pacer(20, 20), Bucket(20, 20), seconds=1)
    assert len([moment for moment in found.sent if moment < 0.4]) >= 19


def _paces_after_a_refusal(*, sent: int, took: float, refused: int, passed: range) -> float:
    """Calls at even distances after a rest, of which one is refused, and some others were heard to have passed."""
    pacer = Pacer(20, 20)
    tickets = [pacer.take(number * took / sent) for number in range(sent)]
    for number in passed:
        pacer.passed(tickets[number])
    pacer.refused(tickets[refused], took)
    return pacer.rate_at(took)


def test_a_first_refusal_that_bears_the_rate_out_does_not_slow_anything_down() -> None:
    assert _paces_after_a_refusal(sent=30, took=0.5, refused=29, passed=range(29)) == 20


def test_a_first_refusal_far_below_the_rate_slows_down_to_what_was_let_through() -> None:
    assert _paces_after_a_refusal(sent=30, took=0.5, refused=7, passed=range(7)) == pytest.approx(7, rel=0.1)


def test_a_call_that_was_overtaken_by_those_that_passed_does_not_count_as_if_they_had_not() -> None:
    """The first calls of a burst wait for their connections, and those that find one free are there before them."""
    assert _paces_after_a_refusal(sent=30, took=0.5, refused=14, passed=range(15, 29)) == 20


@settings(max_examples=60)
@given(st.sampled_from([10.0, 20.0, 50.0]), st.floats(0.2, 0.95), st.floats(0.001, 0.1), st.integers(0, 2**32))
def test_a_lower_quota_than_believed_is_found_and_kept_to(belief: float, share: float, way: float, seed: int) -> None:
    truth, dice = belief * share, random.Random(seed)  # noqa: S311 - to be repeated
    seconds = 500 / truth
    bucket = Bucket(truth, truth)
    found = flow(Pacer(belief, belief), bucket, seconds=seconds, way=lambda: way * (1 + dice.random() / 10))
    assert len(found.admitted) >= 0.9 * 500
    assert len(found.refused) <= 0.12 * len(found.sent)


@pytest.mark.parametrize(("belief", "truth"), [(20, 7), (20, 2), (20, 19), (5, 2), (100, 10)])
def test_the_rate_after_a_while_is_the_service_s(belief: float, truth: float) -> None:
    found = flow(Pacer(belief, belief), Bucket(truth, truth), seconds=120)
    assert found.rate(60, 120) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(("belief", "truth"), [(1, 0.5), (20, 1), (5, 0.5)])
def test_of_a_bucket_that_holds_one_call_at_least_half_is_used(belief: float, truth: float) -> None:
    """Nothing can be saved up there, so every step up that is too high is a refusal."""
    found = flow(Pacer(belief, belief), Bucket(truth, 1), seconds=300)
    assert found.rate(60, 300) >= 0.45 * truth
    assert len(found.refused) <= 0.5 * len(found.sent)


@pytest.mark.parametrize("since", [0.0, 3600.0])
def test_a_quota_that_falls_after_a_long_time_is_found_as_well(since: float) -> None:
    pacer, bucket = Pacer(20, 20), Bucket(20, 20)
    flow(pacer, bucket, seconds=since)
    bucket.rate, bucket.burst = 7, 7
    found = flow(pacer, bucket, seconds=60, start=since)
    assert found.rate(since + 5, since + 60) == pytest.approx(7, rel=0.1)
    assert len(found.refused) <= 0.1 * len(found.sent)


@pytest.mark.parametrize("share", [0.05, 0.35, 0.5, 0.9])
def test_a_quota_that_is_whole_again_is_used_whole_again_within_half_a_minute(share: float) -> None:
    pacer, bucket = Pacer(20, 20), Bucket(20 * share, 20 * share)
    flow(pacer, bucket, seconds=60)
    bucket.rate = bucket.burst = 20
    found = flow(pacer, bucket, seconds=60, start=60)
    assert found.rate(90, 120) == pytest.approx(20, rel=0.03)


def test_the_burst_comes_back_with_the_rate() -> None:
    pacer, bucket = Pacer(20, 20), Bucket(10, 10)
    flow(pacer, bucket, seconds=60)
    bucket.rate = bucket.burst = 20
    found = flow(pacer, bucket, seconds=1, start=660)
    assert len(found.admitted) >= 30


def test_a_time_without_calls_does_not_count_as_a_time_in_which_nothing_was_let_through() -> None:
    pacer, bucket = Pacer(20, 20), Bucket(10, 10)
    flow(pacer, bucket, seconds=60)
    idle = 3600.0
    found = flow(pacer, bucket, seconds=30, start=60 + idle)
    assert found.refused  # half of what is believed in again
    assert found.rate(60 + idle + 5, 60 + idle + 30) == pytest.approx(10, rel=0.1)


def test_few_calls_for_a_long_time_do_not_count_as_the_most_that_are_let_through() -> None:
    pacer, bucket = Pacer(20, 20), Bucket(10, 10)
    flow(pacer, bucket, seconds=30)
    for second in range(30, 630):
        pacer.ready_at(second)
        pacer.take(second)
        assert bucket.admits(second)
    found = flow(pacer, bucket, seconds=30, start=630)
    assert found.rate(632, 660) == pytest.approx(10, rel=0.1)


def test_refusals_of_what_was_sent_before_the_last_one_was_heard_are_the_same_news() -> None:
    pacer = Pacer(20, 20)
    tickets = [pacer.take(pacer.ready_at(0.0)) for _ in range(10)]
    pacer.refused(tickets[4], 1.0)
    rate = pacer.rate_at(1.0)
    for ticket in tickets:
        pacer.refused(ticket, 1.0)
    assert pacer.rate_at(1.0) == rate


def test_calls_that_were_not_made_after_all_were_not_let_through_either() -> None:
    paces: list[float] = []
    for called_back in (0, 15):
        pacer = Pacer(20, 20)
        for _ in range(called_back):
            pacer.returned(pacer.take(pacer.ready_at(0.0)))
        tickets = [pacer.take(pacer.ready_at(0.0)) for _ in range(5)]
        pacer.refused(tickets[-1], 1.0)
        paces.append(pacer.rate_at(1.0))
    assert paces[0] == pytest.approx(paces[1], rel=0.05)


def test_another_belief_gives_no_new_burst() -> None:
    pacer, now = Pacer(20, 20), 0.0
    for number in range(200):
        now = pacer.ready_at(now)
        pacer.take(now)
        pacer.believe(*((20, 20), (10, 10))[number % 2])
    assert now >= (200 - 20) / 20


def test_a_higher_belief_is_followed_at_once() -> None:
    pacer = Pacer(1, 1)
    pacer.take(pacer.ready_at(0.0))
    pacer.believe(20, 20)
    assert pacer.ready_at(0.0) <= 0.06
    assert pacer.rate_at(0.0) == 20


@given(
    _rates,
    _bursts,
    st.lists(
        st.tuples(st.sampled_from(["take", "passed", "refused", "returned", "look"]), st.floats(-10, 1e6)), max_size=60
    ),
)
def test_whatever_is_told_to_it_the_pacer_stays_finite(
    rate: float, burst: float, events: list[tuple[str, float]]
) -> None:
    pacer, tickets = Pacer(rate, burst), [Ticket(0, 0.0)]
    for what, now in events:
        match what:
            case "take":
                tickets.append(pacer.take(now))
            case "passed":
                pacer.passed(tickets[-1])
            case "refused":
                pacer.refused(tickets[-1], now)
            case "returned":
                pacer.returned(tickets[-1])
            case _:
                pass
        assert now <= pacer.ready_at(now) < math.inf
        assert 0 < pacer.rate_at(now) <= rate


def test_a_single_call_that_came_early_by_a_little_does_not_wait_for_a_whole_turn() -> None:
    pacer, now, tickets = Pacer(1.0, 1.0), 0.0, list[Ticket]()
    for _ in range(10):
        now = pacer.ready_at(now)
        tickets.append(pacer.take(now))
    pacer.refused(tickets[-1], now)
    assert pacer.ready_at(now) - now < 0.5


def test_a_single_call_that_is_refused_again_waits_for_a_whole_turn() -> None:
    pacer, now, tickets = Pacer(1.0, 1.0), 0.0, list[Ticket]()
    for _ in range(10):
        now = pacer.ready_at(now)
        tickets.append(pacer.take(now))
    pacer.refused(tickets[-1], now)
    now = pacer.ready_at(now)
    pacer.refused(pacer.take(now), now)
    assert pacer.ready_at(now) - now > 0.9
