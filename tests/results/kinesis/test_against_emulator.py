"""The consumer over the emulator's streams, which can be split and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator
from aiorekostream.results import KinesisConsumer, MemoryCheckpoints
from tests.emulator.aws_services import AsyncClient, service
from tests.results.kinesis.consumers import take_fragments
from tests.results.kinesis.memory_stream import face_record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FIRST_SHARD = "shardId-000000000000"
HALF, QUARTER = str(2**127), str(2**126)


@pytest.fixture
async def kinesis() -> AsyncGenerator[AsyncClient]:
    """A client of an emulator that has the stream ``faces``."""
    async with Emulator() as emulator:
        found = service("kinesis", emulator.url)
        await found("create_stream", StreamName="faces", ShardCount=1)
        yield found
        found.client.close()


def _consumer(kinesis: AsyncClient, checkpoints: MemoryCheckpoints) -> KinesisConsumer:
    return KinesisConsumer(
        "faces",
        region="us-east-1",
        endpoint_url=kinesis.client.meta.endpoint_url,
        start="oldest",
        checkpoints=checkpoints,
    )


async def _put(kinesis: AsyncClient, *fragments: int) -> None:
    """Put records into all open shards."""
    records = [
        {"Data": face_record(fragment), "PartitionKey": "k", "ExplicitHashKey": key}
        for fragment, key in zip(fragments, ("0", QUARTER, HALF), strict=False)
    ]
    assert (await kinesis("put_records", StreamName="faces", Records=records))["FailedRecordCount"] == 0


async def test_stream_is_read_while_it_is_split_and_merged(kinesis: AsyncClient) -> None:
    checkpoints = MemoryCheckpoints()
    await _put(kinesis, 1)
    async with _consumer(kinesis, checkpoints) as consumer:
        assert await take_fragments(consumer, 1) == [1]
        await _put(kinesis, 2)
        await kinesis("split_shard", StreamName="faces", ShardToSplit=FIRST_SHARD, NewStartingHashKey=HALF)
        await _put(kinesis, 3, 4, 5)
        assert sorted(await take_fragments(consumer, 4)) == [2, 3, 4, 5]
    shards: list[dict[str, str]] = (await kinesis("list_shards", StreamName="faces"))["Shards"]
    _, left, right = [shard["ShardId"] for shard in shards]
    await kinesis("merge_shards", StreamName="faces", ShardToMerge=left, AdjacentShardToMerge=right)
    await _put(kinesis, 6, 7)
    async with _consumer(kinesis, checkpoints) as consumer:
        assert sorted(await take_fragments(consumer, 2)) == [6, 7]
    saved = await checkpoints.load("faces/default")
    assert [saved[shard] for shard in (FIRST_SHARD, left, right)] == ["SHARD_END"] * 3
    assert len(saved) == 4
