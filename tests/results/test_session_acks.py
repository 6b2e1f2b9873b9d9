"""Acknowledgements of a session's events, and what a cancellation leaves behind; in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.fleet.service import run
from tests.results.cameras import Cameras, collect, detected, ids_of
from tests.results.sqs_consumers import VISIBILITY
from tests.virtual_time import now

if TYPE_CHECKING:
    from aiorekostream import results


def test_event_is_acknowledged_when_the_next_is_asked_for() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:
            async with cameras.session(consumer) as session:
                cameras.queue.send(detected("door-1", 1), detected("door-1", 2))
                await anext(session)
                await asyncio.sleep(1)
                assert len(consumer.report.unacknowledged) == 2
                await anext(session)
                await asyncio.sleep(1)
                assert len(consumer.report.unacknowledged) == 1
            await consumer.flush()
            assert consumer.report.acknowledged == 2

    run(main())


def test_block_that_raises_releases_its_event_and_those_behind() -> None:
    cameras = Cameras()

    async def read(consumer: results.SqsConsumer) -> None:
        async with cameras.session(consumer) as session:
            cameras.queue.send(detected("door-1", 1), detected("door-1", 2), detected("door-1", 3))
            await anext(session)
            await anext(session)
            await asyncio.sleep(1)
            raise ZeroDivisionError

    async def main() -> None:
        async with cameras.consumer() as consumer:
            with pytest.raises(ZeroDivisionError):
                await read(consumer)
            await consumer.flush()
            assert (consumer.report.acknowledged, consumer.report.released) == (1, 2)
        left = {message.body: message.visible_at - now() for message in cameras.queue.messages.values()}
        assert left[detected("door-1", 3)] <= 0
        assert VISIBILITY - 2 < left[detected("door-1", 2)] <= VISIBILITY

    run(main())


def test_cancelled_block_releases_its_event_at_once() -> None:
    cameras = Cameras()

    async def main() -> None:
        async with cameras.consumer() as consumer:

            async def read() -> None:
                async with cameras.session(consumer) as session:
                    cameras.queue.send(detected("door-1"))
                    await anext(session)
                    await asyncio.sleep(1_000)

            reading = asyncio.create_task(read())
            await asyncio.sleep(1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await consumer.flush()
            (message,) = cameras.queue.messages.values()
            assert message.receive_count == 2  # the consumer has received it again

    run(main())


def test_cancelled_iteration_loses_no_event() -> None:
    cameras = Cameras()

    async def main() -> list[str]:
        async with cameras.consumer() as consumer, cameras.session(consumer) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2):
                    await anext(session)
            cameras.queue.send(detected("door-1"))
            return ids_of(await collect(session))

    assert run(main()) == ["door-1/label-1", "door-1/end"]


def test_cancelled_start_leaves_nothing_behind() -> None:
    """The consumer can be read by others again."""
    cameras = Cameras(answers_after=3)

    async def main() -> None:
        async with cameras.consumer() as consumer:

            async def start() -> None:
                async with cameras.session(consumer):
                    pytest.fail("the start is cancelled")

            starting = asyncio.create_task(start())
            await asyncio.sleep(1)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            cameras.queue.send(detected("hall-1"))
            async with await anext(consumer) as delivery:
                assert delivery.event.session_id == "hall-1"

    run(main())
