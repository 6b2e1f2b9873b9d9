"""The script on the server has the arithmetic of the token bucket: the same events lead to the same state in both."""

from __future__ import annotations

import functools
import itertools
import math
from typing import TYPE_CHECKING, cast

import attrs
import fakeredis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aiorekostream.distributed.exchange import ForeignVersion, LeaseExchange, Report, Taken, TooLate, read_reply
from aiorekostream.distributed.shared_quota import SCRIPT
from aiorekostream.limits import Quota
from aiorekostream.rate_limiting.token_bucket import DUE_WITHIN, MAX_UNUSED_CAPACITY, AdaptiveTokenBucket, Grant
from tests.distributed.virtual_redis import EPOCH, script_at
from tests.effort import examples
from tests.rate_limiting.simulation import ServiceBucket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEYS = ("rks:{quota}:bucket", "rks:{quota}:hosts")
_rates = st.sampled_from([0.05, 0.5, 1.0, 5.0, 20.0, 100.0]) | st.floats(0.05, 200)
_bursts = st.sampled_from([1.0, 1.5, 2.0, 20.0]) | st.floats(1, 200)
_gaps = st.sampled_from([0.0, 1e-6, 0.01, 0.05, 1.0, 60.0, 3000.0]) | st.floats(0, 100)


_knowing = functools.partial(LeaseExchange, want=0, horizon=0.0)
NEW_HOST = _knowing()


class ScriptHost:
    """Run the script on a simulated server, at moments that a test chooses."""

    def __init__(self, quota: Quota, *, slack: float = 0.975, name: str = "a") -> None:
        self.redis = fakeredis.FakeRedis()
        self.quota, self.slack, self.name = quota, slack, name
        self.now = EPOCH

    def exchange(self, exchange: LeaseExchange) -> Taken | ForeignVersion | TooLate:
        arguments = exchange.arguments(self.name, self.quota, self.slack)
        return read_reply(self.redis.eval(script_at(SCRIPT.source, self.now), len(_KEYS), *_KEYS, *arguments))

    def take(self, want: int = 1, *, horizon: float = 0.0, knows: LeaseExchange = NEW_HOST) -> Taken:
        taken = self.exchange(attrs.evolve(knows, want=want, horizon=horizon))
        assert isinstance(taken, Taken)
        return taken

    def report(self, *reports: Report) -> None:
        self.exchange(LeaseExchange(want=0, horizon=0.0, reports=reports))

    def stored(self) -> Mapping[str, float]:
        fields = cast("Mapping[bytes, bytes]", self.redis.hgetall(_KEYS[0]))
        return {
            name.decode(): float(value or b"inf")
            for name, value in fields.items()
            if name not in {b"returned", b"cancelled"}
        }

    def cancelled(self) -> list[int]:
        fields = cast("Mapping[bytes, bytes]", self.redis.hgetall(_KEYS[0]))
        return [int(number) for number in fields[b"cancelled"].split()]


class SharedArithmetic(RuleBasedStateMachine):
    """Permits are leased ahead of time, used, throttled, delayed and returned, in the script and in the bucket."""

    @initialize(rate=_rates, burst=_bursts, slack=st.sampled_from([0.95, 0.975, 1.0]))
    def begin(self, rate: float, burst: float, slack: float) -> None:
        self.script = ScriptHost(Quota(rate, burst), slack=slack)
        self.bucket = AdaptiveTokenBucket(rate, burst, slack=slack)
        self.held: list[Grant] = []
        self.has_begun = False

    @rule(gap=_gaps)
    def time_passes(self, gap: float) -> None:
        self.script.now = round(self.script.now + gap, 6)

    @rule(want=st.integers(1, 10), horizon=st.sampled_from([DUE_WITHIN, 0.1, 2.0]) | st.floats(0, 5))
    def permits_are_taken(self, want: int, horizon: float) -> None:
        now, expected = self.script.now, list[Grant]()
        retry = 0.0
        for _ in range(want):
            result = self.bucket.try_acquire(now, horizon=horizon)
            if not isinstance(result, Grant):
                retry = result - now - horizon
                break
            expected.append(result)
        taken = self.script.take(want, horizon=horizon)
        self.has_begun = True
        assert len(taken.waits) == len(expected)
        for number, (wait, grant) in enumerate(zip(taken.waits, expected, strict=True), taken.first_number):
            assert number == grant.number
            assert wait == pytest.approx(grant.at - now, abs=DUE_WITHIN + 2e-6)
        assert taken.retry_after == pytest.approx(retry, abs=2e-6)
        self.held += expected

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def some_are_allowed(self, data: st.DataObject) -> None:
        self.bucket.allowed(self.held.pop(data.draw(st.integers(0, len(self.held) - 1))))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def one_is_throttled(self, data: st.DataObject) -> None:
        now = self.script.now
        grant = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        overtaking = sum(number > grant.number for number in self.bucket._accepted)
        self.bucket.ready_at(now)
        self.bucket.throttled(grant, now)
        self.bucket.ready_at(now)
        self.script.report(Report("throttled", grant.number, now - grant.at, overtaking))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def one_is_returned(self, data: st.DataObject) -> None:
        grant = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.bucket.ready_at(self.script.now)
        self.bucket.cancel(grant)
        self.bucket.ready_at(self.script.now)
        self.script.report(Report("cancelled", grant.number))

    @precondition(lambda self: self.has_begun)
    @rule(seconds=st.floats(0, 3))
    def one_is_late(self, seconds: float) -> None:
        self.bucket.ready_at(self.script.now)
        self.bucket.delayed(seconds)
        self.script.report(Report("delayed", 0, seconds))

    @precondition(lambda self: self.has_begun)
    @invariant()
    def both_have_the_same_state(self) -> None:
        self.bucket.ready_at(self.script.now)
        assert self.script.take(0).rate == pytest.approx(self.bucket.rate_at(self.script.now), rel=1e-9)
        assert self.script.cancelled() == list(self.bucket._cancelled)
        stored = self.script.stored()
        for field, value in stored.items():
            if field in {"version", "returned_at"}:
                continue
            expected = float(getattr(self.bucket, f"_{field}"))
            is_immaterial = (
                (field == "dipped_at" and stored["dip_share"] >= 1)
                or (field == "measured_at" and math.isinf(stored["measured_rate"]))
                or (field == "unused_capacity" and min(value, expected) >= MAX_UNUSED_CAPACITY)
            )
            if not is_immaterial:
                assert value == pytest.approx(expected, rel=1e-9 if abs(value) < EPOCH / 2 else 0, abs=1e-5), field


