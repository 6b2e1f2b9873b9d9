"""Test the adaptive token bucket against a service's bucket that it cannot see."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import random
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.rate_limiting.token_bucket import DUE_WITHIN, AdaptiveTokenBucket, Grant
from tests.effort import examples, part
from tests.rate_limiting.simulation import ServiceBucket, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

_rates = st.sampled_from([0.05, 0.5, 1.0, 5.0, 20.0, 100.0]) | st.floats(0.05, 200)
_bursts = st.sampled_from([0.5, 1.0, 1.5, 2.0, 20.0]) | st.floats(0.5, 200)
_gaps = st.sampled_from([0.0, 1e-9, 0.01, 0.05, 1.0, 3600.0]) | st.floats(0, 100)

# The lowest share of the believed rate: a measurement of 0.01, lowered by 3 %, under the deepest dip (0.75 ** 3).
_LOWEST = 0.0096 * 0.42


class Requests(RuleBasedStateMachine):
    """Requests are sent, overtake each other, are throttled or cancelled; the real quota is at most the believed."""

    @initialize(rate=_rates, burst=_bursts, share=st.floats(0.01, 1), depth=st.floats(0.01, 1))
    def begin(self, rate: float, burst: float, share: float, depth: float) -> None:
        self.bucket = AdaptiveTokenBucket(rate, burst)
        self.service = ServiceBucket(rate * share, max(1.0, burst * depth))
        self.now = 0.0
        self.sent: list[float] = []
        self.in_flight: list[Grant] = []
        self.accepted: list[Grant] = []
        self.throttles: list[Grant] = []
        self.has_heard_throttles = False

    @rule(gap=_gaps)
    def time_passes(self, gap: float) -> None:
        self.now += gap

    @rule(many=st.integers(1, 30))
    def send_as_soon_as_possible(self, many: int) -> None:
        for _ in range(many):
            self.now = self.bucket.ready_at(self.now)
            assert self.bucket.ready_at(self.now) <= self.now + 1e-9 * max(1.0, self.now), "the named moment had come"
            self._send(self.bucket.acquire(self.now))

    @rule(many=st.integers(1, 30), early=st.floats(0, DUE_WITHIN))
    def send_early(self, many: int, early: float) -> None:
        for _ in range(many):
            result = self.bucket.try_acquire(self.now)
            if not isinstance(result, Grant):
                self.now = max(self.now, result - early * 0.99)
                result = self.bucket.try_acquire(self.now)
                assert isinstance(result, Grant), "a token that is due within DUE_WITHIN is due"
            self._send(result)

    def _send(self, grant: Grant) -> None:
        self.sent.append(self.now)
        self.in_flight.append(grant)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), many=st.integers(1, 30))
    def some_arrive_in_any_order(self, data: st.DataObject, many: int) -> None:
        for _ in range(min(many, len(self.in_flight))):
            grant = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
            (self.accepted if self.service.admits(self.now) else self.throttles).append(grant)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def some_are_reported_as_allowed(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, len(self.accepted)))):
            self.bucket.allowed(self.accepted.pop(0))

    @precondition(lambda self: self.throttles)
    @rule(data=st.data())
    def one_is_reported_as_throttled(self, data: st.DataObject) -> None:
        before = self.bucket.rate_at(self.now)
        grant = self.throttles.pop(data.draw(st.integers(0, len(self.throttles) - 1)))
        self.bucket.throttled(grant, self.now)
        self.has_heard_throttles = True
        self.sent.remove(grant.at)  # it used nothing of the quota
        assert self.bucket.rate_at(self.now) <= max(before, self.bucket.rate)

    @precondition(lambda self: self.in_flight)
    @rule()
    def one_is_cancelled(self) -> None:
        grant = self.in_flight.pop()
        self.bucket.cancel(grant)
        self.sent.remove(grant.at)

    @invariant()
    def the_next_moment_is_neither_past_nor_never(self) -> None:
        ready = self.bucket.ready_at(self.now)
        assert self.now <= ready
        assert ready - self.now <= 2.5 / (_LOWEST * self.bucket.rate)
        later = copy.copy(self.bucket)  # a look ahead must not change anything
        # The rate rises while a request waits, so the named moment may only be late.
        assert ready <= later.ready_at(ready) <= ready + 1e-9 * max(1.0, ready)

    @invariant()
    def the_rate_stays_within_its_bounds(self) -> None:
        rate = self.bucket.rate_at(self.now)
        assert _LOWEST * self.bucket.rate <= rate <= self.bucket.rate

    @invariant()
    def only_a_throttle_lowers_the_rate(self) -> None:
        rate, full = self.bucket.rate_at(self.now), self.bucket.max_rate
        assert rate <= full if self.has_heard_throttles else rate == full

    @invariant()
    def the_believed_quota_is_never_exceeded(self) -> None:
        for index, moment in enumerate(self.sent[-60:], start=max(0, len(self.sent) - 60)):
            seconds = self.sent[-1] - moment + DUE_WITHIN
            assert len(self.sent) - index <= max(1.0, self.bucket.burst) + self.bucket.rate * seconds + 1 + 1e-6


TestRequests = Requests.TestCase
TestRequests.settings = examples(100, steps=30)


@given(_rates, _bursts, st.floats(0, 5))
def test_bucket_is_never_throttled_when_the_quota_is_known(rate: float, burst: float, latency: float) -> None:
    assume(burst >= 1)
    bucket = AdaptiveTokenBucket(rate, burst)
    traffic = simulate(bucket, ServiceBucket(rate, burst), seconds=300 / rate, latency=lambda: latency)
    assert traffic.throttled == []


@given(st.floats(0.1, 100), st.floats(2, 100), st.integers(0, 2**32))
def test_bucket_tolerates_jitter_of_one_request(rate: float, burst: float, seed: int) -> None:
    """Messages may be late by the time between two requests without a throttle."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    bucket = AdaptiveTokenBucket(rate, burst)
    traffic = simulate(bucket, ServiceBucket(rate, burst), seconds=200 / rate, latency=lambda: dice.random() / rate)
    assert traffic.throttled == []


