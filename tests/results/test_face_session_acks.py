"""What becomes of the records that a session of a face search does not claim, or releases; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from aiorekostream import results
from aiorekostream.results import FaceSearchRecord, MemoryCheckpoints
from tests.fleet.service import run
from tests.results.face_searches import BEGIN, Lobbies, moments, next_moments
from tests.results.kinesis.consumers import position_after, saved_positions


def test_unclaimed_record_does_not_hold_the_checkpoint() -> None:
    lobbies, checkpoints = Lobbies(), MemoryCheckpoints()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.put(5, 6)
        lobbies.put(BEGIN, name="yard")
        last = lobbies.stream.put(lobbies.stream.only, b"junk")[0]
        async with lobbies.consumer(checkpoints=checkpoints) as consumer, lobbies.session(consumer):
            await asyncio.sleep(5)
            assert not consumer.report.unacknowledged
            assert (consumer.report.released, consumer.report.malformed) == (0, 1)
            assert await saved_positions(checkpoints) == [position_after(last)]

    run(main())


def test_unclaimed_record_comes_again_when_its_handler_raises() -> None:
    lobbies = Lobbies()
    failures = [ZeroDivisionError()]

    async def take(record: FaceSearchRecord) -> None:
        await lobbies.take(record)
        if failures:
            raise failures.pop()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        lobbies.put(5)
        async with lobbies.consumer() as consumer, results.SessionRouter(consumer, on_unclaimed=take):
            await asyncio.sleep(0.5)
            assert consumer.report.unacknowledged
            await asyncio.sleep(5)
            assert not consumer.report.unacknowledged
        assert moments(lobbies.unclaimed) == [5, 5]

    run(main())


def test_block_that_raises_leaves_its_record_before_the_checkpoint() -> None:
    """The records from that one on are delivered again after a restart, to ``on_unclaimed``."""
    lobbies, checkpoints = Lobbies(), MemoryCheckpoints()

    async def fail() -> None:
        async with lobbies.consumer(checkpoints=checkpoints) as consumer, lobbies.session(consumer) as session:
            lobbies.put(101, 102, 103)
            assert await next_moments(session, 2) == [101, 102]
            await asyncio.sleep(1)
            raise ZeroDivisionError

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        with pytest.raises(ZeroDivisionError):
            await fail()
        async with lobbies.consumer(checkpoints=checkpoints) as consumer, lobbies.router(consumer):
            await asyncio.sleep(5)
        assert moments(lobbies.unclaimed) == [102, 103]

    run(main())


def test_record_that_a_session_released_is_acknowledged_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """No session claims it any more, and there is no function for it."""
    lobbies = Lobbies()

    async def main() -> None:
        await asyncio.sleep(BEGIN)
        async with lobbies.consumer() as consumer, lobbies.session(consumer, "yard"):
            async with lobbies.session(consumer):
                lobbies.put(101)
                await asyncio.sleep(1)
                assert consumer.report.unacknowledged
            await asyncio.sleep(1)
            assert not consumer.report.unacknowledged

    run(main())
    assert "which a session has released" in caplog.text