TestSharedArithmetic = SharedArithmetic.TestCase
TestSharedArithmetic.settings = examples(60, steps=30)


@pytest.mark.parametrize("believed", [Quota(20, 20), Quota(20, 1)])
def test_script_learns_a_lower_quota_as_the_bucket_does(believed: Quota) -> None:
    """Throttles come at the moments at which a service with a third of the believed quota gives them."""
    script = ScriptHost(believed)
    bucket = AdaptiveTokenBucket(believed.rate, believed.burst, slack=script.slack)
    service = ServiceBucket(believed.rate / 3, max(1.0, believed.burst / 3), at=script.now)
    throttles, rates = 0, set[float]()
    for _ in range(600):
        script.now = round(script.now + 0.02, 6)
        grant, taken = bucket.try_acquire(script.now, horizon=0.0), script.take()
        assert len(taken.waits) == isinstance(grant, Grant)
        assert taken.rate == pytest.approx(bucket.rate_at(script.now), rel=1e-9)
        if not isinstance(grant, Grant):
            continue
        if service.admits(script.now):
            bucket.allowed(grant)
            continue
        throttles += 1
        overtaking = sum(number > grant.number for number in bucket._accepted)
        bucket.throttled(grant, script.now)
        script.report(Report("throttled", grant.number, script.now - grant.at, overtaking))
        rates.add(bucket.rate_at(script.now))
    assert throttles > 5
    assert min(rates) < 0.5 * believed.rate


# ------------------------------------------------------------------------------- what the server lost, or cannot know

_STARTS = Quota(20, 20)


def _moments(taken: Taken, now: float) -> Sequence[float]:
    return [now + wait for wait in taken.waits]


def test_hosts_that_asked_of_late_are_counted() -> None:
    script = ScriptHost(_STARTS)
    for name in "abc":
        script.name = name
        script.take()
    assert script.take().hosts == 3
    script.now += 9
    assert script.take().hosts == 3
    script.now += 2
    assert script.take().hosts == 1
    script.name = "d"
    script.now -= 3600
    assert script.take().hosts == 1


def test_each_host_hears_its_place_among_the_others() -> None:
    script, ranks = ScriptHost(_STARTS), list[int]()
    for name in "bcabc":
        script.name = name
        ranks.append(script.take().rank)
    assert ranks == [0, 1, 0, 1, 2]


def test_permits_of_several_hosts_do_not_exceed_the_quota() -> None:
    script, moments = ScriptHost(Quota(20, 2)), list[float]()
    for turn in range(30):
        script.name = "abc"[turn % 3]
        moments += _moments(script.take(4, horizon=1.0), script.now)
        script.now += 0.1
    moments.sort()
    assert len(moments) == pytest.approx(20 * 4, rel=0.05)
    assert all(later - earlier > 1 / 61 for earlier, later in itertools.pairwise(moments))


def test_emptied_server_grants_no_second_burst() -> None:
    script = ScriptHost(_STARTS)
    assert len(script.take(100, horizon=0.5).waits) == 19 + 8
    script.redis.flushall()
    again = script.take(100, horizon=0.5, knows=_knowing(rested=0.0, known_number=27, seen=script.now))
    assert (len(again.waits), again.first_number) == (10, 28)