@given(st.floats(0.1, 100), st.floats(1, 100))
def test_bucket_uses_the_whole_quota(rate: float, burst: float) -> None:
    bucket = AdaptiveTokenBucket(rate, burst)
    traffic = simulate(bucket, ServiceBucket(rate, burst), seconds=200 / rate, latency=lambda: 0)
    assert len(traffic.admitted) >= 0.95 * (200 + burst - 1) - 2


def test_bucket_sends_the_burst_at_burst_speed_less_the_room() -> None:
    traffic = simulate(AdaptiveTokenBucket(20, 20), ServiceBucket(20, 20), seconds=1)
    first = [moment for moment in traffic.sent if moment < 0.4]
    assert len(first) >= 19
    assert min(after - before for before, after in itertools.pairwise(first)) >= 1 / 61


def test_bucket_grants_what_is_due_within_a_millisecond() -> None:
    """What is granted early is owed, so the average rate is kept."""
    bucket = AdaptiveTokenBucket(1000, 1)
    moments = [0.0]
    for _ in range(1000):
        while not isinstance(bucket.try_acquire(moments[-1]), Grant):
            moments.append(moments[-1] + 0.001)  # a clock of 1 ms resolution
    assert moments[-1] == pytest.approx(1000 / 975, abs=0.003)


def _rate_after_a_throttle(*, sent: int, took: float, throttled: int, allowed: range) -> float:
    """Send at even distances after a rest; some are reported as allowed, then one as throttled."""
    bucket = AdaptiveTokenBucket(20, 20)
    grants = [bucket.acquire(number * took / sent) for number in range(sent)]
    for number in allowed:
        bucket.allowed(grants[number])
    bucket.throttled(grants[throttled], took)
    return bucket.rate_at(took)


def test_first_throttle_near_the_rate_decreases_nothing() -> None:
    assert _rate_after_a_throttle(sent=30, took=0.5, throttled=29, allowed=range(29)) == 20


@pytest.mark.parametrize(("sent", "share"), [(30, 29 / 30), (10, 0.9), (8, 7 / 8)])
def test_first_throttle_decreases_by_the_share_of_throttles(sent: int, share: float) -> None:
    """Seven accepted requests may mean a low quota or low demand."""
    rate = _rate_after_a_throttle(sent=sent, took=0.5, throttled=7, allowed=range(7))
    assert rate == pytest.approx(20 * share)


