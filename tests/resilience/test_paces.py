"""Who shares a quota with whom, and pacing that does not wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUOTA = rks.Quota(10, 1, "")


def _call(
    *, account: str = "a", region: str = "us-east-1", operation: str = "StartStreamProcessor", quota: rks.Quota = _QUOTA
) -> rks.PacedCall:
    return rks.PacedCall(
        scope=rks.Scope(endpoint="https://there", region=region, account=account),
        operation=operation,
        quota=quota,
        since=asyncio.get_running_loop().time(),
        urgent=False,
        clock=SystemClock(),
    )


async def _seconds(*calls: tuple[rks.Pacing, rks.PacedCall]) -> float:
    """How long it takes until all of them are let through."""
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*(pacing.admit(call) for pacing, call in calls))
    return asyncio.get_running_loop().time() - begun


def test_every_pacing_of_the_same_account_and_region_draws_on_the_same_quota() -> None:
    async def scene() -> float:
        return await _seconds((rks.LocalPacing(), _call()), (rks.LocalPacing(), _call()))

    assert run(scene()) >= 0.1


@pytest.mark.parametrize("other", ["account", "region", "operation"])
def test_other_accounts_regions_and_operations_have_quotas_of_their_own(other: str) -> None:
    async def scene() -> float:
        theirs = {
            "account": _call(account="b"),
            "region": _call(region="eu-west-1"),
            "operation": _call(operation="StopStreamProcessor"),
        }
        return await _seconds((rks.LocalPacing(), _call()), (rks.LocalPacing(), theirs[other]))

    assert run(scene()) == 0


def test_access_keys_of_one_account_share_a_quota_when_the_account_is_named() -> None:
    async def scene() -> tuple[float, float]:
        named = rks.LocalPacing(account="ours")
        together = await _seconds((named, _call(account="key-1")), (named, _call(account="key-2")))
        elsewhere = await _seconds((named, _call(account="key-1", region="eu-west-1")))
        return together, elsewhere

    together, elsewhere = run(scene())
    assert together >= 0.1
    assert elsewhere == 0


def test_clients_that_name_different_quotas_get_no_new_burst_from_one_another() -> None:
    async def scene() -> float:
        quotas = [rks.Quota(20, 20, ""), rks.Quota(10, 10, "")] * 50
        return await _seconds(*((rks.LocalPacing(), _call(quota=quota)) for quota in quotas))

    assert run(scene()) >= (100 - 20) / 20


def test_a_quota_that_is_told_later_is_followed() -> None:
    async def scene() -> float:
        await rks.LocalPacing().admit(_call(quota=rks.Quota(0.01, 1, "")))
        return await _seconds(*((rks.LocalPacing(), _call(quota=rks.Quota(20, 20, ""))) for _ in range(20)))

    assert run(scene()) <= 1.5


async def _is_let_through(quota: rks.Quota) -> bool:
    try:
        await rks.LocalPacing(wait=False).admit(_call(quota=quota))
    except rks.RateLimitedError:
        return False
    return True


def test_event_loops_one_after_the_other_draw_on_the_same_quota() -> None:
    """As in a Lambda function that runs a new loop for each event."""
    slow = rks.Quota(0.001, 1, "")
    assert [asyncio.run(_is_let_through(slow)) for _ in range(3)] == [True, False, False]


def test_what_one_event_loop_has_learnt_the_next_one_knows() -> None:
    quota = rks.Quota(20, 20, "")

    async def refused() -> None:
        (await rks.LocalPacing().admit(_call(quota=quota))).throttled()

    async def delay() -> float:
        with pytest.raises(rks.RateLimitedError) as caught:
            await rks.LocalPacing(wait=False).admit(_call(quota=quota))
        return caught.value.retry_after

    asyncio.run(refused())
    assert asyncio.run(delay()) > 0.1  # nothing was let through: far less than 20 a second are believed in now


def test_event_loops_of_several_threads_draw_on_the_same_quota() -> None:
    slow = rks.Quota(0.001, 1, "")
    ready = threading.Barrier(8)

    def one(_: int) -> bool:
        ready.wait()
        return asyncio.run(_is_let_through(slow))

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 1


def test_an_event_loop_with_a_time_of_its_own_has_quotas_of_its_own() -> None:
    slow = rks.Quota(0.001, 1, "")
    assert [run(_is_let_through(slow)) for _ in range(3)] == [True, True, True]


def test_every_event_loop_has_gates_of_its_own_which_end_with_it() -> None:
    async def scene() -> weakref.ref[asyncio.AbstractEventLoop]:
        assert await _seconds((rks.LocalPacing(), _call())) == 0
        return weakref.ref(asyncio.get_running_loop())

    references = [run(scene()) for _ in range(3)]
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]


def test_pacing_that_does_not_wait_fails_at_once_and_says_when() -> None:
    async def scene() -> rks.RateLimitedError:
        pacing, loop = rks.LocalPacing(wait=False), asyncio.get_running_loop()
        await pacing.admit(_call())
        with pytest.raises(rks.RateLimitedError) as caught:
            await pacing.admit(_call())
        assert loop.time() == 0
        return caught.value

    error = run(scene())
    assert (error.retry_safe, error.attempts, error.operation) == (True, 0, "StartStreamProcessor")
    assert error.retry_after == pytest.approx(0.1, rel=0.1)
    assert "10 calls a second" in str(error)


def test_pacing_that_does_not_wait_lets_a_burst_through_at_once() -> None:
    async def scene() -> int:
        return sum([await _is_let_through(rks.Quota(20, 20, "")) for _ in range(30)])

    assert run(scene()) == 17  # all but a tenth and one


@pytest.mark.parametrize("rate", [0.3, 1.0, 7.0, 20.0])
def test_the_time_that_it_says_is_true(rate: float) -> None:
    async def scene() -> int:
        pacing, refused = rks.LocalPacing(wait=False), 0
        quota = rks.Quota(rate, 3, "")
        for _ in range(200):
            try:
                await pacing.admit(_call(quota=quota))
            except rks.RateLimitedError as error:
                refused += 1
                await asyncio.sleep(error.retry_after * 0.99)
                with pytest.raises(rks.RateLimitedError):
                    await pacing.admit(_call(quota=quota))
                await asyncio.sleep(error.retry_after * 0.01)
                await pacing.admit(_call(quota=quota))
        return refused

    assert run(scene()) >= 100


def test_pacing_that_does_not_wait_stands_behind_those_that_do() -> None:
    async def scene() -> float:
        patient = [asyncio.create_task(_seconds((rks.LocalPacing(), _call()))) for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(rks.RateLimitedError) as caught:
            await rks.LocalPacing(wait=False).admit(_call())
        await asyncio.gather(*patient)
        return caught.value.retry_after

    assert run(scene()) == pytest.approx(0.5, rel=0.1)


@attrs.define
class _Counting:
    """A pacing of the user's own, such as one that asks another machine."""

    asked: list[str] = attrs.field(factory=list)
    refusals: int = 0
    passes: int = 0

    async def admit(self, call: rks.PacedCall) -> rks.Admission:
        self.asked.append(call.operation)
        return self

    def passed(self) -> None:
        self.passes += 1

    def throttled(self) -> None:
        self.refusals += 1


