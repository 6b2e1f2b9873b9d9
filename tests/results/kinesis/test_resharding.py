"""A consumer of Kinesis while the stream is split, merged and trimmed."""

from __future__ import annotations

import asyncio

import pytest

from aiorekostream.results import MemoryCheckpoints
from tests.results.kinesis.consumers import consumer_of, next_of, nothing_within, saved_positions, take
from tests.results.kinesis.memory_stream import MemoryStream, face_record
from tests.virtual_time import now, run


def test_children_of_a_split_come_after_their_parent_is_settled() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [parent] = stream.open_shards()
        ids = stream.put(parent, face_record(1), face_record(2))
        children = stream.split(parent)
        later = [id_ for child in children for id_ in stream.put(child, face_record(3))]
        async with consumer_of(stream) as consumer:
            first, second = await next_of(consumer), await next_of(consumer)
            assert [first.id, second.id] == ids
            await second.ack()
            await nothing_within(consumer, 100)
            await first.ack()
            assert sorted(await take(consumer, 2)) == sorted(later)

    run(scenario())


def test_child_of_a_merge_comes_after_both_parents() -> None:
    async def scenario() -> None:
        stream = MemoryStream(2)
        one, other = stream.open_shards()
        stream.put(one, face_record(1))
        stream.put(other, face_record(2))
        ids = stream.put(stream.merge(one, other), face_record(3))
        async with consumer_of(stream) as consumer:
            first, second = await next_of(consumer), await next_of(consumer)
            await first.ack()
            await nothing_within(consumer, 100)
            await second.ack()
            assert await take(consumer, 1) == ids

    run(scenario())


@pytest.mark.parametrize("names_children", [True, False])
def test_stream_is_read_while_it_is_resharded(names_children: bool) -> None:  # noqa: FBT001
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(2), MemoryCheckpoints()
        stream.names_children = names_children
        one, other = stream.open_shards()
        async with consumer_of(stream, start="latest", checkpoints=checkpoints) as consumer:
            await asyncio.sleep(1)
            ids = stream.put(one, face_record(1))
            left, right = stream.split(one)
            ids += stream.put(left, face_record(2))
            ids += stream.put(stream.merge(right, other), face_record(3))
            assert sorted(await take(consumer, 3)) == sorted(ids)
        saved = await checkpoints.load("faces/default")
        assert {shard for shard, position in saved.items() if position == "SHARD_END"} == {one, other, right}

    run(scenario())


def test_children_that_are_not_listed_at_once_are_found_later() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        stream.names_children = False
        [parent] = stream.open_shards()
        stream.put(parent, face_record(1))
        child, _ = stream.split(parent)
        ids = stream.put(child, face_record(2))
        stream.listed = lambda shard: not shard.parents or now() > 100
        async with consumer_of(stream) as consumer:
            await take(consumer, 1)
            assert await take(consumer, 1) == ids
            assert 100 <= now() <= 132
            assert stream.count("shards") <= 30

    run(scenario())


def test_children_are_read_at_once_when_the_end_names_them() -> None:
    """A list that does not have them yet is no obstacle."""

    async def scenario() -> None:
        stream = MemoryStream(1)
        parent = stream.only
        stream.put(parent, face_record(1))
        child, _ = stream.split(parent)
        ids = stream.put(child, face_record(2))
        stream.listed = lambda shard: not shard.parents
        async with consumer_of(stream) as consumer:
            await take(consumer, 1)
            assert await take(consumer, 1) == ids
            assert now() <= 1

    run(scenario())


def test_end_of_a_shard_is_not_read_again_after_a_restart() -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        [parent] = stream.open_shards()
        stream.put(parent, face_record(1))
        child, other = stream.split(parent)
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            await take(consumer, 1)
        assert "SHARD_END" in await saved_positions(checkpoints)
        reads = stream.count("read", parent)
        ids = [*stream.put(child, face_record(2)), *stream.put(other, face_record(3))]
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            assert sorted(await take(consumer, 2)) == sorted(ids)
        assert stream.count("read", parent) == reads

    run(scenario())


def test_shard_that_has_expired_lets_its_children_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """Its checkpoint is removed as well."""

    async def scenario() -> None:
        stream, checkpoints = MemoryStream(1), MemoryCheckpoints()
        [parent] = stream.open_shards()
        stream.put(parent, face_record(1), face_record(2))
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            await take(consumer, 1)
        child, _ = stream.split(parent)
        ids = stream.put(child, face_record(3))
        del stream.stored[parent]
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            assert await take(consumer, 1) == ids
        assert parent not in await checkpoints.load("faces/default")

    run(scenario())
    assert "shardId-000000000000 has expired" in caplog.text


def test_checkpoints_of_expired_shards_are_removed(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        stream, checkpoints = MemoryStream(2), MemoryCheckpoints()
        one, other = stream.open_shards()
        async with consumer_of(stream, checkpoints=checkpoints) as consumer:
            stream.split(one)
            await asyncio.sleep(10)
            assert one in await checkpoints.load("faces/default")
            del stream.stored[one]
            stream.split(other)
            await nothing_within(consumer, 10)
            assert (await checkpoints.load("faces/default")).keys() == stream.stored.keys()

    run(scenario())
    assert caplog.records == []  # they were read to their end


def test_shard_that_expires_while_it_is_read_lets_its_children_be_read() -> None:
    async def scenario() -> None:
        stream = MemoryStream(1)
        [parent] = stream.open_shards()
        stream.put(parent, *map(face_record, range(20)))
        async with consumer_of(stream, max_in_flight=10) as consumer:
            held = [await next_of(consumer) for _ in range(10)]
            child, _ = stream.split(parent)
            ids = stream.put(child, face_record(3))
            del stream.stored[parent]
            for delivery in held:
                await delivery.ack()
            assert await take(consumer, 1) == ids

    run(scenario())
