"""The lease of a consumer of Kinesis, its end, and its options."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from aiorekostream.errors import ConfigurationError, ConsumerLeaseError, InvalidRequestError
from aiorekostream.results import ConsumerLease, KinesisConsumer, MemoryCheckpoints
from tests.results.kinesis.consumers import (
    CountedCheckpoints,
    consumer_of,
    next_of,
    position_after,
    saved_positions,
    take,
)
from tests.results.kinesis.memory_stream import BrokenCheckpoints, MemoryStream, StreamClock, face_record
from tests.virtual_time import now, run


def test_second_consumer_is_refused_while_the_first_runs() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        async with consumer_of(stream, checkpoints=checkpoints):
            await asyncio.sleep(100)
            second = stream.connect()
            with pytest.raises(ConsumerLeaseError, match=r"faces/default.* until .*use another name=") as caught:
                await consumer_of(second, checkpoints=checkpoints).__aenter__()
            now = StreamClock().wall()
            assert caught.value.expires_at is not None
            assert 10 <= (caught.value.expires_at - now).total_seconds() <= 20
            async with consumer_of(stream, checkpoints=checkpoints, name="another"):
                pass
        async with consumer_of(stream, checkpoints=checkpoints):
            pass

    run(scenario())


def test_lease_of_a_killed_consumer_ends_after_twenty_seconds() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        connection = stream.connect()
        killed = await consumer_of(connection, checkpoints=BrokenCheckpoints(checkpoints, connection)).__aenter__()
        connection.broken = True
        await killed.aclose()
        with pytest.raises(ConsumerLeaseError):
            await consumer_of(stream, checkpoints=checkpoints).__aenter__()
        await asyncio.sleep(20)
        async with consumer_of(stream, checkpoints=checkpoints):
            pass

    run(scenario())


@pytest.mark.parametrize("acknowledges", [True, False])
def test_lost_lease_ends_the_consumer(acknowledges: bool) -> None:  # noqa: FBT001
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        ids = stream.put(stream.only, face_record(1))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            delivery = await next_of(consumer)
            thief = ConsumerLease(owner="thief", expires_at=StreamClock().wall() + datetime.timedelta(hours=1))
            await checkpoints.acquire("faces/default", thief, now=StreamClock().wall() + datetime.timedelta(hours=1))
            if acknowledges:
                await delivery.ack()
            began = now()
            with pytest.raises(ConsumerLeaseError, match="another consumer"):
                await next_of(consumer)
            assert now() - began <= (1 if acknowledges else 5)
        assert position_after(ids[0]) not in await saved_positions(checkpoints)
        assert (await checkpoints.acquire("faces/default", thief, now=StreamClock().wall())).owner == "thief"

    run(scenario())


def test_failing_store_ends_the_consumer(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        checkpoints = CountedCheckpoints()
        stream.put(stream.only, face_record(1))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            delivery = await next_of(consumer)
            checkpoints.error = OSError("the disk is full")
            await delivery.ack()
            with pytest.raises(OSError, match="the disk is full"):
                await next_of(consumer)

    run(scenario())
    assert "the lease of faces/default cannot be released: OSError('the disk is full')" in caplog.text


def test_stop_ends_iterations_and_lets_handlers_settle() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        ids = stream.put(stream.only, *map(face_record, range(3)))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            delivery = await next_of(consumer)
            await consumer.stop()
            with pytest.raises(StopAsyncIteration):
                await next_of(consumer)
            await delivery.ack()
        assert await saved_positions(checkpoints) == [position_after(ids[0])]
        with pytest.raises(ConfigurationError, match="entered once"):
            await consumer.__aenter__()

    run(scenario())


def test_closed_consumer_refuses_acknowledgements() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(1), face_record(2))
        async with consumer_of(stream) as consumer:
            first, second = await next_of(consumer), await next_of(consumer)
        with pytest.raises(ConfigurationError, match="delivered again"):
            await first.ack()
        await second.nack()
        await consumer.aclose()
        assert consumer.report.released == 0

    run(scenario())


def test_consumer_closes_in_time_when_the_store_hangs() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), CountedCheckpoints()
        stream.put(stream.only, face_record(1))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            delivery = await next_of(consumer)
            checkpoints.delay = 10_000
            await delivery.ack()
            began = now()
        assert now() - began <= 12

    run(scenario())


def test_handlers_that_never_wait_leave_turns_to_other_tasks() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, *map(face_record, range(1_000)))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with consumer_of(stream) as consumer:
            await (await next_of(consumer)).ack()
            task = asyncio.create_task(count())
            await take(consumer, 999)
            task.cancel()
        assert turns >= 10

    run(scenario())


def test_tasks_share_the_deliveries() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        for shard in stream.open_shards():
            stream.put(shard, *map(face_record, range(20)))
        taken: list[str] = []

        async def handle(consumer: KinesisConsumer) -> None:
            async for delivery in consumer:
                async with delivery:
                    await asyncio.sleep(1)
                    taken.append(delivery.id)

        async with consumer_of(stream) as consumer:
            tasks = [asyncio.create_task(handle(consumer)) for _ in range(10)]
            await asyncio.sleep(6)
            await consumer.stop()
            await asyncio.wait(tasks)
        assert (len(taken), len(set(taken))) == (40, 40)

    run(scenario())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "newest"}, "start: must be"),
        ({"start": datetime.datetime(2026, 1, 1)}, "start"),  # noqa: DTZ001 - the point
        ({"name": ""}, "name: must be"),
        ({"max_in_flight": 0}, "max_in_flight: must be"),
        ({"name": 1, "max_in_flight": True}, "max_in_flight: must be"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        consumer_of(MemoryStream(1), **options)


@pytest.mark.parametrize("stream", ["", "a/b", "arn:aws:kinesis:us-east-1:1:stream/faces", 1])
def test_bad_stream_names_are_refused(stream: str) -> None:
    with pytest.raises(InvalidRequestError, match="stream: must be the name of a stream"):
        KinesisConsumer(stream)
