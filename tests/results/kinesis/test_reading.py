"""How a consumer of Kinesis reads: its rate, its memory, and what it does about failures."""

from __future__ import annotations

import asyncio

import pytest

from aiorekostream.errors import ResourceNotFoundError, ServiceError
from tests.results.kinesis.consumers import consumer_of, next_of, take
from tests.results.kinesis.memory_stream import LAG, MemoryStream, face_record, refused
from tests.virtual_time import now, run


def test_steady_reads_are_not_throttled() -> None:
    """With 2 MB/s of a shard, and with 5 reads a second while a shard is behind."""

    async def scenario() -> None:
        stream = MemoryStream(3)
        big, many, _ = stream.open_shards()
        stream.put(big, *[face_record(1) + b" " * 900_000] * 30)
        stream.put(many, *map(face_record, range(2_000)))
        async with consumer_of(stream, max_in_flight=300) as consumer:
            await take(consumer, 2_030)
            assert now() >= 27_000_000 / 2_000_000 - 5
            reads = stream.count("read")
            await asyncio.sleep(60)
            assert 150 <= stream.count("read") - reads <= 183
        assert stream.throttled == 0

    run(scenario())


def test_report_says_how_far_the_slowest_shard_is_behind() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        stream.put(one, *map(face_record, range(20)))
        stream.put(other, face_record(1))
        async with consumer_of(stream, max_in_flight=20) as consumer:
            await next_of(consumer)
            await asyncio.sleep(5)
            assert consumer.report.behind == LAG
            await take(consumer, 20)
            await asyncio.sleep(5)
            assert consumer.report.behind == 0

    run(scenario())


def test_throttled_reads_are_repeated() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [shard] = stream.open_shards()
        ids = stream.put(shard, *map(face_record, range(10)))
        stream.answer = lambda operation, _: (
            refused("ProvisionedThroughputExceededException", retry_safe=True)
            if operation == "read" and now() < 60
            else None
        )
        async with consumer_of(stream) as consumer:
            assert await take(consumer, 10) == ids
            assert stream.count("read") <= 30

    run(scenario())


def test_consumers_of_two_names_share_the_reads_of_a_shard() -> None:
    """Together they are throttled, and both read everything."""

    async def scenario() -> None:
        stream = MemoryStream(1)
        ids = stream.put(stream.only, *map(face_record, range(200)))
        async with (
            consumer_of(stream, name="one", max_in_flight=10) as one,
            consumer_of(stream, name="two", max_in_flight=10) as two,
            asyncio.TaskGroup() as group,
        ):
            taken = [group.create_task(take(consumer, 200)) for consumer in (one, two)]
        assert [task.result() for task in taken] == [ids, ids]
        assert stream.throttled > 0

    run(scenario())


@pytest.mark.parametrize("start", ["oldest", "latest"])
def test_iterators_that_expired_lose_nothing(start: str) -> None:
    """Handlers take longer than an iterator lives, and the inbox is full meanwhile."""

    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        async with consumer_of(stream, start=start, max_in_flight=8) as consumer:
            await asyncio.sleep(10)
            ids = stream.put(one, *map(face_record, range(12)))
            taken = [await next_of(consumer) for _ in range(4)]
            await asyncio.sleep(400)
            ids += stream.put(other, face_record(99))
            for delivery in taken:
                await delivery.ack()
            rest = await take(consumer, 9)
            assert sorted(rest) == sorted(ids[4:])

    run(scenario())


def test_outage_at_the_beginning_loses_nothing_that_arrives_meanwhile() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.answer = lambda operation, _: (
            refused("ThrottlingException", retry_safe=True) if operation == "iterator" and now() < 100 else None
        )
        async with consumer_of(stream, start="latest") as consumer:
            await asyncio.sleep(10)
            ids = stream.put(stream.only, face_record(1))
            assert await take(consumer, 1) == ids

    run(scenario())


