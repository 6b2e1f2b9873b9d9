"""Kinesis Data Streams over HTTP: what the port in memory takes for granted."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream.errors import ConfigurationError, ResourceNotFoundError
from aiorekostream.results import KinesisConsumer, MemoryCheckpoints, Position, PositionType, SequenceNumber, Shard
from tests.results.kinesis.consumers import stream_of, take_fragments
from tests.results.kinesis.memory_stream import face_record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiorekostream.results.kinesis.service import KinesisStream

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/faces"
OLDEST = Position(PositionType.TRIM_HORIZON)
SHARD = "shardId-000000000000"


@pytest.fixture(params=["faces", ARN])
async def stream(request: pytest.FixtureRequest, moto_url: str, boto: dict[str, Any]) -> AsyncIterator[KinesisStream]:
    """The port over a stream of two shards, by its name or its ARN."""
    boto["kinesis"].create_stream(StreamName="faces", ShardCount=2)
    opened = stream_of(request.param, moto_url)
    yield opened
    await opened.aclose()


def _put(boto: dict[str, Any], count: int, *, first: int = 0) -> None:
    records = [{"Data": face_record(number), "PartitionKey": f"key-{number}"} for number in range(first, first + count)]
    assert boto["kinesis"].put_records(StreamName="faces", Records=records)["FailedRecordCount"] == 0


async def test_consumer_reads_a_stream_and_goes_on_at_its_checkpoints(moto_url: str, boto: dict[str, Any]) -> None:
    boto["kinesis"].create_stream(StreamName="faces", ShardCount=3)
    checkpoints = MemoryCheckpoints()
    for first in (0, 100):
        _put(boto, 100, first=first)
        async with KinesisConsumer(ARN, endpoint_url=moto_url, start="oldest", checkpoints=checkpoints) as consumer:
            assert sorted(await take_fragments(consumer, 100)) == list(range(first, first + 100))


async def test_shards_are_listed_with_their_parents(stream: KinesisStream, boto: dict[str, Any]) -> None:
    assert [shard.parents for shard in await stream.shards()] == [(), ()]
    boto["kinesis"].merge_shards(StreamName="faces", ShardToMerge=SHARD, AdjacentShardToMerge="shardId-000000000001")
    listed = {shard.id: shard for shard in await stream.shards()}
    assert listed["shardId-000000000002"].parents == (SHARD, "shardId-000000000001")
    assert listed[SHARD] == Shard(id=SHARD, is_closed=True)


async def test_records_are_read_from_each_position(stream: KinesisStream, boto: dict[str, Any]) -> None:
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    for number in range(3):
        boto["kinesis"].put_record(StreamName="faces", Data=face_record(number), PartitionKey="a", ExplicitHashKey="0")
    batch = await stream.read(await stream.iterator(SHARD, OLDEST), count=2)
    first, second = batch.records
    assert (first.data, second.data) == (face_record(0), face_record(1))
    assert first.arrived_at is not None
    assert before <= first.arrived_at <= datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    assert int(first.sequence_number) < int(second.sequence_number)
    assert batch.next_iterator is not None
    [third] = (await stream.read(batch.next_iterator, count=10)).records
    positions = {
        Position.after(first.sequence_number): [second, third],
        Position(PositionType.AT_SEQUENCE_NUMBER, second.sequence_number): [second, third],
        Position.at_time(before): [first, second, third],
        Position(PositionType.LATEST): [],
    }
    for position, expected in positions.items():
        found = await stream.read(await stream.iterator(SHARD, position), count=10)
        assert [record.sequence_number for record in found.records] == [record.sequence_number for record in expected]


async def test_consumer_begins_at_a_sequence_number(moto_url: str, boto: dict[str, Any]) -> None:
    boto["kinesis"].create_stream(StreamName="faces", ShardCount=1)
    _put(boto, 5)
    async with KinesisConsumer("faces", region="us-east-1", endpoint_url=moto_url, start="oldest") as consumer:
        ids = [(await anext(consumer)).id for _ in range(5)]
    start = SequenceNumber.parse(ids[3])
    async with KinesisConsumer("faces", region="us-east-1", endpoint_url=moto_url, start=start) as consumer:
        assert await take_fragments(consumer, 2) == [3, 4]


async def test_absent_stream_is_an_error_of_the_package(moto_url: str) -> None:
    async with KinesisConsumer("nowhere", region="us-east-1", endpoint_url=moto_url) as consumer:
        with pytest.raises(ResourceNotFoundError, match="ListShards"):
            await anext(consumer)


async def test_missing_region_is_a_configuration_error() -> None:
    async with KinesisConsumer("faces", endpoint_url="http://127.0.0.1:1") as consumer:
        with pytest.raises(ConfigurationError, match="Region"):
            await anext(consumer)