def test_a_pacing_of_one_s_own_is_asked_before_each_attempt_and_told_what_came_of_it() -> None:
    pacing = _Counting()
    throttled = rks.ThrottlingError("", operation="S", code="ThrottlingException", http_status=400, retry_safe=True)
    answers: list[Mapping[str, object] | Exception] = [throttled, throttled, {}]
    transport = rks.MemoryTransport(lambda _operation, _body: answers.pop(0))
    run(rks.Client(transport=transport, pacing=pacing).stop_stream_processor("lobby"))
    assert pacing.asked == ["StopStreamProcessor"] * 3
    assert (pacing.refusals, pacing.passes) == (2, 1)


def test_a_pacing_is_told_that_a_refused_call_was_let_through_and_nothing_of_one_that_was_lost() -> None:
    pacing = _Counting()
    busy = rks.ResourceInUseError("", operation="S", code="ResourceInUseException", http_status=400, retry_safe=True)
    lost = rks.ConnectionLostError("reset", operation="DescribeStreamProcessor", retry_safe=True)
    answers: list[Exception] = [lost, busy]
    transport = rks.MemoryTransport(lambda _operation, _body: answers.pop(0))
    with pytest.raises(rks.ResourceInUseError):
        run(rks.Client(transport=transport, pacing=pacing).describe_stream_processor("lobby"))
    assert (len(pacing.asked), pacing.refusals, pacing.passes) == (2, 0, 1)


def test_without_pacing_calls_are_sent_at_once() -> None:
    async def scene() -> float:
        client = rks.Client(transport=rks.MemoryTransport(lambda _operation, _body: {}), pacing=None)
        await asyncio.gather(*(client.stop_stream_processor("lobby") for _ in range(50)))
        return asyncio.get_running_loop().time()

    assert run(scene()) == 0
