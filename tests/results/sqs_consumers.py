"""A consumer of SQS over a queue in memory, and what tests do with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream.results import Delivery, SqsConsumer
from tests.results.memory_queue import MemoryQueue, QueueConnection

if TYPE_CHECKING:
    from aiorekostream.domain.labels import StreamProcessorEvent

__all__ = ["URL", "VISIBILITY", "consumer_of", "next_of", "nothing_within", "take"]

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/doors"
VISIBILITY = 30.0
"""Seconds for which a consumer makes a message invisible, by default."""


def consumer_of(queue: MemoryQueue | QueueConnection, **options: object) -> SqsConsumer:
    """A consumer of a queue, over a connection of its own unless one is given."""
    connection = queue.connect() if isinstance(queue, MemoryQueue) else queue
    return SqsConsumer(URL, queue=connection, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def take(consumer: SqsConsumer, count: int) -> list[str]:
    """Handle deliveries one after the other, and return the ids of their events."""
    taken: list[str] = []
    async for delivery in consumer:
        async with delivery:
            taken.append(delivery.event.event_id)
        if len(taken) == count:
            break
    return taken


async def next_of(consumer: SqsConsumer) -> Delivery[StreamProcessorEvent]:
    """The next delivery."""
    return await anext(aiter(consumer))


async def nothing_within(consumer: SqsConsumer, seconds: float) -> None:
    """Check that there is no delivery for some time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await next_of(consumer)
