"""The watcher of the examples: it starts a session for each camera, and logs what it sees."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.emulator import Appearance, Emulator, Footage, ManualClock, Timings
from examples.watch_cameras import serve
from tests.emulator.aws_services import KEY, queue_url
from tests.emulator.clients import until
from tests.emulator.samples import labels
from tests.examples.stage import complete_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

FOOTAGE = Footage([Appearance(rks.Label.PERSON, at=2), Appearance(rks.Label.PACKAGE, at=9)])


async def _cameras() -> AsyncIterator[str]:
    for camera in ("door", "hall", "attic"):
        yield camera


async def test_watcher_logs_what_each_camera_sees(caplog: pytest.LogCaptureFixture) -> None:
    """There is no camera in the attic, which ends no other session."""
    caplog.set_level(logging.INFO, logger="watch_cameras")
    clock = ManualClock()

    def logged() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "watch_cameras"]

    async with Emulator(clock=clock, footage=FOOTAGE, timings=Timings(detecting=0), quotas=False) as emulator:
        for camera in ("door", "hall"):
            emulator.create_stream_processor(labels(camera), region="us-east-1", access_key=KEY)
        client = rks.Client(region="us-east-1", endpoint_url=emulator.url, clock=clock, rate_limiter=None)
        consumer = results.SqsConsumer(await queue_url(emulator.url), region="us-east-1")
        watching = asyncio.create_task(serve(client, consumer, _cameras()))
        async with asyncio.timeout(120):
            await until(lambda: len([call for call in emulator.calls if call.operation == "StartStreamProcessor"]) == 3)
            await complete_calls()  # an event that came before its session is known would be released for some time
            clock.advance(30)
            await until(lambda: len(logged()) == 5)  # the consumer receives in real time
            await until(lambda: consumer.report.delivered == 6)
            clock.advance(5)
            await watching
    lines = logged()
    assert lines[0].startswith("attic: ")
    assert sorted(lines[1:5]) == ["door: PACKAGE", "door: PERSON", "hall: PACKAGE", "hall: PERSON"]
    assert sorted(line.partition(" ")[0] for line in lines[5:]) == ["door:", "hall:"]
    assert consumer.report.acknowledged == 6
