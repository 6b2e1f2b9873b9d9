"""The poller under errors, cancellations and waits that join or leave while it polls."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from typing import TYPE_CHECKING

import attrs

from aiorekostream import errors
from aiorekostream.client import Client
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.clock import SystemClock
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Timings
from aiorekostream.testing import MemoryTransport
from tests.client.test_wait import _ROOMY, _now, _outcome
from tests.client.virtual_aws import VirtualAws
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import pytest

    from aiorekostream.domain.responses import StreamProcessorSummary
    from aiorekostream.testing import Reply


@contextlib.asynccontextmanager
async def _over_just_then() -> AsyncGenerator[None]:
    yield
    raise TimeoutError


class _UnluckyClock(SystemClock):
    """The time of seven seconds is over in the very moment in which what was waited for comes."""

    def timeout_at(self, moment: float) -> contextlib.AbstractAsyncContextManager[object]:
        return _over_just_then() if moment == 7 else super().timeout_at(moment)


def test_observation_at_the_timeout_wins() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        waits = Poller(attrs.evolve(aws.pipeline, clock=_UnluckyClock()))
        assert (await waits.until(WaitCondition.RUNNING, "lobby", timeout=7)).status is Status.RUNNING

    run(main())


def test_poller_that_fails_late_leaves_its_successor_alone() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30)]
        aws.faces(*names, started=True)

        async def handler(operation: str, body: Mapping[str, object]) -> Reply | Mapping[str, object] | Exception:
            try:
                return await aws.answer(operation, body)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)  # until others wait
                raise errors.ConfigurationError("closed while it was cancelled") from None

        aws.transport.handler = handler
        waits = Poller(aws.pipeline)
        tasks = [asyncio.create_task(waits.until(WaitCondition.RUNNING, name)) for name in names]
        await asyncio.sleep(0.03)
        for wait in tasks:
            wait.cancel()
        await asyncio.sleep(0)
        found = await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}

    run(main())


def test_wait_repeated_after_an_error_for_all_is_polled() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30)]
        aws.faces(*names, started=True)
        aws.meddle = lambda _operation, _body: errors.ConfigurationError("for a moment") if _now() < 1 else None
        waits = Poller(aws.pipeline)

        async def wait(name: str) -> float:
            while True:
                try:
                    await waits.until(WaitCondition.RUNNING, name)
                except errors.ConfigurationError:
                    continue
                return _now()

        assert max(await asyncio.gather(*map(wait, names))) < 5

    run(main())


def test_lost_poll_is_repeated() -> None:
    async def main() -> None:
        unreadable = errors.MalformedResponseError([], operation="DescribeStreamProcessor")
        aws = VirtualAws(meddle=lambda _operation, _body: unreadable if _now() < 1 else None)
        aws.faces("lobby", started=True)
        _, moment = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby", timeout=30))
        assert moment < 6

    run(main())


def test_refusal_ends_only_waits_that_began_before_the_poll() -> None:
    async def main() -> None:
        refusal = errors.InvalidParameterError("", operation="D", code="InvalidParameterException", http_status=400)
        aws = VirtualAws(meddle=lambda _operation, _body: refusal if _now() < 0.05 else None)
        aws.faces("lobby", started=True)
        waits = Poller(aws.pipeline)
        early = asyncio.create_task(_outcome(waits.until(WaitCondition.RUNNING, "lobby")))
        await asyncio.sleep(0.04)  # the refusal is on its way
        late, _ = await _outcome(waits.until(WaitCondition.RUNNING, "lobby"))
        assert getattr(late, "status", late) is Status.RUNNING
        assert isinstance((await early)[0], errors.InvalidParameterError)

    run(main())


def test_later_page_counts_for_a_wait_that_began_before_it() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n:04}" for n in range(2000)]
        aws.faces(*names, started=True)
        await asyncio.sleep(5)
        waits = Poller(aws.pipeline)
        tasks = [asyncio.create_task(waits.until(WaitCondition.STOPPED, name, timeout=10)) for name in names[:20]]
        await asyncio.sleep(0.03)
        _, moment = await _outcome(waits.until(WaitCondition.RUNNING, names[-1]))
        assert moment < 5.2
        for wait in tasks:
            wait.cancel()
        await asyncio.wait(tasks)

    run(main())


def test_error_that_has_passed_is_not_the_cause_of_a_timeout() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(timings=Timings(starting=1000), meddle=lambda _operation, _body: gone if _now() < 65 else None)
        aws.faces("lobby", started=True)
        error, _ = await _outcome(Poller(aws.pipeline).until(WaitCondition.RUNNING, "lobby", timeout=200))
        assert isinstance(error, errors.WaitTimeoutError)
        assert error.status == "STARTING"
        assert error.__cause__ is not gone

    run(main())


def test_waits_cancelled_as_they_end_disturb_no_other() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        await asyncio.sleep(3)

        def chance() -> float:  # asked for just before the result of a poll is recorded
            for wait in tasks[:8]:
                wait.cancel()
            return 0.5

        waits = Poller(attrs.evolve(aws.pipeline, random=chance))
        tasks = [asyncio.create_task(waits.until(WaitCondition.RUNNING, "lobby")) for _ in range(16)]
        for wait in tasks[8:]:
            assert (await wait).status is Status.RUNNING

    run(main())


def test_new_wait_is_polled_while_another_is_not_due() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby")
        aws.faces("hall", started=True)
        waits = Poller(aws.pipeline)
        first = asyncio.create_task(_outcome(waits.until(WaitCondition.RUNNING, "lobby", timeout=40)))
        await asyncio.sleep(20.1)
        _, moment = await _outcome(waits.until(WaitCondition.RUNNING, "hall"))
        assert moment - 20.1 < 0.2
        await first

    run(main())


def test_error_of_earlier_waits_is_not_the_cause_of_later_timeouts() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(meddle=lambda _operation, _body: gone)
        waits = Poller(aws.pipeline)
        first, _ = await _outcome(waits.until(WaitCondition.RUNNING, "lobby", timeout=100))
        assert isinstance(first, errors.WaitTimeoutError)
        assert first.__cause__ is gone
        second, _ = await _outcome(waits.until(WaitCondition.RUNNING, "lobby", timeout=0.01))
        assert isinstance(second, errors.WaitTimeoutError)
        assert second.__cause__ is not gone

    run(main())


def test_waits_in_a_closed_loop_are_dropped_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python destroys the tasks that the loop has left behind, which can wake no wait any more."""
    raised: list[BaseException | None] = []

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        raised.append(unraisable.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", hook)

    async def answer(_operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(0)
        return {"Name": body["Name"], "StreamProcessorArn": "arn", "Status": "STARTING"}

    async def begin(client: Client) -> list[asyncio.Task[StreamProcessorSummary]]:
        waits = [asyncio.create_task(client.wait_until_running("lobby")) for _ in range(3)]
        await asyncio.sleep(0.1)
        return waits

    loop = asyncio.new_event_loop()
    waits = loop.run_until_complete(begin(Client(transport=MemoryTransport(answer))))
    loop.close()
    assert not any(wait.done() for wait in waits)
    waits.clear()
    gc.collect()
    assert raised == []
