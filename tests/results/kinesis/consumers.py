"""A consumer of Kinesis over a stream in memory, and what tests do with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream.results import Delivery, FaceSearchRecord, KinesisConsumer, MemoryCheckpoints, SequenceNumber
from aiorekostream.results.calls import CallOptions, open_calls
from aiorekostream.results.kinesis.service import KinesisStream
from aiorekostream.retry.policy import RetryPolicy
from tests.results.kinesis.memory_stream import MemoryStream, StreamClock, StreamConnection
from tests.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CountedCheckpoints",
    "consumer_of",
    "next_of",
    "nothing_within",
    "position_after",
    "saved_positions",
    "stream_of",
    "take",
    "take_fragments",
]


def consumer_of(stream: MemoryStream | StreamConnection, **options: object) -> KinesisConsumer:
    """A consumer that begins at the oldest record unless the options say otherwise."""
    connection = stream.connect() if isinstance(stream, MemoryStream) else stream
    given = {"start": "oldest", "clock": StreamClock()} | options
    return KinesisConsumer("faces", record_stream=connection, **given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def stream_of(stream: str, url: str) -> KinesisStream:
    """The port over a service, which makes one attempt of each call."""
    retry = RetryPolicy(max_attempts=1)
    options = CallOptions(region="us-east-1", endpoint_url=url, retry=retry, timeout=5, max_connections=2)
    return KinesisStream(stream, open_calls("kinesis", options))


async def take(consumer: KinesisConsumer, count: int) -> list[str]:
    """Handle deliveries one after the other, and return their ids."""
    taken: list[str] = []
    while len(taken) < count:
        async with await next_of(consumer) as delivery:
            taken.append(delivery.id)
    return taken


async def take_fragments(consumer: KinesisConsumer, count: int) -> list[int]:
    """Handle deliveries one after the other, and return the numbers of their fragments."""
    taken: list[int] = []
    while len(taken) < count:
        async with await next_of(consumer) as delivery:
            taken.append(int(delivery.event.position.fragment_number))
    return taken


class CountedCheckpoints(MemoryCheckpoints):
    """A store that notes when it is written, and can fail or hang."""

    def __init__(self) -> None:
        super().__init__()
        self.saves: list[float] = []
        self.error: Exception | None = None
        self.delay = 0.0

    async def save(self, consumer: str, owner: str, positions: Mapping[str, str | None]) -> bool:
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        self.saves.append(now())
        return await super().save(consumer, owner, positions)

    async def release(self, consumer: str, owner: str) -> None:
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        await super().release(consumer, owner)


async def saved_positions(checkpoints: MemoryCheckpoints) -> list[str]:
    """The checkpoints of the shards."""
    return list((await checkpoints.load("faces/default")).values())


def position_after(record_id: str) -> str:
    """The checkpoint after a record."""
    return f"AFTER_SEQUENCE_NUMBER {SequenceNumber.parse(record_id).value}"


async def nothing_within(consumer: KinesisConsumer, seconds: float) -> None:
    """Check that there is no delivery for some time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await next_of(consumer)


async def next_of(consumer: KinesisConsumer) -> Delivery[FaceSearchRecord]:
    """The next delivery, which comes within three hours."""
    async with asyncio.timeout(10_000):
        return await anext(aiter(consumer))
