"""Close a client before its fleet: every request and every wait ends, and nothing is polled any more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet import Failed, Fleet, SessionEnd, Started
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import FACE, STOP, label, labels, run, service_of, unlimited_service_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Longer than any session and any interval of polls of these tests, in seconds.
AFTERWARDS = 600


def failure_of(outcome: object) -> str:
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ConfigurationError)
    return str(outcome.error)


async def rest(ends: AsyncIterator[SessionEnd]) -> list[SessionEnd]:
    return [end async for end in ends]


def test_queued_requests_fail_when_the_client_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """They wait for the end of a session, which no poll can see any more."""
    service = service_of(face_searches=1)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))
        assert isinstance(await fleet.submit(FACE), Started)
        queued = [asyncio.create_task(fleet.submit(FACE)) for _ in range(2)]
        await asyncio.sleep(12)
        await transport.aclose()
        closed_at, calls = service.clock.now(), len(transport.calls)
        texts = [failure_of(await each) for each in queued]
        assert texts == ["the transport is closed: create a new client"] * 2
        assert service.clock.now() <= closed_at + 5
        await asyncio.sleep(AFTERWARDS)
        assert len(transport.calls) == calls
        await fleet.aclose()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not caplog.records


def test_dispatched_request_has_its_outcome_when_the_client_is_closed() -> None:
    service = service_of(face_searches=1)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))
        sent = asyncio.create_task(fleet.submit(FACE))
        await asyncio.sleep(service.latency / 2)
        await transport.aclose()
        assert isinstance(await sent, Started)
        failure_of(await fleet.submit(FACE))
        await fleet.aclose()

    run(main())


def test_queued_stops_fail_when_the_client_is_closed() -> None:
    service = service_of(3)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))
        stopping = fleet.iter_stop(["camera-0", "camera-1", "camera-2"])
        await anext(stopping)
        await transport.aclose()
        assert [failure_of(outcome) async for outcome in stopping] == [
            "the transport is closed: create a new client"
        ] * 2
        assert service.count(STOP) == 1

    run(main())


def test_session_ends_raises_when_the_client_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Ends that were seen before are read first, and each iterator of that time has the error."""
    service = unlimited_service_of(1, face_searches=1)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))
        first, second = fleet.session_ends(), fleet.session_ends()
        assert len((await fleet.start([FACE, *labels(1, 5)])).started) == 2
        await asyncio.sleep(30)
        await transport.aclose()
        calls = len(transport.calls)
        assert (await anext(first)).name == "camera-0"
        raised: set[ConfigurationError] = set()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="transport is closed") as caught:
                await anext(first)
            raised.add(caught.value)
        assert len(raised) == 2, "each has a traceback and notes of its own"
        await asyncio.sleep(AFTERWARDS)
        assert (await anext(second)).name == "camera-0"
        with pytest.raises(ConfigurationError, match="transport is closed"):
            await anext(second)
        with pytest.raises(ConfigurationError, match="transport is closed"):
            await anext(fleet.session_ends())
        assert len(transport.calls) == calls
        await fleet.aclose()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert not caplog.records


@pytest.mark.parametrize("verb", ["ensure_running", "ensure_stopped"])
def test_ensure_fails_when_the_client_is_closed(verb: str) -> None:
    service = service_of(face_searches=1)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        fleet = Fleet(service.client(transport=transport))
        ensuring = fleet.ensure_running([FACE]) if verb == "ensure_running" else fleet.ensure_stopped(["face-0"])
        if verb == "ensure_stopped":
            service.start_all()
        ensured = asyncio.create_task(ensuring)
        await asyncio.sleep(1)
        await transport.aclose()
        (outcome,) = await ensured
        failure_of(outcome)

    run(main())


@pytest.mark.parametrize("wait", ["wait_until_running", "wait_until_stopped", "wait_until_finished"])
def test_wait_raises_when_the_client_is_closed(wait: str) -> None:
    service = service_of(1, face_searches=1)
    transport = MemoryTransport(service.answer)

    async def main() -> None:
        client = service.client(transport=transport)
        await client.start_stream_processor(label("camera-0", 100))
        if wait == "wait_until_running":
            await client.start_stream_processor(FACE)
        name = "face-0" if wait == "wait_until_running" else "camera-0"
        waiting = asyncio.create_task(getattr(client, wait)(name))
        await asyncio.sleep(1)
        await transport.aclose()
        with pytest.raises(ConfigurationError, match="transport is closed"):
            await waiting

    run(main())
