"""Starts of face searches that are cancelled: what was begun is stopped; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

import aiorekostream as rks
from aiorekostream.emulator import Timings
from tests.fleet.service import START, Service, leave, run
from tests.results.face_searches import Lobbies
from tests.virtual_time import now


def test_processor_is_stopped_when_the_start_is_cancelled_on_its_way() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        lobbies.service.latency = 6
        async with lobbies.consumer() as consumer:
            await leave(lobbies.session(consumer).__aenter__(), after=7)
            assert lobbies.service.count(START) == 1
            assert lobbies.service.status("lobby") is rks.Status.STOPPED

    run(main())


def test_start_that_is_cancelled_and_refused_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The session is that of another client."""
    lobbies = Lobbies()

    async def main() -> None:
        lobbies.service.latency = 6
        lobbies.service.start_all()
        async with lobbies.consumer() as consumer:
            await leave(lobbies.session(consumer).__aenter__(), after=7)
        assert lobbies.service.status("lobby") is rks.Status.RUNNING

    run(main())
    assert not caplog.text


def test_start_that_is_cancelled_before_it_is_sent_is_not_sent() -> None:
    """It waits for its permit."""
    lobbies = Lobbies()

    async def main() -> None:
        client = lobbies.service.client()
        async with lobbies.consumer() as consumer, asyncio.TaskGroup() as group:
            await lobbies.start_others(client, group)
            await leave(lobbies.session(consumer, client=client).__aenter__(), after=1)
            assert now() < 2
        assert lobbies.service.starts("lobby") == []

    run(main())


@pytest.mark.parametrize("is_answered", [True, False])
def test_start_that_is_cancelled_with_an_unknown_outcome_is_logged(
    caplog: pytest.LogCaptureFixture, *, is_answered: bool
) -> None:
    """The service does not tell what became of it, or does not answer at all."""
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            session = lobbies.session(consumer, stop_timeout=10)
            lobbies.service.latency = 4
            if is_answered:
                lobbies.deny_after(START)
            else:
                lobbies.later(5, setattr, lobbies.service, "latency", 10_000)
            await leave(session.__aenter__(), after=6)
            assert now() == pytest.approx(8 if is_answered else 16)

    run(main())
    assert "the start of lobby was cancelled, and the processor may still run" in caplog.text


def test_start_that_is_cancelled_twice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    lobbies = Lobbies(service=Service(timings=Timings(stopping=10_000)))

    async def main() -> None:
        lobbies.service.latency = 6
        async with lobbies.consumer() as consumer:
            entering = asyncio.ensure_future(lobbies.session(consumer).__aenter__())
            for _ in range(2):
                await asyncio.sleep(10)
                entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
            assert now() < 21

    run(main())
    assert "the start of lobby was cancelled, and the processor may still run: CancelledError()" in caplog.text