@pytest.mark.parametrize(("known_for", "permits"), [(20.0, 0), (3700.0, 17)])
def test_emptied_server_gives_a_rested_host_no_burst(known_for: float, permits: int) -> None:
    """Other hosts may have sent without the server meanwhile; a bucket that all left alone expires."""
    script = ScriptHost(_STARTS)
    knows = _knowing(rested=20.0, known_number=27, seen=script.now - known_for, known_for=known_for, sharers=3)
    assert len(script.take(17, horizon=0.6, knows=knows).waits) == permits


def test_emptied_server_hears_the_learned_rate_from_a_host() -> None:
    assert ScriptHost(_STARTS).take(knows=_knowing(known_rate=7.0, rested=0.0)).rate == pytest.approx(7)


def test_new_host_at_an_unused_server_has_the_burst() -> None:
    assert ScriptHost(_STARTS).take(100, horizon=0.4).waits[:3] == pytest.approx([0, 1 / 60, 2 / 60], abs=1e-5)


def test_replica_that_missed_permits_has_none_left() -> None:
    script = ScriptHost(_STARTS)
    taken = script.take(3)
    later = script.take(1, horizon=1.0, knows=_knowing(known_number=taken.first_number + 16))
    assert later.first_number == taken.first_number + 17
    assert later.waits[0] == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize("jump", [-3600.0, -1.5, 30.0, 3000.0])
def test_jump_of_the_clock_grants_nothing(jump: float) -> None:
    """As after a fail-over to a server whose clock differs."""
    script = ScriptHost(Quota(1, 20))
    taken = script.take(100, horizon=0.0)
    seen = taken.now
    script.now += 0.5 + jump
    reply = script.exchange(LeaseExchange(want=10, horizon=0.0, seen=seen, known_for=0.5, patience=0.25))
    if jump > 0:
        assert isinstance(reply, TooLate)
        assert reply.now == pytest.approx(script.now)
        reply = script.exchange(LeaseExchange(want=10, horizon=0.0, seen=script.now, known_for=0.0, patience=0.25))
    assert isinstance(reply, Taken)
    assert not reply.waits
    assert reply.retry_after <= 1.0


def test_exchange_that_a_hung_server_carries_out_late_does_nothing() -> None:
    script = ScriptHost(_STARTS)
    before = script.take().now
    stored = script.stored()
    script.now += 3
    late = LeaseExchange(want=10, horizon=1.0, seen=before, known_for=1.0, patience=0.25)
    assert isinstance(script.exchange(late), TooLate)
    assert script.stored() == stored


def test_throttle_of_a_bucket_that_was_lost_changes_nothing() -> None:
    script = ScriptHost(_STARTS)
    script.take()
    script.report(Report("throttled", 1000, 0.1, 0))
    assert len(script.take(5, horizon=0.1).waits) == 5


@pytest.mark.parametrize("stored", [{"version": "1"}, {"colour": "blue"}])
def test_bucket_of_another_version_is_left_alone(stored: dict[str, str]) -> None:
    script = ScriptHost(_STARTS)
    script.redis.hset(_KEYS[0], mapping=stored)
    assert script.exchange(LeaseExchange(want=1, horizon=0.0)) == ForeignVersion(stored.get("version", ""), 1)
    assert script.redis.hgetall(_KEYS[0]) == {key.encode(): value.encode() for key, value in stored.items()}


def _returns(script: ScriptHost, name: str, *, alone: int, away: float, want: int = 100) -> Sequence[float]:
    script.name = name
    taken = script.take(
        want,
        horizon=1.0,
        knows=_knowing(alone=alone, sharers=3, known_number=1, known_for=away, seen=script.now - away, rested=0.1),
    )
    return _moments(taken, script.now)


@pytest.mark.parametrize("is_empty", [False, True])
def test_hosts_return_one_after_the_other_without_exceeding_the_quota(is_empty: bool) -> None:  # noqa: FBT001
    script = ScriptHost(_STARTS)
    script.take(100)
    script.now += 3
    if is_empty:
        script.redis.flushall()
    began, moments = script.now, list[float]()
    for name, after in (("a", 0.0), ("b", 0.3), ("c", 0.9)):
        script.now = began + after
        moments += _returns(script, name, alone=20, away=3.0 + after)
        moments += [began + index * 0.15 for index in range(int(after / 0.15))]  # its share, until it returned
    for until in (1.0, 1.5, 1.9):
        sent = sum(moment < began + until for moment in moments)
        assert sent <= 20 * until + 3
    assert sum(moment < began + 1.9 for moment in moments) >= 0.9 * 38


def test_host_that_alone_lost_the_server_pays_for_what_it_granted() -> None:
    script = ScriptHost(_STARTS)
    script.take()
    for _ in range(30):
        script.now += 0.1
        script.take()
    assert len(_returns(script, "b", alone=5, away=1.0)) <= 17 - 5 + 20
    script.now += 0.01
    _returns(script, "b", alone=100_000, away=1.0, want=0)
    assert script.stored()["tokens"] > -30  # the service's bucket has no debts
