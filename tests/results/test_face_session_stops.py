"""How the session of a face search ends: it stops the processor, whatever became of the block; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.emulator import Timings
from tests.fleet.service import FAILURE, START, STOP, Service, leave, run
from tests.results.face_searches import BEGIN, DENIED, Lobbies, Reader, moments
from tests.virtual_time import now


async def _raise(lobbies: Lobbies, error: Exception) -> None:
    """Raise in the block of a session."""
    async with lobbies.consumer() as consumer, lobbies.session(consumer):
        await asyncio.sleep(5)
        raise error


# ------------------------------------------------------------------------------------------------------------- the stop


def test_processor_is_stopped_when_the_block_raises() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await _raise(lobbies, ZeroDivisionError())
        assert lobbies.service.status("lobby") is rks.Status.STOPPED

    run(main())


@pytest.mark.parametrize("after", [0.5, 30])
def test_processor_is_stopped_when_the_block_is_cancelled(after: float) -> None:
    """After half a second, it is still STARTING."""
    lobbies = Lobbies(service=Service(timings=Timings(starting=2)))

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            reader = Reader(lobbies, consumer)
            await leave(reader.read(), after=after)
            assert lobbies.service.status("lobby") is rks.Status.STOPPED
            assert reader.session.result is not None

    run(main())


def test_processor_is_stopped_when_the_consumer_has_failed() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            reading = asyncio.create_task(Reader(lobbies, consumer).read())
            await asyncio.sleep(5)
            lobbies.stream.answer = lambda _, __: DENIED
            with pytest.raises(rks.AccessDeniedError):
                await reading
        assert lobbies.service.status("lobby") is rks.Status.STOPPED

    run(main())


def test_records_that_come_during_the_stop_are_not_lost() -> None:
    lobbies = Lobbies(service=Service(timings=Timings(stopping=10)))

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        async with lobbies.consumer() as consumer, lobbies.router(consumer) as router:
            async with lobbies.session(router):
                lobbies.later(8, lobbies.put, 103)
                await asyncio.sleep(5)
            await asyncio.sleep(1)
            assert moments(lobbies.unclaimed) == [103]
            assert not consumer.report.unacknowledged

    run(main())


# -------------------------------------------------------------------------------------------- the end before the stop


def test_iteration_ends_when_another_client_stops_the_processor() -> None:
    """Nothing is stopped then: another client may have begun a session meanwhile."""
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        async with lobbies.consumer() as consumer:
            reader = Reader(lobbies, consumer)
            lobbies.service.act(STOP, "lobby", after=10)
            lobbies.later(14, lobbies.put, BEGIN + 9)
            async with asyncio.timeout(10 + 5 + 5 + 5):
                await reader.read()
            assert moments(reader.records) == [BEGIN + 9]
        assert reader.session.result is not None
        assert reader.session.result.status is rks.Status.STOPPED
        assert lobbies.service.count(STOP) == 0

    run(main())


def test_session_of_another_client_after_the_end_goes_on() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            async with lobbies.session(consumer) as session:
                lobbies.service.act(STOP, "lobby", after=10)
                async for _ in session:
                    pass
                lobbies.service.act(START, "lobby")
            await asyncio.sleep(10)
        assert lobbies.service.status("lobby") is rks.Status.RUNNING

    run(main())


@pytest.mark.parametrize("is_seen", [True, False])
def test_session_that_has_failed_is_not_stopped(*, is_seen: bool) -> None:
    """The poll shows the failure, or the block is left before it does."""
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            reader = Reader(lobbies, consumer)
            reading = asyncio.create_task(reader.read())
            await asyncio.sleep(21)
            lobbies.service.fail("lobby")
            if is_seen:
                await reading
            else:
                await consumer.stop()
                await reading
        result = reader.session.result
        assert result is not None
        assert result.is_failed
        assert result.status_message == FAILURE
        assert lobbies.service.count(STOP) == 0

    run(main())


def test_session_of_a_deleted_processor_ends_without_a_status() -> None:
    lobbies = Lobbies(service=Service(timings=Timings(stopping=0.1, deleting=0.1)))

    async def main() -> None:
        async with lobbies.consumer() as consumer, lobbies.session(consumer) as session:
            await asyncio.sleep(4.5)
            lobbies.service.act(STOP, "lobby")
            lobbies.service.act("DeleteStreamProcessor", "lobby", after=1)
            await asyncio.sleep(2)
        assert session.result is not None
        assert session.result.status is None
        assert lobbies.service.count(STOP) == 0

    run(main())


# ---------------------------------------------------------------------------------------------------- stops that fail


def test_stop_that_fails_is_raised_with_a_note() -> None:
    lobbies = Lobbies()

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            session = lobbies.session(consumer)
            await session.__aenter__()
            await asyncio.sleep(5)
            lobbies.deny_after(STOP)
            with pytest.raises(errors.RekostreamError) as caught:
                await session.__aexit__(None, None, None)
            assert caught.value.__notes__ == ["the session was left, and lobby may still run"]
            assert session.result is None

    run(main())


def test_stop_that_fails_is_logged_when_the_block_has_raised(caplog: pytest.LogCaptureFixture) -> None:
    lobbies = Lobbies()

    async def main() -> None:
        lobbies.later(3, lobbies.deny_after, STOP)
        with pytest.raises(ZeroDivisionError):
            await _raise(lobbies, ZeroDivisionError())

    run(main())
    assert "lobby may still run" in caplog.text


@pytest.mark.parametrize("latency", [0.05, 15])
def test_stop_takes_no_longer_than_its_timeout(latency: float) -> None:
    """The processor is STOPPING without end, and calls may be slow."""
    lobbies = Lobbies(service=Service(timings=Timings(stopping=10_000)))

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            session = lobbies.session(consumer, stop_timeout=20)
            await session.__aenter__()
            await asyncio.sleep(4)
            lobbies.service.latency = latency
            begun_at = now()
            with pytest.raises(rks.UnknownOutcomeError, match="not seen at rest within 20 s"):
                await session.__aexit__(None, None, None)
            assert now() == begun_at + 20

    run(main())


def test_stop_that_is_cancelled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    lobbies = Lobbies(service=Service(timings=Timings(stopping=10_000)))

    async def main() -> None:
        async with lobbies.consumer() as consumer:
            reading = asyncio.create_task(Reader(lobbies, consumer).read())
            for _ in range(2):
                await asyncio.sleep(5)
                reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert now() < 11

    run(main())
    assert "the stop of lobby was cancelled: the processor may still run" in caplog.text
