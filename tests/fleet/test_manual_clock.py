"""A fleet on a manual clock that it shares with the emulator: time passes only when the test says so."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.emulator import Emulator, ManualClock
from tests.emulator.samples import labels
from tests.fleet.service import label

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from aiorekostream.fleet import StartOutcome


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the emulator answers over HTTP, and tells no event
            await asyncio.sleep(0)


async def test_fleet_on_manual_clock_starts_when_free_and_expires() -> None:
    clock, polls = ManualClock(), 0
    outcomes: list[StartOutcome] = []
    start = label("door", 10)
    late = rks.FleetRequest(start, expires_at=clock.wall() + datetime.timedelta(seconds=12))

    class Monitor:
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
            fleet = rks.Fleet(client, session_monitor=Monitor(), poll_interval=5)
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
