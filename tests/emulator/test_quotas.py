from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.quotas import PROVISIONED_RATE_EXCEEDED, SLOW_DOWN, Quotas
from aiorekostream.limits import DEFAULT_LIMITS, Quota
from tests.emulator.samples import HERE


def test_quota_allows_the_burst_and_then_the_rate() -> None:
    quotas = Quotas({"StartStreamProcessor": Quota(20, 20, "")})
    at_once = [quotas.refusal(HERE, "StartStreamProcessor", 0) for _ in range(25)]
    assert at_once.count(None) == 20
    later = [quotas.refusal(HERE, "StartStreamProcessor", 0.5) for _ in range(25)]
    assert later.count(None) == 10


def test_stop_is_allowed_once_a_second() -> None:
    quotas = Quotas(DEFAULT_LIMITS.quotas)
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None
    assert quotas.refusal(HERE, "StopStreamProcessor", 0.99) is not None
    assert quotas.refusal(HERE, "StopStreamProcessor", 1.5) is None


def test_refusal_code_depends_on_the_time_above_the_quota() -> None:
    """A sudden increase is throttled; a lasting one exceeds the provisioned rate."""
    quotas = Quotas({"StopStreamProcessor": Quota(1, 1, "")})
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None
    assert quotas.refusal(HERE, "StopStreamProcessor", 0.1) == SLOW_DOWN
    quotas = Quotas({"StartStreamProcessor": Quota(2, 4, "")})
    refusals = [quotas.refusal(HERE, "StartStreamProcessor", tenths / 10) for tenths in range(50)]
    assert refusals[-1] == PROVISIONED_RATE_EXCEEDED


def test_account_region_and_operation_have_separate_buckets() -> None:
    quotas = Quotas(DEFAULT_LIMITS.quotas)
    for caller in (HERE, Caller("999900001111", HERE.region), Caller(HERE.account, "us-west-2")):
        assert quotas.refusal(caller, "StopStreamProcessor", 0) is None
        assert quotas.refusal(caller, "DescribeStreamProcessor", 0) is None
    quotas.clear()
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None


def test_operation_without_quota_is_always_allowed() -> None:
    assert all(Quotas({}).refusal(HERE, "StopStreamProcessor", 0) is None for _ in range(1000))


@given(
    rate=st.floats(0.5, 50),
    burst=st.floats(1, 50),
    gaps=st.lists(st.floats(-1, 2), max_size=200),
)
def test_quota_never_allows_more_than_burst_and_rate(rate: float, burst: float, gaps: list[float]) -> None:
    quotas = Quotas({"StartStreamProcessor": Quota(rate, burst, "")})
    now = latest = 0.0
    admitted = int(quotas.refusal(HERE, "StartStreamProcessor", now) is None)
    for gap in gaps:
        now += gap
        latest = max(latest, now)
        admitted += quotas.refusal(HERE, "StartStreamProcessor", now) is None
        assert admitted <= burst + latest * rate + 1e-6