@pytest.mark.parametrize("sent", [1, 2, 3, 4])
def test_first_throttle_decreases_by_a_quarter_at_most(sent: int) -> None:
    rate = _rate_after_a_throttle(sent=sent, took=0.5, throttled=sent - 1, allowed=range(sent - 1))
    assert rate == pytest.approx(15)


@pytest.mark.parametrize("seed", range(part(10)))
@pytest.mark.parametrize("share", [0.01, 0.02, 0.03])
def test_continuing_stray_throttles_leave_most_of_the_rate(seed: int, share: float) -> None:
    """Whatever the rate, a few requests of a hundred are throttled; the quota itself is never reached."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated

    class Stray(ServiceBucket):
        def admits(self, now: float) -> bool:
            return super().admits(now) and dice.random() >= share

    traffic = simulate(AdaptiveTokenBucket(20, 20), Stray(100, 100), seconds=60)
    assert traffic.rate(30, 60) >= 10


def test_overtaken_request_counts_those_that_passed_it() -> None:
    """The first requests of a burst wait for connections, and those that find one open arrive before them."""
    assert _rate_after_a_throttle(sent=30, took=0.5, throttled=14, allowed=range(15, 29)) == 20


def _leased(bucket: AdaptiveTokenBucket, now: float) -> Grant:
    grant = bucket.try_acquire(now, horizon=1.0)
    assert isinstance(grant, Grant)
    return grant


def _learn_a_lower_rate(bucket: AdaptiveTokenBucket, *, leases: int = 0) -> tuple[list[float], list[Grant]]:
    """Have seven requests accepted, and throttle four; returns the rates after them, and permits leased before."""
    now, rates = 0.0, list[float]()
    for _ in range(7):
        now = bucket.ready_at(now)
        bucket.allowed(bucket.acquire(now))
    leased: list[Grant] = []
    for _ in range(4):
        now = bucket.ready_at(now)
        grant = bucket.acquire(now)
        leased = [_leased(bucket, now) for _ in range(leases)]
        bucket.throttled(grant, now)
        rates.append(bucket.rate_at(now))
    return rates, leased


def test_continuing_throttles_are_trusted() -> None:
    rates, _ = _learn_a_lower_rate(AdaptiveTokenBucket(20, 20))
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(17.5)
    assert rates[3] == pytest.approx(6, rel=0.1)  # 8 requests, in the second of the full bucket and 0.3 s


def test_stray_throttle_is_forgotten_within_two_seconds() -> None:
    bucket = AdaptiveTokenBucket(20, 20)
    grants = [bucket.acquire(bucket.ready_at(second)) for second in range(10)]
    bucket.throttled(grants[-1], 9.0)
    assert bucket.rate_at(9.0) == pytest.approx(15)
    assert bucket.rate_at(10.0) == pytest.approx(17.5)
    assert bucket.rate_at(11.0) == 20


def test_stray_throttle_leaves_the_learned_rate() -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(7, 7)
    simulate(bucket, service, seconds=30)
    bucket.ready_at(34.0)
    learned = bucket.rate_at(34.0)
    bucket.throttled(bucket.acquire(34.0), 34.0)
    assert bucket.rate_at(34.0) == pytest.approx(0.75 * learned)
    assert bucket.rate_at(36.0) == pytest.approx(learned, rel=0.15)


def _latency(seed: int, least: float = 0.03) -> Callable[[], float]:
    """From the least latency to one and a half times it."""
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    return lambda: least * (1 + dice.random() / 2)


def _seconds_for_sixty(seed: int, *, gap: float, stray: frozenset[int]) -> float:
    """Ten starts at one a second, the strays among them, and sixty at once; the time that the sixty take."""
    begin = 9 + gap
    arrivals = [*map(float, range(10)), *[begin] * 60]
    traffic = simulate(
        AdaptiveTokenBucket(20, 20), ServiceBucket(20, 20), arrivals=arrivals, latency=_latency(seed), stray=stray
    )
    assert len(traffic.throttled) == len(stray)
    return traffic.admitted[-1] - begin


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.2, 1.0])
@pytest.mark.parametrize("seed", range(part(3)))
def test_sixty_starts_after_a_stray_throttle_take_half_as_long_again(seed: int, gap: float) -> None:
    undisturbed = _seconds_for_sixty(seed, gap=gap, stray=frozenset())
    assert _seconds_for_sixty(seed, gap=gap, stray=frozenset({10})) <= 1.5 * undisturbed


@pytest.mark.parametrize("stray", [{9, 10}, {10, 12}, {8, 9, 10}, {10, 30}, {10, 30, 50}])
def test_several_stray_throttles_do_not_ruin_the_rate(stray: set[int]) -> None:
    undisturbed = _seconds_for_sixty(0, gap=0.1, stray=frozenset())
    assert _seconds_for_sixty(0, gap=0.1, stray=frozenset(stray)) <= 2 * undisturbed


@pytest.mark.parametrize("latency", [0.002, 0.02, 0.03, 0.05])
@pytest.mark.parametrize("seed", range(part(3)))
def test_200_requests_find_7_a_second_when_20_are_believed(seed: int, latency: float) -> None:
    traffic = simulate(
        AdaptiveTokenBucket(20, 20), ServiceBucket(7, 7), arrivals=[0.0] * 200, latency=_latency(seed, latency)
    )
    assert traffic.admitted[-1] <= 1.1 * (200 - 7) / 7
    assert traffic.throttled_share <= 0.08


@pytest.mark.parametrize("latency", [0.002, 0.03, 0.1])
def test_1000_requests_take_what_another_client_leaves(latency: float) -> None:
    traffic = simulate(
        AdaptiveTokenBucket(20, 20),
        ServiceBucket(20, 20),
        arrivals=[0.0] * 1000,
        latency=_latency(0, latency),
        others=(10, math.inf),
    )
    assert traffic.admitted[-1] <= 1.1 * (1000 - 20) / 10
    assert traffic.throttled_share <= 0.05


@pytest.mark.parametrize(("rate", "many"), [(20, 200), (1, 30)])
def test_known_quota_costs_at_most_a_twentieth(rate: float, many: int) -> None:
    traffic = simulate(
        AdaptiveTokenBucket(rate, rate), ServiceBucket(rate, rate), arrivals=[0.0] * many, latency=_latency(0)
    )
    assert traffic.admitted[-1] <= 1.05 * (many - rate) / rate
    assert len(traffic.sent) <= many + 1


def test_quota_is_regained_within_30_seconds_after_others_leave() -> None:
    traffic = simulate(
        AdaptiveTokenBucket(20, 20), ServiceBucket(20, 20), seconds=90, latency=_latency(0), others=(10, 30)
    )
    assert traffic.rate(20, 30) == pytest.approx(10, rel=0.1)
    assert traffic.rate(60, 90) == pytest.approx(20, rel=0.03)


@examples(60)
@given(st.sampled_from([10.0, 20.0, 50.0]), st.floats(0.2, 0.95), st.floats(0.001, 0.1), st.integers(0, 2**32))
def test_lower_quota_than_believed_is_found_and_kept(belief: float, share: float, way: float, seed: int) -> None:
    truth, dice = belief * share, random.Random(seed)  # noqa: S311 - to be repeated
    seconds = 500 / truth
    service = ServiceBucket(truth, truth)
    traffic = simulate(
        AdaptiveTokenBucket(belief, belief), service, seconds=seconds, latency=lambda: way * (1 + dice.random() / 10)
    )
    assert len(traffic.admitted) >= 0.9 * 500
    assert len(traffic.throttled) <= 0.12 * len(traffic.sent)


@pytest.mark.parametrize(("belief", "truth"), [(20, 7), (20, 2), (20, 19), (5, 2), (100, 10)])
def test_rate_converges_to_the_quota(belief: float, truth: float) -> None:
    traffic = simulate(AdaptiveTokenBucket(belief, belief), ServiceBucket(truth, truth), seconds=120)
    assert traffic.rate(60, 120) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize(("belief", "truth"), [(1, 0.5), (20, 1), (5, 0.5)])
def test_quota_of_a_single_request_burst_is_used_by_half(belief: float, truth: float) -> None:
    """No tokens can be saved up there, so every step of the recovery that is too high is a throttle."""
    traffic = simulate(AdaptiveTokenBucket(belief, belief), ServiceBucket(truth, 1), seconds=300)
    assert traffic.rate(60, 300) >= 0.45 * truth
    assert len(traffic.throttled) <= 0.5 * len(traffic.sent)


@pytest.mark.parametrize("since", [0.0, 3600.0])
def test_quota_that_falls_later_is_found(since: float) -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(20, 20)
    simulate(bucket, service, seconds=since)
    service.rate, service.burst = 7, 7
    traffic = simulate(bucket, service, seconds=60, start=since)
    assert traffic.rate(since + 5, since + 60) == pytest.approx(7, rel=0.1)
    assert len(traffic.throttled) <= 0.1 * len(traffic.sent)


@pytest.mark.parametrize("share", [0.05, 0.35, 0.5, 0.9])
def test_quota_that_rises_is_found_within_30_seconds(share: float) -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(20 * share, 20 * share)
    simulate(bucket, service, seconds=60)
    service.rate = service.burst = 20
    traffic = simulate(bucket, service, seconds=60, start=60)
    assert traffic.rate(90, 120) == pytest.approx(20, rel=0.03)


def test_burst_recovers_with_the_rate() -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(10, 10)
    simulate(bucket, service, seconds=60)
    service.rate = service.burst = 20
    traffic = simulate(bucket, service, seconds=1, start=660)
    assert len(traffic.admitted) >= 30


def test_idle_time_is_no_measurement() -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(10, 10)
    simulate(bucket, service, seconds=60)
    idle = 3600.0
    traffic = simulate(bucket, service, seconds=30, start=60 + idle)
    assert traffic.throttled  # half of what is believed again
    assert traffic.rate(60 + idle + 5, 60 + idle + 30) == pytest.approx(10, rel=0.1)


def test_low_demand_is_no_measurement() -> None:
    bucket, service = AdaptiveTokenBucket(20, 20), ServiceBucket(10, 10)
    simulate(bucket, service, seconds=30)
    for second in range(30, 630):
        bucket.ready_at(second)
        bucket.acquire(second)
        assert service.admits(second)
    traffic = simulate(bucket, service, seconds=30, start=630)
    assert traffic.rate(632, 660) == pytest.approx(10, rel=0.1)


def test_throttles_sent_before_the_last_was_heard_count_once() -> None:
    bucket = AdaptiveTokenBucket(20, 20)
    grants = [bucket.acquire(bucket.ready_at(0.0)) for _ in range(10)]
    bucket.throttled(grants[4], 1.0)
    rate = bucket.rate_at(1.0)
    for grant in grants:
        bucket.throttled(grant, 1.0)
    assert bucket.rate_at(1.0) == rate


def test_cancelled_requests_are_not_counted_as_accepted() -> None:
    rates: list[float] = []
    for called_back in (0, 15):
        bucket = AdaptiveTokenBucket(20, 20)
        for _ in range(called_back):
            bucket.cancel(bucket.acquire(bucket.ready_at(0.0)))
        grants = [bucket.acquire(bucket.ready_at(0.0)) for _ in range(5)]
        bucket.throttled(grants[-1], 1.0)
        rates.append(bucket.rate_at(1.0))
    assert rates[0] == pytest.approx(rates[1], rel=0.05)


def test_permits_that_went_back_after_a_throttled_request_came_later() -> None:
    """They are not among the requests before it, so they do not lower the measured rate."""
    bucket = AdaptiveTokenBucket(20, 20)
    grants = [bucket.acquire(number / 60) for number in range(45)]
    for grant in grants[30:]:
        bucket.cancel(grant)
    bucket.throttled(grants[29], 0.5)
    assert bucket.rate_at(0.5) == 20


def test_pending_permits_are_paid_from_what_a_throttle_leaves() -> None:
    ready: list[float] = []
    for before in (1, 10):
        bucket = AdaptiveTokenBucket(20, 20)
        grants = [_leased(bucket, 0.0) for _ in range(before)]
        bucket.throttled(grants[0], 0.0)
        ready.append(max([_leased(bucket, 0.0).at for _ in range(11 - before)]))
    assert ready[1] > 0.3
    assert ready[0] == pytest.approx(ready[1], rel=0.1)


def test_throttle_of_a_permit_from_before_a_measurement_is_no_news() -> None:
    """Taken for a stray, it would have the next throttles of the window taken for strays, too."""
    bucket = AdaptiveTokenBucket(20, 20)
    _, [leased] = _learn_a_lower_rate(bucket, leases=1)
    now = leased.at
    bucket.throttled(leased, now)
    later = [bucket.acquire(now := bucket.ready_at(now)) for _ in range(100)]
    before = bucket.rate_at(now)
    bucket.throttled(later[-1], now)
    assert bucket.rate_at(now) < 0.9 * before


def test_cancelled_request_of_a_burst_leaves_its_place_to_the_next() -> None:
    bucket = AdaptiveTokenBucket(20, 20)
    bucket.acquire(bucket.ready_at(0.0))
    second = bucket.ready_at(0.0)
    assert second > 0
    bucket.cancel(bucket.acquire(second))
    assert bucket.ready_at(second) == pytest.approx(second)


class _Interruption(float):
    """A moment that calls something when a bucket first reckons with it, as the garbage collector may."""

    action: Callable[[], object] | None = None

    def __sub__(self, other: float) -> float:
        action, self.action = self.action, None
        if action is not None:
            action()
        return float(self) - other


def test_token_may_be_returned_while_another_is_taken() -> None:
    """The garbage collector ends a call that holds a token, in the middle of a method of its bucket."""
    bucket = AdaptiveTokenBucket(1, 1)
    moment = _Interruption(0.0)
    moment.action = functools.partial(bucket.cancel, bucket.acquire(bucket.ready_at(0.0)))
    results: list[Grant | float] = []
    thread = threading.Thread(target=lambda: results.append(bucket.try_acquire(moment)), daemon=True)
    thread.start()
    thread.join(10)
    assert [type(result) for result in results] == [Grant]


def test_change_of_quota_gives_no_new_burst() -> None:
    bucket, now = AdaptiveTokenBucket(20, 20), 0.0
    for number in range(200):
        now = bucket.ready_at(now)
        bucket.acquire(now)
        bucket.set_quota(*((20, 20), (10, 10))[number % 2])
    assert now >= (200 - 20) / 20


def test_higher_quota_is_used_at_once() -> None:
    bucket = AdaptiveTokenBucket(1, 1)
    bucket.acquire(bucket.ready_at(0.0))
    bucket.set_quota(20, 20)
    assert bucket.ready_at(0.0) <= 0.06
    assert bucket.rate_at(0.0) == 20


@given(
    _rates,
    _bursts,
    st.lists(
        st.tuples(st.sampled_from(["acquire", "allowed", "throttled", "cancel", "look"]), st.floats(-10, 1e6)),
        max_size=60,
    ),
)
def test_bucket_stays_finite_with_any_reports(rate: float, burst: float, events: list[tuple[str, float]]) -> None:
    bucket, grants = AdaptiveTokenBucket(rate, burst), [Grant(0, 0.0)]
    for what, now in events:
        match what:
            case "acquire":
                grants.append(bucket.acquire(now))
            case "allowed":
                bucket.allowed(grants[-1])
            case "throttled":
                bucket.throttled(grants[-1], now)
            case "cancel":
                bucket.cancel(grants[-1])
            case _:
                pass
        assert now <= bucket.ready_at(now) < math.inf
        assert 0 < bucket.rate_at(now) <= rate


def test_early_single_request_does_not_wait_for_a_whole_token() -> None:
    bucket, now, grants = AdaptiveTokenBucket(1.0, 1.0), 0.0, list[Grant]()
    for _ in range(10):
        now = bucket.ready_at(now)
        grants.append(bucket.acquire(now))
    bucket.throttled(grants[-1], now)
    assert bucket.ready_at(now) - now < 0.5


def test_single_request_waits_a_whole_token_when_throttled_again() -> None:
    bucket, now, grants = AdaptiveTokenBucket(1.0, 1.0), 0.0, list[Grant]()
    for _ in range(10):
        now = bucket.ready_at(now)
        grants.append(bucket.acquire(now))
    bucket.throttled(grants[-1], now)
    now = bucket.ready_at(now)
    bucket.throttled(bucket.acquire(now), now)
    assert bucket.ready_at(now) - now > 0.9
