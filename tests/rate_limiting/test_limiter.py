"""Test which clients share a quota, limiters that do not wait, the status and the log."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.clock import SystemClock
from aiorekostream.emulator import ManualClock
from aiorekostream.errors import RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting import LocalRateLimiter, PermitRequest, RateLimiter, RateStatus
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable

_QUOTA = Quota(10, 1, "")
_SCOPE = Scope(endpoint="https://there", region="us-east-1", account="a")
_START = "StartStreamProcessor"


def _request(
    *, account: str = "a", region: str = "us-east-1", operation: str = _START, quota: Quota = _QUOTA
) -> PermitRequest:
    scope = Scope(endpoint="https://there", region=region, account=account)
    return PermitRequest(scope=scope, operation=operation, quota=quota)


async def _seconds(*requests: tuple[RateLimiter, PermitRequest]) -> float:
    """How long it takes until all of them are granted."""
    begin = asyncio.get_running_loop().time()
    await asyncio.gather(*(limiter.acquire(request) for limiter, request in requests))
    return asyncio.get_running_loop().time() - begin


def test_limiters_share_the_quota_of_an_account_and_region() -> None:
    async def scene() -> float:
        return await _seconds((LocalRateLimiter(), _request()), (LocalRateLimiter(), _request()))

    assert run(scene()) >= 0.1


@pytest.mark.parametrize(
    "other",
    [
        functools.partial(_request, account="b"),
        functools.partial(_request, region="eu-west-1"),
        functools.partial(_request, operation="StopStreamProcessor"),
    ],
)
def test_accounts_regions_and_operations_have_their_own_quotas(other: Callable[[], PermitRequest]) -> None:
    async def scene() -> float:
        return await _seconds((LocalRateLimiter(), _request()), (LocalRateLimiter(), other()))

    assert run(scene()) == 0


def test_access_keys_share_a_quota_when_the_account_is_named() -> None:
    async def scene() -> tuple[float, float]:
        named = LocalRateLimiter(account="ours")
        together = await _seconds((named, _request(account="key-1")), (named, _request(account="key-2")))
        elsewhere = await _seconds((named, _request(account="key-1", region="eu-west-1")))
        return together, elsewhere

    together, elsewhere = run(scene())
    assert together >= 0.1
    assert elsewhere == 0


def test_clients_with_different_quotas_get_no_new_burst() -> None:
    async def scene() -> float:
        quotas = [Quota(20, 20, ""), Quota(10, 10, "")] * 50
        return await _seconds(*((LocalRateLimiter(), _request(quota=quota)) for quota in quotas))

    assert run(scene()) >= (100 - 20) / 20


def test_quota_that_is_given_later_is_used() -> None:
    async def scene() -> float:
        await LocalRateLimiter().acquire(_request(quota=Quota(0.01, 1, "")))
        return await _seconds(*((LocalRateLimiter(), _request(quota=Quota(20, 20, ""))) for _ in range(20)))

    assert run(scene()) <= 1.5


def test_higher_quota_wakes_requests_that_wait_already() -> None:
    async def scene() -> float:
        await LocalRateLimiter().acquire(_request(quota=Quota(0.01, 1, "")))
        waiting = asyncio.create_task(LocalRateLimiter().acquire(_request(quota=Quota(0.01, 1, ""))))
        await asyncio.sleep(0.1)
        await LocalRateLimiter().acquire(_request(quota=Quota(20, 20, "")))
        await waiting
        return asyncio.get_running_loop().time()

    assert run(scene()) <= 0.3


async def _is_granted(quota: Quota) -> bool:
    try:
        await LocalRateLimiter(wait=False).acquire(_request(quota=quota))
    except RateLimitedError:
        return False
    return True


def test_loops_one_after_the_other_share_a_quota() -> None:
    """As in a Lambda function that runs a new loop for each event."""
    slow = Quota(0.001, 1, "")
    assert [asyncio.run(_is_granted(slow)) for _ in range(3)] == [True, False, False]


def test_next_loop_knows_what_an_earlier_one_has_learned() -> None:
    limiter, quota = LocalRateLimiter(account="learned"), Quota(20, 20, "")

    async def throttle() -> None:
        (await limiter.acquire(_request(quota=quota))).throttled()

    async def used_rate() -> float:
        return limiter.rates(_SCOPE, {_START: quota}, SystemClock())[_START].used_rate

    asyncio.run(throttle())
    assert asyncio.run(used_rate()) < 20


def test_loops_of_several_threads_share_a_quota() -> None:
    slow = Quota(0.002, 1, "")
    ready = threading.Barrier(8)

    async def one() -> bool:
        try:
            await LocalRateLimiter(wait=False).acquire(_request(account="threads", quota=slow))
        except RateLimitedError:
            return False
        return True

    def begin(_: int) -> bool:
        ready.wait()
        return asyncio.run(one())

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(8))) == 1


def test_loop_with_a_time_of_its_own_has_its_own_quotas() -> None:
    slow = Quota(0.001, 1, "")
    assert [run(_is_granted(slow)) for _ in range(3)] == [True, True, True]


def test_manual_clock_has_its_own_quotas_and_wakes_requests() -> None:
    async def scene() -> list[bool]:
        clock, limiter = ManualClock(), LocalRateLimiter()
        request = attrs.evolve(_request(), clock=clock)
        await limiter.acquire(_request())
        await limiter.acquire(request)
        waiting = asyncio.create_task(limiter.acquire(request))
        seen: list[bool] = []
        for seconds in (0.05, 0.04, 0.0126):
            await asyncio.sleep(1)
            clock.advance(seconds)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(waiting.done())
        await waiting
        return seen

    assert run(scene()) == [False, False, True]


def test_closed_loop_and_clock_leave_nothing() -> None:
    async def scene() -> list[weakref.ref[object]]:
        clock = ManualClock()
        await LocalRateLimiter().acquire(attrs.evolve(_request(), clock=clock))
        assert await _seconds(*[(LocalRateLimiter(), _request())] * 3) > 0
        return [weakref.ref(asyncio.get_running_loop()), weakref.ref(clock)]

    references = [reference for _ in range(3) for reference in run(scene())]
    gc.collect()
    assert [reference() for reference in references] == [None] * 6


def test_limiter_that_does_not_wait_fails_at_once_with_an_estimate() -> None:
    async def scene() -> RateLimitedError:
        limiter, loop = LocalRateLimiter(wait=False), asyncio.get_running_loop()
        await limiter.acquire(_request())
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire(_request())
        assert loop.time() == 0
        return caught.value

    error = run(scene())
    assert (error.retry_safe, error.attempts, error.operation) == (True, 0, _START)
    assert error.retry_after == pytest.approx(0.1, rel=0.1)
    assert str(error) == "StartStreamProcessor: the quota of 10 calls/s is used up for 0.103 s"


def test_limiter_that_does_not_wait_grants_a_burst_at_once() -> None:
    async def scene() -> int:
        return sum([await _is_granted(Quota(20, 20, "")) for _ in range(30)])

    assert run(scene()) == 17  # the burst, less a tenth and one


@pytest.mark.parametrize("rate", [0.3, 1.0, 7.0, 20.0])
def test_estimate_of_a_limiter_that_does_not_wait_is_true(rate: float) -> None:
    async def scene() -> int:
        limiter, rejected = LocalRateLimiter(wait=False), 0
        request = _request(quota=Quota(rate, 3, ""))
        for _ in range(200):
            try:
                await limiter.acquire(request)
            except RateLimitedError as error:
                rejected += 1
                await asyncio.sleep(error.retry_after - 0.002)
                with pytest.raises(RateLimitedError):
                    await limiter.acquire(request)
                await asyncio.sleep(0.002)
                await limiter.acquire(request)
        return rejected

    assert run(scene()) >= 100


def test_limiter_that_does_not_wait_counts_requests_that_wait() -> None:
    async def scene() -> float:
        patient = [asyncio.create_task(_seconds((LocalRateLimiter(), _request()))) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError) as caught:
            await LocalRateLimiter(wait=False).acquire(_request())
        await asyncio.gather(*patient)
        return caught.value.retry_after

    assert run(scene()) == pytest.approx(0.5, rel=0.1)


def test_rates_show_the_believed_and_used_rate_and_the_queue() -> None:
    async def scene() -> tuple[dict[str, RateStatus], dict[str, RateStatus]]:
        limiter, clock = LocalRateLimiter(), SystemClock()
        quotas = {_START: Quota(20, 20, ""), "DescribeStreamProcessor": Quota(5, 5, "")}
        permit = await limiter.acquire(_request(quota=quotas[_START]))
        waiting = [asyncio.create_task(limiter.acquire(_request(quota=quotas[_START]))) for _ in range(40)]
        await asyncio.sleep(0.01)
        before = limiter.rates(_SCOPE, quotas, clock)
        permit.throttled()
        after = limiter.rates(_SCOPE, quotas, clock)
        await asyncio.gather(*waiting)
        return before, after

    before, after = run(scene())
    assert before == {
        _START: RateStatus(believed_rate=20, used_rate=20, queue_length=40),
        "DescribeStreamProcessor": RateStatus(believed_rate=5, used_rate=5, queue_length=0),
    }
    assert after[_START] == RateStatus(believed_rate=20, used_rate=15, queue_length=40)


def test_rates_name_the_account_that_the_limiter_names() -> None:
    async def scene() -> float:
        limiter, quota = LocalRateLimiter(account="ours"), Quota(20, 20, "")
        (await limiter.acquire(_request(quota=quota))).throttled()
        return limiter.rates(_SCOPE, {_START: quota}, SystemClock())[_START].used_rate

    assert run(scene()) == 15


def test_decrease_and_recovery_are_logged_with_both_rates(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        limiter, request = LocalRateLimiter(), _request(quota=Quota(20, 20, ""))
        (await limiter.acquire(request)).throttled()
        await asyncio.sleep(1)
        await limiter.acquire(request)
        await asyncio.sleep(1.1)
        for _ in range(3):
            await limiter.acquire(request)

    with caplog.at_level(logging.INFO, logger="aiorekostream"):
        run(scene())
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("aiorekostream", "INFO", "StartStreamProcessor: rate decreased from 20 to 15 calls/s after a throttle"),
        ("aiorekostream", "INFO", "StartStreamProcessor: rate recovered from 15 to 20 calls/s"),
    ]
    fields = [
        {key: vars(record)[key] for key in ("operation", "rate_before", "rate_after")} for record in caplog.records
    ]
    assert fields == [
        {"operation": _START, "rate_before": 20, "rate_after": 15},
        {"operation": _START, "rate_before": 15, "rate_after": 20},
    ]


def test_small_decreases_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A client that uses the whole quota is throttled every few seconds."""

    async def scene() -> None:
        limiter, request = LocalRateLimiter(), _request(quota=Quota(20, 20, ""))
        for number in range(200):
            permit = await limiter.acquire(request)
            permit.throttled() if number % 40 == 39 else permit.allowed()

    with caplog.at_level(logging.INFO, logger="aiorekostream"):
        run(scene())
    assert caplog.records == []


def test_permit_may_be_reported_after_its_queue_is_gone() -> None:
    async def scene() -> None:
        limiter = LocalRateLimiter()
        permits = await asyncio.gather(*(limiter.acquire(_request()) for _ in range(3)))
        gc.collect()
        permits[0].allowed()
        permits[1].throttled()
        permits[2].cancel()

    run(scene())
