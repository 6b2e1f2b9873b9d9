"""A fleet on a manual clock that it shares with the emulator: time passes only when the test says so."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.emulator import Emulator, ManualClock
from aiorekostream.fleet import SessionEnd
from tests.emulator.samples import labels
from tests.fleet.service import label

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from aiorekostream.fleet import StartOutcome


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the emulator answers over HTTP, and tells no event
            await asyncio.sleep(0)


async def _next(ends: AsyncIterator[SessionEnd]) -> SessionEnd:
    return await anext(ends)


async def test_fleet_on_manual_clock_starts_when_free_and_expires() -> None:
    clock, polls = ManualClock(), 0
    outcomes: list[StartOutcome] = []
    start = label("door", 10)
    late = rks.FleetRequest(start, expires_at=clock.wall() + datetime.timedelta(seconds=12))

    class EmulatorMonitor:
        """Asks the emulator itself, so that a poll takes no time."""

        async def ended(self, names: Collection[str]) -> Collection[str]:
            nonlocal polls
            polls += 1
            at_rest = {each.name for each in emulator.processors if each.status is rks.Status.STOPPED}
            return at_rest & set(names)

    async with (
        Emulator(clock=clock) as emulator,
        rks.Client(region="us-east-1", endpoint_url=emulator.url, clock=clock) as client,
    ):
        await client.create_stream_processor(rks.parse_processor(labels("door")))

        async def collect() -> None:
            fleet = rks.Fleet(client, session_monitor=EmulatorMonitor(), poll_interval=5)
            async with fleet.iter_start([start, start, late]) as run:
                async for outcome in run:
                    outcomes.append(outcome)  # noqa: PERF401 - the test looks at them on the way

        collecting = asyncio.create_task(collect())
        await _until(lambda: len(outcomes) == 1)
        clock.advance(5)
        await _until(lambda: polls == 1)
        assert len(outcomes) == 1, "the processor is busy"
        clock.advance(5)
        await _until(lambda: len(outcomes) == 2)
        clock.advance(2)
        await collecting
    assert [type(outcome) for outcome in outcomes] == [rks.Started, rks.Started, rks.Expired]


async def test_submits_and_session_ends_follow_a_manual_clock() -> None:
    """Busy, then failed and free, then expired: the fleet polls the emulator over HTTP."""
    clock = ManualClock()
    start = label("door", 60)
    async with (
        Emulator(clock=clock) as emulator,
        rks.Client(region="us-east-1", endpoint_url=emulator.url, clock=clock) as client,
    ):
        await client.create_stream_processor(rks.parse_processor(labels("door")))
        async with rks.Fleet(client, poll_interval=5) as fleet:
            ends = fleet.session_ends()
            first = await fleet.submit(start)
            second = asyncio.create_task(fleet.submit(start))
            expires_at = clock.wall() + datetime.timedelta(seconds=12)
            third = asyncio.create_task(fleet.submit(start, expires_at=expires_at))
            emulator.fail("door", "Access denied to Role", after=3)
            end = asyncio.create_task(_next(ends))
            clock.advance(4)
            await asyncio.sleep(0)
            assert not end.done(), "no poll is due"
            clock.advance(1)
            await _until(end.done)
            await _until(second.done)
            assert not third.done(), "the processor is busy again"
            clock.advance(7)
            outcomes = [first, await second, await third]
    assert [type(outcome) for outcome in outcomes] == [rks.Started, rks.Started, rks.Expired]
    assert isinstance(first, rks.Started)
    failed = SessionEnd("door", rks.Status.FAILED, status_message="Access denied to Role", session=first.session)
    assert end.result() == failed
