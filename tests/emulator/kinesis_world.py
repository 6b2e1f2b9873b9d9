"""Provide the streams of an account in the pure world, with a clock."""

from __future__ import annotations

import base64
import json
from typing import Any

import attrs
import pytest

from aiorekostream.emulator import DependencyFaults
from aiorekostream.emulator.world.answers import JsonObject, RefusedError
from aiorekostream.emulator.world.stream_context import StreamContext
from aiorekostream.emulator.world.stream_operations import execute
from aiorekostream.emulator.world.streams import Streams
from tests.emulator.samples import HERE

FIRST, SECOND, THIRD = (f"shardId-{number:012}" for number in range(3))
HALF = str(2**127)


@attrs.define
class Kinesis:
    """The streams of an account, and a clock."""

    streams: Streams = attrs.field(factory=Streams)
    now: float = 1_700_000_000.0
    faults: DependencyFaults = attrs.field(factory=DependencyFaults)
    limits_reads: bool = False

    def __call__(self, operation: str, **members: object) -> dict[str, Any]:
        context = StreamContext(
            streams=self.streams,
            caller=HERE,
            now=self.now,
            reader_now=self.now,
            dependency_faults=self.faults,
            limits_reads=self.limits_reads,
        )
        body: JsonObject = execute(context, operation, members).body or {}
        # As a client has it.
        return dict(json.loads(json.dumps(body, default=dict)))

    def refused(self, operation: str, **members: object) -> str:
        with pytest.raises(RefusedError) as caught:
            self(operation, **members)
        return caught.value.refusal.code

    def put(self, data: bytes, key: str = "k", **members: object) -> dict[str, Any]:
        return self("PutRecord", StreamName="s", PartitionKey=key, Data=base64.b64encode(data).decode(), **members)

    def iterator(self, shard: str = FIRST, kind: str = "TRIM_HORIZON", **members: object) -> str:
        found = self("GetShardIterator", StreamName="s", ShardId=shard, ShardIteratorType=kind, **members)
        return str(found["ShardIterator"])

    def read(self, shard: str = FIRST, kind: str = "TRIM_HORIZON", **members: object) -> list[bytes]:
        return data_of(self("GetRecords", ShardIterator=self.iterator(shard, kind, **members)))

    def shards(self, **members: object) -> dict[str, dict[str, Any]]:
        return {shard["ShardId"]: shard for shard in self("ListShards", StreamName="s", **members)["Shards"]}

    def split(self, shard: str = FIRST, at: str = HALF) -> None:
        self("SplitShard", StreamName="s", ShardToSplit=shard, NewStartingHashKey=at)

    def merge(self, shard: str, adjacent: str) -> None:
        self("MergeShards", StreamName="s", ShardToMerge=shard, AdjacentShardToMerge=adjacent)


def data_of(response: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(record["Data"]) for record in response["Records"]]


def new_stream(shards: int = 1, **members: Any) -> Kinesis:  # noqa: ANN401 - the attributes of Kinesis
    """Return an account with a stream."""
    kinesis = Kinesis(**members)
    kinesis("CreateStream", StreamName="s", ShardCount=shards)
    return kinesis
