"""Execute the operations of Kinesis Data Streams that write and read records.

See https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, cast

import attrs

from aiorekostream.emulator.world.answers import Refusal, Success, refuse
from aiorekostream.emulator.world.stream import MAX_HASH_KEY
from aiorekostream.emulator.world.stream_context import (
    TOKEN_LIFE,
    StreamContext,
    invalid_argument,
    read_token,
    write_token,
)

if TYPE_CHECKING:
    from aiorekostream.emulator.world.answers import JsonObject, RefusedError
    from aiorekostream.emulator.world.fields import Fields
    from aiorekostream.emulator.world.shard import EmulatedShard, StoredRecord
    from aiorekostream.emulator.world.stream import EmulatedStream

__all__ = ["get_records", "get_shard_iterator", "put_record", "put_records"]

# AWS's limits, in bytes of data and partition key, and in records. See
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html.
_MAX_RECORD_BYTES = 1_048_576
_MAX_REQUEST_BYTES = 5 * _MAX_RECORD_BYTES
_MAX_PUT_RECORDS = 500
_MAX_PARTITION_KEY = 256
_MAX_GET_RECORDS = 10_000
_NUMBER = re.compile(r"0|[1-9][0-9]{0,128}")


@attrs.frozen
class _Entry:
    """A record to write."""

    partition_key: str
    hash_key: int | None
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data) + len(self.partition_key.encode("utf-8", "surrogatepass"))


def put_record(context: StreamContext, request: Fields) -> Success:
    """Execute PutRecord."""
    stream, entry = context.stream(request), _entry(request)
    shard, record = stream.put(entry.partition_key, entry.hash_key, entry.data, context.now)
    context.streams.enforce_bounds()
    return Success(_written(shard, record))


def put_records(context: StreamContext, request: Fields) -> Success:
    """Execute PutRecords. Either all records are written, or the request is refused."""
    stream, records = context.stream(request), request.structures("Records")
    if not 1 <= len(records) <= _MAX_PUT_RECORDS:
        raise request.wrong("Records", f"1 to {_MAX_PUT_RECORDS} records")
    entries = [_entry(record) for record in records]
    if sum(entry.size for entry in entries) > _MAX_REQUEST_BYTES:
        raise invalid_argument("Records size exceeds 5 MB limit")
    written = [_written(*stream.put(entry.partition_key, entry.hash_key, entry.data, context.now)) for entry in entries]
    context.streams.enforce_bounds()
    return Success({"FailedRecordCount": 0, "Records": written})


def get_shard_iterator(context: StreamContext, request: Fields) -> Success:
    """Execute GetShardIterator."""
    stream = context.stream(request)
    shard = context.shard(stream, request.text("ShardId"))
    kind = request.text("ShardIteratorType")
    match kind:
        case "TRIM_HORIZON":
            position = shard.first_sequence_number
        case "LATEST":
            position = stream.next_sequence_number(context.now)
        case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER":
            position = _starting_number(context, request, stream, shard) + (kind == "AFTER_SEQUENCE_NUMBER")
        case "AT_TIMESTAMP":
            moment = request.optional_number("Timestamp")
            if moment is None:
                raise invalid_argument("Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.")
            if moment > context.now:
                raise invalid_argument("The timestampInMillis parameter cannot be greater than the current time.")
            position = shard.position_at(moment) or stream.next_sequence_number(context.now)
        case _:
            raise request.wrong(
                "ShardIteratorType",
                "TRIM_HORIZON, LATEST, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER or AT_TIMESTAMP",
            )
    return Success({"ShardIterator": _iterator(context, stream, shard, position)})


def get_records(context: StreamContext, request: Fields) -> Success:
    """Execute GetRecords. The last read of a closed shard names the shards that follow."""
    most = request.optional_whole("Limit")
    if most is not None and not 1 <= most <= _MAX_GET_RECORDS:
        raise request.wrong("Limit", f"from 1 to {_MAX_GET_RECORDS}")
    stream, shard, position = _from_iterator(context, request)
    if context.limits_reads and not shard.admits_read(context.reader_now):
        message = (
            f"Rate exceeded for shard {shard.shard_id} in stream {stream.name} under account {context.caller.account}."
        )
        raise refuse(Refusal("ProvisionedThroughputExceededException", message))
    found = shard.read(position, _MAX_GET_RECORDS if most is None else most)
    shard.count_read(sum(len(data) for _, data in found.records), context.reader_now)
    is_at_end = found.unread_since is None and not shard.is_open
    behind = 0.0 if found.unread_since is None else context.now - found.unread_since
    body: dict[str, object] = {
        "Records": [_to_json(record, data) for record, data in found.records],
        "NextShardIterator": None if is_at_end else _iterator(context, stream, shard, found.position),
        "MillisBehindLatest": max(round(behind * 1000), 0),
    }
    if is_at_end:
        body["ChildShards"] = [_child(child) for child in stream.children(shard)]
    return Success(body)


def _entry(request: Fields) -> _Entry:
    key = request.text("PartitionKey")
    if not 1 <= len(key) <= _MAX_PARTITION_KEY:
        raise request.wrong("PartitionKey", f"1 to {_MAX_PARTITION_KEY} characters")
    hash_key = request.optional_text("ExplicitHashKey")
    if hash_key is not None and (_NUMBER.fullmatch(hash_key) is None or int(hash_key) > MAX_HASH_KEY):
        raise invalid_argument(f"Invalid ExplicitHashKey. ExplicitHashKey must be from 0 to {MAX_HASH_KEY}.")
    try:
        data = base64.b64decode(request.text("Data"), validate=True)
    except (binascii.Error, ValueError):
        raise request.wrong("Data", "in base64") from None
    entry = _Entry(key, None if hash_key is None else int(hash_key), data)
    if entry.size > _MAX_RECORD_BYTES:
        raise request.wrong("Data", f"at most {_MAX_RECORD_BYTES} bytes, with the partition key")
    return entry


def _written(shard: EmulatedShard, record: StoredRecord) -> JsonObject:
    return {"ShardId": shard.shard_id, "SequenceNumber": str(record.sequence_number)}


def _to_json(record: StoredRecord, data: bytes) -> JsonObject:
    return {
        "SequenceNumber": str(record.sequence_number),
        "ApproximateArrivalTimestamp": round(record.arrived_at, 3),
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": record.partition_key,
    }


def _child(shard: EmulatedShard) -> JsonObject:
    return {
        "ShardId": shard.shard_id,
        "ParentShards": list(shard.parents),
        "HashKeyRange": {"StartingHashKey": str(shard.first_hash), "EndingHashKey": str(shard.last_hash)},
    }


def _starting_number(context: StreamContext, request: Fields, stream: EmulatedStream, shard: EmulatedShard) -> int:
    text = request.optional_text("StartingSequenceNumber")
    if text is None:
        raise invalid_argument("Must specify startingSequenceNumber parameter for this type of iterator.")
    if _NUMBER.fullmatch(text) is None:
        raise request.wrong("StartingSequenceNumber", "a sequence number")
    number = int(text)
    last = shard.last_sequence_number or stream.next_sequence_number(context.now)
    if not shard.first_sequence_number <= number <= last:
        raise invalid_argument(
            f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.shard_id} in stream {stream.name}"
            f" under account {context.caller.account} is invalid because it did not come from this shard."
        )
    return number


def _iterator(context: StreamContext, stream: EmulatedStream, shard: EmulatedShard, position: int) -> str:
    return write_token(stream.name, stream.created, shard.number, str(position), context.reader_now)


def _from_iterator(context: StreamContext, request: Fields) -> tuple[EmulatedStream, EmulatedShard, int]:
    """Return the stream, the shard and the position of a shard iterator."""
    parts = read_token(request.text("ShardIterator"), str, float, int, str, float)
    if parts is None:
        raise _bad_iterator()
    name, created, number, position, issued = cast("tuple[str, float, int, str, float]", parts)
    if _NUMBER.fullmatch(position) is None:
        raise _bad_iterator()
    if context.reader_now - issued > TOKEN_LIFE:
        message = (
            f"Iterator expired. The iterator was created at time {issued:.3f} while right now it is"
            f" {context.reader_now:.3f} which is further in the future than the tolerated delay of 300000 milliseconds."
        )
        raise refuse(Refusal("ExpiredIteratorException", message))
    stream = context.named(name)
    shard = next((shard for shard in stream.shards.values() if shard.number == number), None)
    if shard is None or stream.created != created:
        raise _bad_iterator()
    return stream, shard, int(position)


def _bad_iterator() -> RefusedError:
    return invalid_argument("Invalid ShardIterator.")
