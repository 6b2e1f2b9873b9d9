"""Write and read data streams over HTTP with boto3 and aiobotocore. What moto has right is compared with its server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.session import get_session as get_botocore_session
from botocore.validate import ParamValidator

from aiorekostream.emulator import (
    Emulator,
)
from tests.emulator.aws_services import FIRST_SHARD, AsyncClient, refused, service, shard_iterator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HALF = str(2**127)
# What AWS sends although the ranges of its own model exclude it: 0 failures, and no metrics.
OUT_OF_THE_MODELS_RANGE = (
    "Invalid value for parameter FailedRecordCount, value: 0",
    "Invalid length for parameter StreamDescription.EnhancedMonitoring[0].ShardLevelMetrics, value: 0",
    "Invalid length for parameter StreamDescriptionSummary.EnhancedMonitoring[0].ShardLevelMetrics, value: 0",
)


@pytest.fixture
async def kinesis(endpoint: str) -> AsyncIterator[AsyncClient]:
    """A client of Kinesis, of the emulator and of moto."""
    found = service("kinesis", endpoint)
    yield found
    found.client.close()


async def test_records_are_written_and_read(kinesis: AsyncClient) -> None:
    await kinesis("create_stream", StreamName="s", ShardCount=1)
    put = await kinesis("put_record", StreamName="s", Data=b"1", PartitionKey="a")
    batch = [{"Data": data, "PartitionKey": "a"} for data in (b"2", b"\x00\xff")]
    written = await kinesis("put_records", StreamName="s", Records=batch)
    assert (put["ShardId"], written["FailedRecordCount"]) == (FIRST_SHARD, 0)
    found = await kinesis("get_records", ShardIterator=await shard_iterator(kinesis, "s"))
    assert [record["Data"] for record in found["Records"]] == [b"1", b"2", b"\x00\xff"]
    assert {record["PartitionKey"] for record in found["Records"]} == {"a"}
    numbers = [put["SequenceNumber"], *(record["SequenceNumber"] for record in written["Records"])]
    assert [record["SequenceNumber"] for record in found["Records"]] == numbers
    after = await kinesis(
        "get_shard_iterator",
        StreamName="s",
        ShardId=FIRST_SHARD,
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        StartingSequenceNumber=numbers[0],
    )
    found = await kinesis("get_records", ShardIterator=after["ShardIterator"], Limit=1)
    assert [record["Data"] for record in found["Records"]] == [b"2"]
    assert found["NextShardIterator"]


async def test_shards_share_the_hash_keys(kinesis: AsyncClient) -> None:
    await kinesis("create_stream", StreamName="s", ShardCount=3)
    shards = (await kinesis("list_shards", StreamName="s"))["Shards"]
    size = 2**128 // 3
    assert [shard["HashKeyRange"] for shard in shards] == [
        {"StartingHashKey": "0", "EndingHashKey": str(size - 1)},
        {"StartingHashKey": str(size), "EndingHashKey": str(2 * size - 1)},
        {"StartingHashKey": str(2 * size), "EndingHashKey": str(2**128 - 1)},
    ]
    summary = (await kinesis("describe_stream_summary", StreamName="s"))["StreamDescriptionSummary"]
    assert (summary["StreamName"], summary["StreamStatus"], summary["OpenShardCount"]) == ("s", "ACTIVE", 3)
    assert (summary["RetentionPeriodHours"], summary["EncryptionType"]) == (24, "NONE")
    assert summary["StreamARN"].endswith(":stream/s")
    assert (await kinesis("list_streams"))["StreamNames"] == ["s"]


async def test_shards_are_split_and_merged(kinesis: AsyncClient) -> None:
    await kinesis("create_stream", StreamName="s", ShardCount=1)
    await kinesis("split_shard", StreamName="s", ShardToSplit=FIRST_SHARD, NewStartingHashKey=HALF)
    first, second, third = (await kinesis("list_shards", StreamName="s"))["Shards"]
    assert "EndingSequenceNumber" in first["SequenceNumberRange"]
    assert [shard["ParentShardId"] for shard in (second, third)] == [FIRST_SHARD, FIRST_SHARD]
    assert third["HashKeyRange"]["StartingHashKey"] == HALF
    pair = {"ShardToMerge": second["ShardId"], "AdjacentShardToMerge": third["ShardId"]}
    await kinesis("merge_shards", StreamName="s", **pair)
    merged = (await kinesis("list_shards", StreamName="s"))["Shards"][-1]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (second["ShardId"], third["ShardId"])


@pytest.mark.parametrize(
    ("verb", "members", "code"),
    [
        ("create_stream", {"StreamName": "s", "ShardCount": 1}, "ResourceInUseException"),
        ("describe_stream_summary", {"StreamName": "none"}, "ResourceNotFoundException"),
        ("list_shards", {"StreamName": "none"}, "ResourceNotFoundException"),
        ("put_record", {"StreamName": "none", "Data": b"", "PartitionKey": "k"}, "ResourceNotFoundException"),
        (
            "get_shard_iterator",
            {"StreamName": "s", "ShardId": "shardId-9", "ShardIteratorType": "LATEST"},
            "ResourceNotFoundException",
        ),
        (
            "put_records",
            {"StreamName": "s", "Records": [{"Data": b"", "PartitionKey": "k"}] * 501},
            "ValidationException",
        ),
        (
            "put_records",
            {"StreamName": "s", "Records": [{"Data": bytes(1_048_577), "PartitionKey": "k"}]},
            "ValidationException",
        ),
        (
            "put_records",
            {"StreamName": "s", "Records": [{"Data": bytes(1_000_000), "PartitionKey": "k"}] * 6},
            "InvalidArgumentException",
        ),
        (
            "split_shard",
            {"StreamName": "s", "ShardToSplit": FIRST_SHARD, "NewStartingHashKey": "0"},
            "InvalidArgumentException",
        ),
        (
            "split_shard",
            {"StreamName": "s", "ShardToSplit": "shardId-9", "NewStartingHashKey": HALF},
            "ResourceNotFoundException",
        ),
        ("delete_stream", {"StreamName": "none"}, "ResourceNotFoundException"),
    ],
)
async def test_request_is_refused(kinesis: AsyncClient, verb: str, members: dict[str, Any], code: str) -> None:
    await kinesis("create_stream", StreamName="s", ShardCount=1)
    assert await refused(kinesis, verb, **members) == code


def unknown_members(shape: Any, value: object, path: str) -> list[str]:  # noqa: ANN401 - a shape of botocore
    """Return the members of a JSON value that Amazon's model does not have."""
    if shape.type_name == "structure" and isinstance(value, dict):
        found: list[str] = []
        for name, member in cast("dict[str, object]", value).items():
            known = shape.members.get(name)
            found += [f"{path}.{name}"] if known is None else unknown_members(known, member, f"{path}.{name}")
        return found
    if shape.type_name == "list" and isinstance(value, list):
        items = cast("list[object]", value)
        return [each for item in items for each in unknown_members(shape.member, item, path)]
    return []


