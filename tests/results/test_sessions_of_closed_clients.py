"""Close a client before its sessions: each ends with the error, and nothing is polled any more; in virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

import pytest

from aiorekostream import results
from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet import Failed, Fleet
from tests.fleet.service import run
from tests.results.cameras import Cameras, collect, detected, start_of
from tests.virtual_time import now

if TYPE_CHECKING:
    from aiorekostream.testing import MemoryTransport

# Longer than any interval of polls of these tests, in seconds.
AFTERWARDS = 600


async def close(cameras: Cameras) -> None:
    await cast("MemoryTransport", cameras.client.pipeline.transport).aclose()


def test_sessions_raise_when_the_client_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    cameras = Cameras()

    async def main() -> None:
        async with (
            cameras.consumer() as consumer,
            results.SessionRouter(consumer) as router,
            asyncio.TaskGroup() as group,
        ):

            async def read(name: str) -> None:
                async with cameras.session(router, name, seconds=100) as session:
                    with pytest.raises(ConfigurationError, match="transport is closed"):
                        await collect(session)
                    assert now() < 20 + 5
                    assert session.result is None
                    await asyncio.sleep(AFTERWARDS)

            group.create_task(read("door"))
            group.create_task(read("gate"))
            await asyncio.sleep(20)
            await close(cameras)
            calls = cameras.calls.total()
        assert cameras.calls.total() == calls

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not caplog.records


def test_ended_session_yields_late_events_when_the_client_is_closed() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, cameras.session(consumer, linger=30) as session:
            cameras.later(15, cameras.queue.send, detected("door-1"))
            await anext(session)
            await close(cameras)
            assert [event.event_id for event in await collect(session)] == ["door-1/label-1"]

    run(main())


def test_wait_with_events_raises_when_the_client_is_closed() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            session = await cameras.client.start_stream_processor(start_of("door", 100))
            waiting = asyncio.create_task(cameras.client.wait_until_finished(session, events=router))
            await asyncio.sleep(1)
            await close(cameras)
            with pytest.raises(ConfigurationError, match="transport is closed"):
                await waiting

    run(main())


def test_notified_fleet_fails_queued_requests_when_the_client_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    cameras = Cameras(is_lost=lambda _: True)

    async def main() -> None:
        async with cameras.consumer() as consumer, results.SessionRouter(consumer) as router:
            fleet = Fleet(cameras.client, session_monitor=results.NotifiedSessions(cameras.client, router))
            ends = fleet.session_ends()
            await fleet.submit(start_of("door", 100))
            queued = asyncio.create_task(fleet.submit(start_of("door", 100)))
            await asyncio.sleep(1)
            await close(cameras)
            outcome = await queued
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, ConfigurationError)
            with pytest.raises(ConfigurationError, match="transport is closed"):
                await anext(ends)
            assert now() < 10
            await asyncio.sleep(AFTERWARDS)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not caplog.records
