"""Execute the operations of Kinesis Data Streams on streams and shards, and find the function of each operation.

See https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html. The operations are those that a
consumer needs, and those with which a test sets up a stream and reshards it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.emulator.world import record_operations as records
from aiorekostream.emulator.world.answers import Refusal, Success, refuse
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.stream_context import (
    TOKEN_LIFE,
    StreamContext,
    invalid_argument,
    read_token,
    write_token,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.emulator.world.answers import JsonObject
    from aiorekostream.emulator.world.shard import EmulatedShard
    from aiorekostream.emulator.world.stream import EmulatedStream

__all__ = ["STREAM_OPERATIONS", "execute"]

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
# Open shards of a stream; the emulator's own choice. AWS's quotas are higher.
_MAX_SHARDS = 500
# Shards of a stream that is created in the on-demand mode, as at AWS.
_ON_DEMAND_SHARDS = 4
_NO_METRICS: JsonObject = {"ShardLevelMetrics": ()}
_MAX_PAGE, _PAGE, _STREAM_PAGE = 10_000, 1_000, 100


def create_stream(context: StreamContext, request: Fields) -> Success:
    """Execute CreateStream. A stream that a processor made gets the shards, if it has no records."""
    name = request.text("StreamName")
    if _NAME.fullmatch(name) is None:
        raise request.wrong("StreamName", "1 to 128 characters of a-z, A-Z, 0-9, '_', '.' and '-'")
    mode = request.optional_structure("StreamModeDetails")
    is_on_demand = mode is not None and mode.text("StreamMode") == "ON_DEMAND"
    count = request.optional_whole("ShardCount") or (_ON_DEMAND_SHARDS if is_on_demand else None)
    if count is None or count < 1:
        raise request.wrong("ShardCount", "at least 1")
    _check_count(context, count)
    before = context.streams.get(context.caller, name)
    if before is not None:
        before.advance(context.now)
    if before is not None and (not before.is_implicit or any(map(len, before.shards.values()))):
        message = f"Stream {name} under account {context.caller.account} already exists."
        raise refuse(Refusal("ResourceInUseException", message))
    stream = context.streams.open(context.caller, name, context.now)
    if stream is None:
        raise refuse(Refusal("LimitExceededException", "The emulator has too many streams."))
    stream.is_implicit, stream.is_on_demand = False, is_on_demand
    stream.open_evenly(count, context.now)
    return Success(None)


def delete_stream(context: StreamContext, request: Fields) -> Success:
    """Execute DeleteStream."""
    context.streams.delete(context.stream(request))
    return Success(None)


def list_streams(context: StreamContext, request: Fields) -> Success:
    """Execute ListStreams."""
    after = request.optional_text("NextToken") or request.optional_text("ExclusiveStartStreamName") or ""
    most = _limit(request, "Limit", _STREAM_PAGE)
    found = [stream for stream in context.streams.of(context.caller) if stream.name > after and context.exists(stream)]
    page = found[:most]
    body: dict[str, object] = {
        "StreamNames": [stream.name for stream in page],
        "StreamSummaries": [
            {
                "StreamName": stream.name,
                "StreamARN": stream.arn,
                "StreamStatus": "ACTIVE",
                "StreamModeDetails": _mode(stream),
                "StreamCreationTimestamp": round(stream.created, 3),
            }
            for stream in page
        ],
        "HasMoreStreams": len(page) < len(found),
    }
    if len(page) < len(found):
        body["NextToken"] = page[-1].name
    return Success(body)


def describe_summary(context: StreamContext, request: Fields) -> Success:
    """Execute DescribeStreamSummary."""
    stream = context.stream(request)
    counts = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": 0}
    return Success({"StreamDescriptionSummary": {**_description(stream), **counts}})


def describe(context: StreamContext, request: Fields) -> Success:
    """Execute DescribeStream."""
    stream = context.stream(request)
    after = request.optional_text("ExclusiveStartShardId") or ""
    found = [shard for shard in stream.shards.values() if shard.shard_id > after]
    most = _limit(request, "Limit", _STREAM_PAGE)
    page = {"Shards": [_to_json(shard) for shard in found[:most]], "HasMoreShards": len(found) > most}
    return Success({"StreamDescription": {**_description(stream), **page}})


def list_shards(context: StreamContext, request: Fields) -> Success:
    """Execute ListShards."""
    most = _limit(request, "MaxResults", _PAGE)
    token = request.optional_text("NextToken")
    if token is None:
        stream = context.stream(request)
        after = request.optional_text("ExclusiveStartShardId") or ""
        found = [shard for shard in _filtered(context, request, stream) if shard.shard_id > after]
    else:
        if request.has("StreamName") or request.has("StreamARN"):
            raise invalid_argument("NextToken and StreamName cannot be provided together.")
        stream, numbers = _from_page_token(context, token)
        found = [shard for shard in stream.shards.values() if shard.number in numbers]
    page = found[:most]
    body: dict[str, object] = {"Shards": [_to_json(shard) for shard in page]}
    if len(found) > most:
        rest = ",".join(str(shard.number) for shard in found[most:])
        body["NextToken"] = write_token(stream.name, rest, context.reader_now)
    return Success(body)


def split_shard(context: StreamContext, request: Fields) -> Success:
    """Execute SplitShard."""
    stream = context.stream(request)
    shard = _open_shard(context, stream, request.text("ShardToSplit"))
    text = request.text("NewStartingHashKey")
    if not text.isdecimal():
        raise request.wrong("NewStartingHashKey", "a hash key")
    if not shard.first_hash + 1 < int(text) < shard.last_hash:
        raise invalid_argument(
            f"NewStartingHashKey {text} used in SplitShard() on shard {shard.shard_id} in stream {stream.name} under"
            f" account {context.caller.account} is not both greater than one plus the shard's StartingHashKey"
            f" {shard.first_hash} and less than the shard's EndingHashKey {shard.last_hash}."
        )
    _check_count(context, len(stream.open_shards) + 1)
    stream.split(shard, int(text), context.now)
    return Success(None)


def merge_shards(context: StreamContext, request: Fields) -> Success:
    """Execute MergeShards."""
    stream = context.stream(request)
    shard = _open_shard(context, stream, request.text("ShardToMerge"))
    adjacent = _open_shard(context, stream, request.text("AdjacentShardToMerge"))
    if shard.last_hash + 1 != adjacent.first_hash and adjacent.last_hash + 1 != shard.first_hash:
        raise invalid_argument(
            f"Shards {shard.shard_id} and {adjacent.shard_id} in stream {stream.name} under account"
            f" {context.caller.account} are not an adjacent pair of shards eligible for merging."
        )
    stream.merge(shard, adjacent, context.now)
    return Success(None)


def _limit(request: Fields, name: str, default: int) -> int:
    value = request.optional_whole(name)
    if value is not None and not 1 <= value <= _MAX_PAGE:
        raise request.wrong(name, f"from 1 to {_MAX_PAGE}")
    return default if value is None else value


def _check_count(context: StreamContext, count: int) -> None:
    if count > _MAX_SHARDS:
        message = (
            f"This request would exceed the shard limit for the account {context.caller.account} in"
            f" {context.caller.region}. The emulator's limit of a stream: {_MAX_SHARDS}."
        )
        raise refuse(Refusal("LimitExceededException", message))


def _open_shard(context: StreamContext, stream: EmulatedStream, shard_id: str) -> EmulatedShard:
    shard = context.shard(stream, shard_id)
    if not shard.is_open:
        raise invalid_argument(
            f"Shard {shard.shard_id} in stream {stream.name} under account {context.caller.account} has already been"
            " merged or split, and thus is not eligible for merging or splitting."
        )
    return shard


def _filtered(context: StreamContext, request: Fields, stream: EmulatedStream) -> Sequence[EmulatedShard]:
    shards = tuple(stream.shards.values())
    given = request.optional_structure("ShardFilter")
    if given is None:
        return shards
    kind = given.text("Type")
    if kind == "AFTER_SHARD_ID":
        after = given.text("ShardId")
        return [shard for shard in shards if shard.shard_id > after]
    if kind == "AT_LATEST":
        return [shard for shard in shards if shard.is_open]
    if kind in {"AT_TRIM_HORIZON", "FROM_TRIM_HORIZON"}:
        moment = context.now - stream.retention
    elif kind in {"AT_TIMESTAMP", "FROM_TIMESTAMP"}:
        timestamp = given.optional_number("Timestamp")
        if timestamp is None:
            raise invalid_argument(f"Timestamp must be provided for a ShardFilter of type {kind}.")
        moment = timestamp
    else:
        raise given.wrong("Type", "AFTER_SHARD_ID, AT_LATEST, or AT or FROM with TRIM_HORIZON or TIMESTAMP")
    # Before the stream's creation, its first shards count.
    moment = max(moment, stream.created)
    later = [shard for shard in shards if shard.closed_at is None or shard.closed_at > moment]
    return later if kind.startswith("FROM") else [shard for shard in later if shard.created <= moment]


def _from_page_token(context: StreamContext, token: str) -> tuple[EmulatedStream, set[int]]:
    parts = read_token(token, str, str, float)
    if parts is None:
        raise invalid_argument("Invalid NextToken.")
    name, rest, issued = cast("tuple[str, str, float]", parts)
    if context.reader_now - issued > TOKEN_LIFE:
        raise refuse(Refusal("ExpiredNextTokenException", "The NextToken has expired."))
    return context.named(name), {int(number) for number in rest.split(",") if number.isdecimal()}


def _description(stream: EmulatedStream) -> JsonObject:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": _mode(stream),
        "RetentionPeriodHours": round(stream.retention / 3600),
        "StreamCreationTimestamp": round(stream.created, 3),
        "EnhancedMonitoring": [_NO_METRICS],
        "EncryptionType": "NONE",
    }


def _mode(stream: EmulatedStream) -> JsonObject:
    return {"StreamMode": "ON_DEMAND" if stream.is_on_demand else "PROVISIONED"}


def _to_json(shard: EmulatedShard) -> JsonObject:
    numbers = {"StartingSequenceNumber": str(shard.first_sequence_number)}
    if shard.last_sequence_number is not None:
        numbers["EndingSequenceNumber"] = str(shard.last_sequence_number)
    return {
        "ShardId": shard.shard_id,
        **dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False)),
        "HashKeyRange": {"StartingHashKey": str(shard.first_hash), "EndingHashKey": str(shard.last_hash)},
        "SequenceNumberRange": numbers,
    }


_StreamOperation: TypeAlias = Callable[[StreamContext, Fields], Success]
_OPERATIONS: Mapping[str, _StreamOperation] = MappingProxyType(
    {
        "CreateStream": create_stream,
        "DeleteStream": delete_stream,
        "DescribeStream": describe,
        "DescribeStreamSummary": describe_summary,
        "GetRecords": records.get_records,
        "GetShardIterator": records.get_shard_iterator,
        "ListShards": list_shards,
        "ListStreams": list_streams,
        "MergeShards": merge_shards,
        "PutRecord": records.put_record,
        "PutRecords": records.put_records,
        "SplitShard": split_shard,
    }
)

STREAM_OPERATIONS = frozenset(_OPERATIONS)
"""AWS's names of the operations on data streams."""


def execute(context: StreamContext, operation: str, members: JsonObject) -> Success:
    """Execute an operation.

    Raises:
        RefusedError: the request is refused.
    """
    return _OPERATIONS[operation](context, Fields(members))