def test_latest_iterator_that_expired_before_its_first_read_loses_nothing() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [shard] = stream.open_shards()
        stream.put(shard, face_record(0))
        stream.answer = lambda operation, _: (
            refused("ThrottlingException", retry_safe=True) if operation == "read" and now() < 400 else None
        )
        async with consumer_of(stream, start="latest") as consumer:
            await asyncio.sleep(10)
            ids = stream.put(shard, face_record(1))
            assert await take(consumer, 1) == ids
            assert stream.count("iterator") == 2

    run(scenario())


def test_handlers_that_never_wait_leave_turns_to_other_tasks() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, *map(face_record, range(100)))
        async with consumer_of(stream) as consumer:
            await next_of(consumer)
            other = asyncio.create_task(asyncio.sleep(0))
            for _ in range(40):
                await anext(consumer)
            assert other.done()

    run(scenario())


@pytest.mark.parametrize("most", [1, 7, 100])
def test_no_more_records_are_held_than_allowed(most: int) -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, *map(face_record, range(300)))
        held = 0
        async with consumer_of(stream, max_in_flight=most) as consumer:
            for _ in range(300):
                async with await next_of(consumer):
                    held = max(held, len(consumer.report.unacknowledged))
            assert held == most

    run(scenario())


def test_idle_handlers_get_records_while_others_are_handled() -> None:
    """Less than half of a shard's share is free, and nothing is settled meanwhile."""

    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.put(stream.only, *map(face_record, range(6)))
        async with consumer_of(stream, max_in_flight=10) as consumer:
            await next_of(consumer)
            stream.put(stream.only, *map(face_record, range(6, 10)))
            await asyncio.sleep(10)
            for _ in range(9):
                async with asyncio.timeout(10):
                    await next_of(consumer)

    run(scenario())


def test_shard_whose_records_are_held_does_not_stop_the_others() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        stream.put(one, *map(face_record, range(100)))
        async with consumer_of(stream, max_in_flight=10) as consumer:
            for _ in range(5):
                await (await next_of(consumer)).nack(3_600)
            ids = stream.put(other, *map(face_record, range(100)))
            assert await take(consumer, 100) == ids

    run(scenario())


def test_outage_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        connection = stream.connect()
        one, other = stream.open_shards()
        ids = stream.put(one, face_record(1))
        async with consumer_of(connection) as consumer:
            await take(consumer, 1)
            for _ in range(2):
                connection.broken = True
                await asyncio.sleep(3_600)
                connection.broken = False
                ids = [*stream.put(one, face_record(1)), *stream.put(other, face_record(1))]
                assert sorted(await take(consumer, 2)) == sorted(ids)

    run(scenario())
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 4  # one for each shard and outage


@pytest.mark.parametrize("code", ["LimitExceededException", "ResourceInUseException", "ThrottlingException"])
def test_shards_are_listed_again_when_the_list_was_refused(code: str) -> None:
    """Kinesis refuses the list of a stream that is being created, and calls throttling a limit."""

    async def scenario() -> None:
        stream = MemoryStream(1)
        ids = stream.put(stream.only, face_record(1))
        stream.answer = lambda operation, _: refused(code) if operation == "shards" and now() < 60 else None
        async with consumer_of(stream) as consumer:
            assert await take(consumer, 1) == ids

    run(scenario())


@pytest.mark.parametrize("operation", ["shards", "iterator", "read"])
def test_failure_that_does_not_pass_is_raised_once(operation: str) -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.answer = lambda called, _: refused("AccessDeniedException") if called == operation else None
        connection = stream.connect()
        async with consumer_of(connection) as consumer:
            with pytest.raises(ServiceError, match="AccessDenied"):
                await next_of(consumer)
            with pytest.raises(ServiceError, match="AccessDenied"):
                await consumer.flush()
        assert connection.closed

    run(scenario())


def test_stream_that_is_deleted_ends_the_consumer() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        async with consumer_of(stream) as consumer:
            await asyncio.sleep(5)
            stream.answer = lambda _, __: refused("ResourceNotFoundException")
            with pytest.raises(ResourceNotFoundError):
                await next_of(consumer)

    run(scenario())
