"""Read and write the records of Kinesis Data Streams."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, cast

import attrs

from aiorekostream.errors import MalformedResponseError, ValidationIssue
from aiorekostream.results.calls import RetriedCalls
from aiorekostream.results.kinesis.port import RecordBatch, Shard, StreamRecord

if TYPE_CHECKING:
    from aiorekostream.results.kinesis.positions import Position

__all__ = ["KinesisStream"]


@attrs.frozen
class KinesisStream:
    """A stream of Kinesis Data Streams.

    Attributes:
        stream: the name or the ARN of the stream.
        calls: makes the calls.
    """

    stream: str
    calls: RetriedCalls

    async def shards(self) -> Sequence[Shard]:
        """See ``RecordStream.shards``."""
        found: list[Shard] = []
        members = self._names()
        while True:
            page, token = await self.calls.call("list_shards", members, _read_shards)
            found += page
            if token is None:
                return found
            members = {"NextToken": token}  # which is refused beside the name of the stream

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See ``RecordStream.iterator``."""
        members = self._names() | {"ShardId": shard_id, "ShardIteratorType": position.type.value}
        if position.sequence_number:
            members["StartingSequenceNumber"] = position.sequence_number
        if position.timestamp is not None:
            members["Timestamp"] = position.timestamp
        return await self.calls.call("get_shard_iterator", members, _read_iterator)

    async def read(self, iterator: str, *, count: int) -> RecordBatch:
        """See ``RecordStream.read``."""
        members: dict[str, object] = {"ShardIterator": iterator, "Limit": count}
        if self.stream.startswith("arn:"):
            members["StreamARN"] = self.stream
        return await self.calls.call("get_records", members, _read_batch)

    async def aclose(self) -> None:
        """See ``RecordStream.aclose``."""
        await self.calls.client.aclose()

    def _names(self) -> dict[str, object]:
        return {"StreamARN" if self.stream.startswith("arn:") else "StreamName": self.stream}


async def _read_shards(response: dict[str, object]) -> tuple[list[Shard], str | None]:
    if "Shards" not in response:
        _malformed("ListShards", ("Shards",), None, "a list")
    shards: list[Shard] = []
    for index, shard in _items(response, "Shards"):
        parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
        numbers = shard.get("SequenceNumberRange")
        shards.append(
            Shard(
                id=_text(shard, "ShardId", "ListShards", ("Shards", index)),
                parents=tuple(parent for parent in parents if isinstance(parent, str) and parent),
                is_closed=isinstance(numbers, Mapping) and "EndingSequenceNumber" in numbers,
            )
        )
    return shards, cast("str | None", response.get("NextToken"))


async def _read_iterator(response: dict[str, object]) -> str:
    return _text(response, "ShardIterator", "GetShardIterator", ())


async def _read_batch(response: dict[str, object]) -> RecordBatch:
    if "Records" not in response:
        _malformed("GetRecords", ("Records",), None, "a list")
    return RecordBatch(
        records=[_record(index, record) for index, record in _items(response, "Records")],
        next_iterator=cast("str | None", response.get("NextShardIterator")),
        behind=cast("int", response.get("MillisBehindLatest") or 0) / 1000,
        children=[
            Shard(
                id=_text(child, "ShardId", "GetRecords", ("ChildShards", index)),
                parents=tuple(cast("Sequence[str]", child.get("ParentShards") or ())),
            )
            for index, child in _items(response, "ChildShards")
        ],
    )


def _record(index: int, record: Mapping[str, object]) -> StreamRecord:
    data, arrived_at = record.get("Data"), record.get("ApproximateArrivalTimestamp")
    if not isinstance(data, bytes):
        _malformed("GetRecords", ("Records", index, "Data"), data, "bytes")
    return StreamRecord(
        sequence_number=_text(record, "SequenceNumber", "GetRecords", ("Records", index)),
        data=data,
        arrived_at=arrived_at.astimezone(datetime.UTC) if isinstance(arrived_at, datetime.datetime) else None,
    )


def _items(response: Mapping[str, object], key: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    return enumerate(cast("Sequence[Mapping[str, object]]", response.get(key) or ()))


def _text(item: Mapping[str, object], key: str, operation: str, path: tuple[str | int, ...]) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        _malformed(operation, (*path, key), value, "text")
    return value


def _malformed(operation: str, path: tuple[str | int, ...], value: object, expected: str) -> NoReturn:
    raise MalformedResponseError([ValidationIssue(path, value, expected)], operation=operation, retry_safe=True)
