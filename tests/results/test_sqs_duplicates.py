"""Copies of an event that a queue delivers more than once; in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream.results import MemoryEventIds
from tests.results.memory_queue import MemoryQueue, notification
from tests.results.sqs_consumers import VISIBILITY, consumer_of, next_of, nothing_within, take
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_copy_of_an_acknowledged_event_is_dropped() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue) as consumer:
            await take(consumer, 1)
            await consumer.flush()
            queue.send(notification(1), notification(2))
            assert await take(consumer, 1) == ["event-2"]
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_copy_waits_until_its_event_is_acknowledged() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(1), notification(1))
        async with consumer_of(queue) as consumer:
            async with await next_of(consumer):
                await nothing_within(consumer, 10 * VISIBILITY)
                assert len(queue.messages) == 3
            await consumer.flush()
            assert not queue.messages
            assert (consumer.report.received, consumer.report.duplicates) == (3, 2)

    run(scenario())


def test_event_is_delivered_again_when_its_first_copy_fails() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(1))
        async with consumer_of(queue) as consumer:
            await (await next_of(consumer)).nack(5)
            await nothing_within(consumer, 4)
            assert await take(consumer, 1) == ["event-1"]
            await nothing_within(consumer, 100)
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_event_ids_are_shared_by_consumers() -> None:
    async def scenario() -> None:
        event_ids = MemoryEventIds()
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue, event_ids=event_ids) as consumer:
            await take(consumer, 1)
        queue.send(notification(1), notification(2))
        async with consumer_of(queue, event_ids=event_ids) as consumer:
            assert await take(consumer, 1) == ["event-2"]
        assert not queue.messages

    run(scenario())


def test_copy_is_dropped_while_the_store_is_slow() -> None:
    """The event is acknowledged, and the store does not have it yet."""

    class SlowEventIds(MemoryEventIds):
        async def add(self, event_ids: Sequence[str]) -> None:
            await asyncio.sleep(5)
            await super().add(event_ids)

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue, event_ids=SlowEventIds()) as consumer:
            await take(consumer, 1)
            queue.send(notification(1))
            await nothing_within(consumer, 60)
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_memory_event_ids_forget_the_oldest() -> None:
    async def scenario() -> None:
        event_ids = MemoryEventIds(most=3)
        await event_ids.add(["a", "b", "c"])
        await event_ids.add(["a", "d"])
        assert set(await event_ids.known(["a", "b", "c", "d"])) == {"a", "c", "d"}

    run(scenario())


def test_failing_event_ids_end_the_consumer() -> None:
    class FullEventIds(MemoryEventIds):
        async def add(self, event_ids: object) -> None:
            raise OSError(f"no space for {event_ids}")

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue, event_ids=FullEventIds()) as consumer:
            with pytest.raises(OSError, match="no space for"):
                await take(consumer, 2)
            with pytest.raises(OSError, match="no space for"):
                await consumer.flush()
        assert queue.messages

    run(scenario())
