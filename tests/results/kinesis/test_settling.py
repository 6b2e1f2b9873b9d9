"""Where a consumer of Kinesis begins, and how records are settled."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from aiorekostream.errors import ConfigurationError
from aiorekostream.results import MemoryCheckpoints, SequenceNumber
from tests.results.kinesis.consumers import (
    CountedCheckpoints,
    consumer_of,
    next_of,
    nothing_within,
    position_after,
    saved_positions,
    take,
)
from tests.results.kinesis.memory_stream import BrokenCheckpoints, MemoryStream, StreamClock, face_record
from tests.virtual_time import now, run


def test_consumer_delivers_every_record_of_every_shard() -> None:
    async def scenario() -> None:
        stream = MemoryStream(4)
        ids = [id_ for shard in stream.open_shards() for id_ in stream.put(shard, *map(face_record, range(100)))]
        async with consumer_of(stream) as consumer:
            taken = await take(consumer, 400)
            await consumer.flush()
            assert sorted(taken) == sorted(ids)
            assert (consumer.report.delivered, consumer.report.acknowledged) == (400, 400)
            assert consumer.report.unacknowledged == ()

    run(scenario())


def test_consumer_delivers_a_shard_in_its_order() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [shard] = stream.open_shards()
        ids = stream.put(shard, *map(face_record, range(50)))
        async with consumer_of(stream) as consumer:
            assert await take(consumer, 50) == ids

    run(scenario())


def test_latest_begins_at_records_that_arrive_from_now_on() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        stream.put(one, face_record(1))
        closed = stream.split(other)
        async with consumer_of(stream, start="latest") as consumer:
            await asyncio.sleep(5)
            ids = [*stream.put(one, face_record(2)), *stream.put(closed[0], face_record(3))]
            assert sorted(await take(consumer, 2)) == sorted(ids)
            assert stream.count("iterator", other) == 0

    run(scenario())


@pytest.mark.parametrize("pause", [0.5, 10])
def test_latest_loses_nothing_after_a_kill(pause: float) -> None:
    """A consumer that has read nothing yet goes on at the time of its beginning."""

    async def scenario() -> None:
        stream, checkpoints = MemoryStream(2), MemoryCheckpoints()
        connection = stream.connect()
        broken = BrokenCheckpoints(checkpoints, connection)
        killed = await consumer_of(connection, start="latest", checkpoints=broken).__aenter__()
        await asyncio.sleep(pause)
        connection.broken = True
        await killed.aclose()
        await asyncio.sleep(20)
        ids = [id_ for shard in stream.open_shards() for id_ in stream.put(shard, face_record(1))]
        async with consumer_of(stream, start="latest", checkpoints=checkpoints) as consumer:
            assert sorted(await take(consumer, 2)) == sorted(ids)

    run(scenario())


def test_time_begins_at_records_that_arrived_since() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        stream.put(one, face_record(1))
        await asyncio.sleep(60)
        moment = StreamClock().wall()
        ids = stream.put(other, face_record(2))
        child, _ = stream.split(other)
        ids += stream.put(child, face_record(3))
        async with consumer_of(stream, start=moment) as consumer:
            assert await take(consumer, 2) == ids

    run(scenario())


def test_sequence_number_begins_at_its_record_and_its_time() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        for shard in (one, other):
            stream.put(shard, face_record(1))
        await asyncio.sleep(60)
        ids = stream.put(one, face_record(2), face_record(3))
        await asyncio.sleep(60)
        ids += stream.put(other, face_record(4))
        async with consumer_of(stream, start=SequenceNumber.parse(ids[0])) as consumer:
            assert sorted(await take(consumer, 3)) == sorted(ids)

    run(scenario())


def test_sequence_number_of_an_unknown_shard_is_an_error() -> None:
    async def scenario() -> None:
        async with consumer_of(MemoryStream(1), start=SequenceNumber("1", shard_id="shardId-9")) as consumer:
            with pytest.raises(ConfigurationError, match="has no shard"):
                await next_of(consumer)

    run(scenario())


def test_checkpoint_is_before_the_first_record_that_is_not_settled() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        ids = stream.put(stream.only, *map(face_record, range(5)))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            deliveries = [await next_of(consumer) for _ in range(5)]
            for number in (0, 1, 3, 4):
                await deliveries[number].ack()
        assert await saved_positions(checkpoints) == [position_after(ids[1])]
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            assert await take(consumer, 3) == ids[2:]
        assert await saved_positions(checkpoints) == [position_after(ids[4])]

    run(scenario())


def test_released_record_is_delivered_again_and_holds_the_checkpoint() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        ids = stream.put(stream.only, *map(face_record, range(3)))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            await (await next_of(consumer)).nack(100)
            began = now()
            await take(consumer, 2)
            await asyncio.sleep(10)
            assert "AFTER" not in (await saved_positions(checkpoints))[0]
            again = await next_of(consumer)
            assert (again.id, again.receive_count) == (ids[0], 2)
            assert 100 <= now() - began <= 101
            await again.ack()
            await consumer.flush()
            assert await saved_positions(checkpoints) == [position_after(ids[2])]
        assert consumer.report.released == 1

    run(scenario())


def test_record_of_a_failing_handler_comes_again_later_each_time() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(1))
        moments: list[float] = []
        async with consumer_of(stream) as consumer:
            for _ in range(9):
                delivery = await next_of(consumer)
                moments.append(now())
                with pytest.raises(ZeroDivisionError):
                    async with delivery:
                        raise ZeroDivisionError
        delays = [round(later - earlier) for earlier, later in itertools.pairwise(moments)]
        assert delays == [1, 2, 4, 8, 16, 32, 60, 60]

    run(scenario())


@pytest.mark.parametrize("settle", [True, False])
def test_malformed_record_is_reported_once_and_holds_nothing(settle: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        ids = stream.put(stream.only, b"\x00junk", face_record(1))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            malformed = await next_of(consumer)
            if settle:
                async with malformed:
                    _ = malformed.event
            assert (malformed.raw, malformed.id) == (b"\x00junk", ids[0])
            await consumer.flush()
            assert await saved_positions(checkpoints) == [position_after(ids[0])]
            assert await take(consumer, 1) == ids[1:]
            await nothing_within(consumer, 600)
            await malformed.nack(0)
            await nothing_within(consumer, 600)
        assert (consumer.report.malformed, consumer.report.acknowledged, consumer.report.released) == (1, 1, 0)

    run(scenario())
    assert "shardId-000000000000:1000 is malformed" in caplog.text


def test_first_settlement_counts() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, face_record(1))
        async with consumer_of(stream) as consumer:
            delivery = await next_of(consumer)
            await delivery.ack()
            await delivery.ack()
            await delivery.nack(0)
            await nothing_within(consumer, 100)
        assert (consumer.report.acknowledged, consumer.report.released) == (1, 0)

    run(scenario())


def test_checkpoints_are_written_once_a_second_and_when_idle() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), CountedCheckpoints()
        stream.put(stream.only, *map(face_record, range(100)))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            for _ in range(100):
                async with await next_of(consumer):
                    await asyncio.sleep(0.1)
            await asyncio.sleep(5)
            assert min(round(later - earlier, 3) for earlier, later in itertools.pairwise(checkpoints.saves)) >= 1
            assert 10 <= len(checkpoints.saves) <= 12
            await asyncio.sleep(100)
            count = len(checkpoints.saves)
            stream.put(stream.only, face_record(1))
            await take(consumer, 1)
            began = now()
            await asyncio.sleep(0.1)
            assert checkpoints.saves[count:] == [began]

    run(scenario())