async def test_responses_follow_the_model_of_amazon() -> None:
    """Botocore parses them; its validator finds missing members, and the raw JSON has no others."""
    model = get_botocore_session().get_service_model("kinesis")
    seen: dict[str, object] = {}

    def keep(response_dict: dict[str, Any], operation_model: Any, **_: object) -> None:  # noqa: ANN401
        seen[operation_model.name] = json.loads(response_dict["body"] or "{}")

    async with Emulator() as emulator:
        kinesis = service("kinesis", emulator.url)
        kinesis.client.meta.events.register("before-parse.kinesis", keep)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        record = {"Data": b"1", "PartitionKey": "a"}
        parsed = {
            "PutRecord": await kinesis("put_record", StreamName="s", **record),
            "PutRecords": await kinesis("put_records", StreamName="s", Records=[record]),
            "ListStreams": await kinesis("list_streams", Limit=1),
        }
        await kinesis("split_shard", StreamName="s", ShardToSplit=FIRST_SHARD, NewStartingHashKey=HALF)
        token = await shard_iterator(kinesis, "s")
        parsed |= {
            "GetRecords": await kinesis("get_records", ShardIterator=token),
            "DescribeStream": await kinesis("describe_stream", StreamName="s"),
            "DescribeStreamSummary": await kinesis("describe_stream_summary", StreamName="s"),
            "ListShards": await kinesis("list_shards", StreamName="s", MaxResults=1),
        }
        kinesis.client.close()
    assert "NextToken" in parsed["ListShards"]
    assert "ChildShards" in parsed["GetRecords"]
    for name, response in parsed.items():
        shape: Any = model.operation_model(name).output_shape
        report = str(ParamValidator().validate(response, shape).generate_report())
        problems = [line for line in report.splitlines() if not line.startswith(OUT_OF_THE_MODELS_RANGE)]
        assert problems == [], name
        assert unknown_members(shape, seen[name], name) == []
