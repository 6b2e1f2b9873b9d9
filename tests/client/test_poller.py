"""What the poller lives through: bad luck, bad company, and whoever comes and goes meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import attrs

from aiorekostream import errors
from aiorekostream.client.waiting import Watcher
from aiorekostream.clock import SystemClock
from aiorekostream.domain.status import Status
from aiorekostream.emulator.timings import Timings
from tests.client.test_waiting import _ROOMY, _now, _outcome
from tests.client.virtual_aws import VirtualAws
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping


@contextlib.asynccontextmanager
async def _over_just_then() -> AsyncGenerator[None]:
    yield
    raise TimeoutError


class _UnluckyClock(SystemClock):
    """The time of seven seconds is over in the very moment in which what was waited for comes."""

    def timeout_at(self, moment: float) -> contextlib.AbstractAsyncContextManager[object]:
        return _over_just_then() if moment == 7 else super().timeout_at(moment)


def test_what_came_in_the_last_moment_has_come_in_time() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        watcher = Watcher(attrs.evolve(aws.pipeline, clock=_UnluckyClock()))
        assert (await watcher.until_running("lobby", timeout=7)).status is Status.RUNNING

    run(main())


def test_a_poller_that_ends_badly_does_not_take_its_successor_s_waits_along() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30)]
        aws.faces(*names, started=True)

        async def handler(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
            try:
                return await aws._answer(operation, body)
            except asyncio.CancelledError:
                raise errors.ConfigurationError("closed while it was cancelled") from None

        aws.transport.handler = handler
        watcher = Watcher(aws.pipeline)
        waits = [asyncio.create_task(watcher.until_running(name)) for name in names]
        await asyncio.sleep(0.03)
        for wait in waits:
            wait.cancel()
        await asyncio.sleep(0)
        found = await asyncio.gather(*(watcher.until_running(name) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}

    run(main())


def test_whoever_tries_again_at_once_after_an_error_for_all_is_looked_at() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n}" for n in range(30)]
        aws.faces(*names, started=True)
        aws.meddle = lambda _operation, _body: errors.ConfigurationError("for a moment") if _now() < 1 else None
        watcher = Watcher(aws.pipeline)

        async def wait(name: str) -> float:
            while True:
                try:
                    await watcher.until_running(name)
                except errors.ConfigurationError:
                    continue
                return _now()

        assert max(await asyncio.gather(*map(wait, names))) < 5

    run(main())


def test_a_single_look_that_was_lost_is_repeated() -> None:
    async def main() -> None:
        unreadable = errors.MalformedResponseError([], operation="DescribeStreamProcessor")
        aws = VirtualAws(meddle=lambda _operation, _body: unreadable if _now() < 1 else None)
        aws.faces("lobby", started=True)
        _, moment = await _outcome(Watcher(aws.pipeline).until_running("lobby", timeout=30))
        assert moment < 6

    run(main())


def test_a_refusal_is_told_to_those_only_who_waited_before_the_question_was_asked() -> None:
    async def main() -> None:
        denied = errors.AccessDeniedError("", operation="D", code="AccessDeniedException", http_status=400)
        aws = VirtualAws(meddle=lambda _operation, _body: denied if _now() < 0.05 else None)
        aws.faces("lobby", started=True)
        watcher = Watcher(aws.pipeline)
        early = asyncio.create_task(_outcome(watcher.until_running("lobby")))
        await asyncio.sleep(0.04)  # the refusal is on its way
        late, _ = await _outcome(watcher.until_running("lobby"))
        assert getattr(late, "status", late) is Status.RUNNING
        assert isinstance((await early)[0], errors.AccessDeniedError)

    run(main())


def test_a_later_page_of_a_sweep_counts_for_whoever_joined_before_it_was_asked_for() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = [f"camera-{n:04}" for n in range(2000)]
        aws.faces(*names, started=True)
        await asyncio.sleep(5)
        watcher = Watcher(aws.pipeline)
        waits = [asyncio.create_task(watcher.until_stopped(name, timeout=10)) for name in names[:20]]
        await asyncio.sleep(0.03)
        _, moment = await _outcome(watcher.until_running(names[-1]))
        assert moment < 5.2
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)

    run(main())


def test_trouble_that_is_over_is_not_the_cause_of_a_timeout() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(timings=Timings(starting=1000), meddle=lambda _operation, _body: gone if _now() < 65 else None)
        aws.faces("lobby", started=True)
        error, _ = await _outcome(Watcher(aws.pipeline).until_running("lobby", timeout=200))
        assert isinstance(error, errors.WaitTimeoutError)
        assert error.status == "STARTING"
        assert error.__cause__ is not gone

    run(main())


def test_waits_that_are_cancelled_as_they_come_true_disturb_no_other() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        await asyncio.sleep(3)

        def chance() -> float:  # asked for just before the result of a look is told
            for wait in waits[:8]:
                wait.cancel()
            return 0.5

        watcher = Watcher(attrs.evolve(aws.pipeline, random=chance))
        waits = [asyncio.create_task(watcher.until_running("lobby")) for _ in range(16)]
        for wait in waits[8:]:
            assert (await wait).status is Status.RUNNING

    run(main())


def test_whoever_joins_later_need_not_wait_for_the_next_look_at_another() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby")
        aws.faces("hall", started=True)
        watcher = Watcher(aws.pipeline)
        first = asyncio.create_task(_outcome(watcher.until_running("lobby", timeout=40)))
        await asyncio.sleep(20.1)
        _, moment = await _outcome(watcher.until_running("hall"))
        assert moment - 20.1 < 0.2
        await first

    run(main())


def test_trouble_of_earlier_waits_is_not_the_cause_of_later_timeouts() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="DescribeStreamProcessor", retry_safe=True)
        aws = VirtualAws(meddle=lambda _operation, _body: gone)
        watcher = Watcher(aws.pipeline)
        first, _ = await _outcome(watcher.until_running("lobby", timeout=100))
        assert isinstance(first, errors.WaitTimeoutError)
        assert first.__cause__ is gone
        second, _ = await _outcome(watcher.until_running("lobby", timeout=0.01))
        assert isinstance(second, errors.WaitTimeoutError)
        assert second.__cause__ is not gone

    run(main())
