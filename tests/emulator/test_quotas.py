from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from aiorekostream.emulator.callers import Caller
from aiorekostream.emulator.quotas import PROVISIONED_RATE_EXCEEDED, SLOW_DOWN, Quotas
from aiorekostream.limits import DEFAULT_LIMITS, Quota
from tests.emulator.samples import HERE


def test_a_burst_is_admitted_and_the_rate_after_it() -> None:
    quotas = Quotas({"StartStreamProcessor": Quota(20, 20, "")})
    at_once = [quotas.refusal(HERE, "StartStreamProcessor", 0) for _ in range(25)]
    assert at_once.count(None) == 20
    later = [quotas.refusal(HERE, "StartStreamProcessor", 0.5) for _ in range(25)]
    assert later.count(None) == 10


def test_stopping_is_admitted_once_a_second() -> None:
    quotas = Quotas(DEFAULT_LIMITS.quotas)
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None
    assert quotas.refusal(HERE, "StopStreamProcessor", 0.99) is not None
    assert quotas.refusal(HERE, "StopStreamProcessor", 1.5) is None


def test_a_sudden_increase_is_throttled_and_a_lasting_one_exceeds_the_provisioned_rate() -> None:
    quotas = Quotas({"StopStreamProcessor": Quota(1, 1, "")})
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None
    assert quotas.refusal(HERE, "StopStreamProcessor", 0.1) == SLOW_DOWN
    quotas = Quotas({"StartStreamProcessor": Quota(2, 4, "")})
    answers = [quotas.refusal(HERE, "StartStreamProcessor", moment / 10) for moment in range(50)]
    assert answers[-1] == PROVISIONED_RATE_EXCEEDED


def test_every_account_region_and_operation_has_a_bucket_of_its_own() -> None:
    quotas = Quotas(DEFAULT_LIMITS.quotas)
    for caller in (HERE, Caller("999900001111", HERE.region), Caller(HERE.account, "us-west-2")):
        assert quotas.refusal(caller, "StopStreamProcessor", 0) is None
        assert quotas.refusal(caller, "DescribeStreamProcessor", 0) is None
    quotas.clear()
    assert quotas.refusal(HERE, "StopStreamProcessor", 0) is None


def test_what_has_no_quota_is_always_admitted() -> None:
    assert all(Quotas({}).refusal(HERE, "StopStreamProcessor", 0) is None for _ in range(1000))


@given(
    rate=st.floats(0.5, 50),
    burst=st.floats(1, 50),
    gaps=st.lists(st.floats(-1, 2), max_size=200),
)
def test_no_more_than_burst_and_rate_allow_is_ever_admitted(rate: float, burst: float, gaps: list[float]) -> None:
    quotas = Quotas({"StartStreamProcessor": Quota(rate, burst, "")})
    now = latest = 0.0
    admitted = int(quotas.refusal(HERE, "StartStreamProcessor", now) is None)
    for gap in gaps:
        now += gap
        latest = max(latest, now)
        admitted += quotas.refusal(HERE, "StartStreamProcessor", now) is None
        assert admitted <= burst + latest * rate + 1e-6
