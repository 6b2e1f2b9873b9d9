"""What data streams and their shards do, in the pure world: no HTTP, and the time is an argument."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.emulator import DependencyFaults
from tests.emulator.kinesis_world import FIRST, HALF, SECOND, THIRD, Kinesis, data_of, new_stream
from tests.emulator.samples import ACCOUNT, HERE

HOUR = 3600.0


@pytest.fixture
def kinesis() -> Kinesis:
    """An account with a stream of one shard."""
    return new_stream()


def test_closed_shard_ends_with_its_children(kinesis: Kinesis) -> None:
    kinesis.put(b"before")
    kinesis.split()
    after = [kinesis.put(b"low", ExplicitHashKey="0"), kinesis.put(b"high", ExplicitHashKey=HALF)]
    assert [put["ShardId"] for put in after] == [SECOND, THIRD]
    last = kinesis("GetRecords", ShardIterator=kinesis.iterator())
    assert (data_of(last), last["NextShardIterator"]) == ([b"before"], None)
    assert last["ChildShards"] == [
        {
            "ShardId": SECOND,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)},
        },
        {
            "ShardId": THIRD,
            "ParentShards": [FIRST],
            "HashKeyRange": {"StartingHashKey": HALF, "EndingHashKey": str(2**128 - 1)},
        },
    ]
    assert (kinesis.read(SECOND), kinesis.read(THIRD)) == ([b"low"], [b"high"])


def test_merged_shard_has_two_parents(kinesis: Kinesis) -> None:
    kinesis.split()
    kinesis.merge(THIRD, SECOND)
    merged = kinesis.shards()["shardId-000000000003"]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (THIRD, SECOND)
    assert merged["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    last = kinesis("GetRecords", ShardIterator=kinesis.iterator(SECOND))
    (child,) = last["ChildShards"]
    assert child["ParentShards"] == [THIRD, SECOND]


def test_sequence_numbers_of_children_follow_those_of_parents(kinesis: Kinesis) -> None:
    before = kinesis.put(b"")["SequenceNumber"]
    kinesis.split()
    after = kinesis.put(b"")["SequenceNumber"]
    parent, *children = (shard["SequenceNumberRange"] for shard in kinesis.shards().values())
    assert parent["StartingSequenceNumber"] <= before < parent["EndingSequenceNumber"]
    for child in children:
        assert parent["EndingSequenceNumber"] < child["StartingSequenceNumber"] <= after
        assert "EndingSequenceNumber" not in child


@pytest.mark.parametrize(
    ("operation", "members", "code"),
    [
        ("SplitShard", {"ShardToSplit": FIRST, "NewStartingHashKey": HALF}, "InvalidArgumentException"),
        ("SplitShard", {"ShardToSplit": SECOND, "NewStartingHashKey": "0"}, "InvalidArgumentException"),
        ("SplitShard", {"ShardToSplit": SECOND, "NewStartingHashKey": HALF}, "InvalidArgumentException"),
        ("SplitShard", {"ShardToSplit": "no", "NewStartingHashKey": "5"}, "ResourceNotFoundException"),
        ("SplitShard", {"ShardToSplit": SECOND, "NewStartingHashKey": "-1"}, "InvalidParameterException"),
        ("MergeShards", {"ShardToMerge": FIRST, "AdjacentShardToMerge": SECOND}, "InvalidArgumentException"),
        ("MergeShards", {"ShardToMerge": SECOND, "AdjacentShardToMerge": SECOND}, "InvalidArgumentException"),
    ],
)
def test_resharding_is_refused(kinesis: Kinesis, operation: str, members: dict[str, Any], code: str) -> None:
    """The first shard is closed, and the other two are open."""
    kinesis.split()
    assert kinesis.refused(operation, StreamName="s", **members) == code


def test_shards_that_are_apart_cannot_be_merged() -> None:
    kinesis = new_stream(3)
    apart = {"ShardToMerge": FIRST, "AdjacentShardToMerge": THIRD}
    assert kinesis.refused("MergeShards", StreamName="s", **apart) == "InvalidArgumentException"


@pytest.mark.parametrize(
    ("shard_filter", "found"),
    [
        (None, [0, 1, 2, 3]),
        ({"Type": "AT_LATEST"}, [3]),
        ({"Type": "AT_TRIM_HORIZON"}, [0]),
        ({"Type": "FROM_TRIM_HORIZON"}, [0, 1, 2, 3]),
        ({"Type": "AFTER_SHARD_ID", "ShardId": SECOND}, [2, 3]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": 1_700_000_015}, [1, 2]),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": 1_700_000_015}, [1, 2, 3]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": 5}, [0]),
    ],
)
def test_shards_are_filtered(kinesis: Kinesis, shard_filter: object, found: list[int]) -> None:
    """The stream was split after ten seconds, and its shards were merged after twenty."""
    kinesis.now += 10
    kinesis.split()
    kinesis.now += 10
    kinesis.merge(SECOND, THIRD)
    expected = [f"shardId-{number:012}" for number in found]
    assert list(kinesis.shards(ShardFilter=shard_filter)) == expected


@pytest.mark.parametrize("shard_filter", [{"Type": "NEWEST"}, {"Type": "AT_TIMESTAMP"}, {}])
def test_unknown_filter_is_refused(kinesis: Kinesis, shard_filter: object) -> None:
    assert kinesis.refused("ListShards", StreamName="s", ShardFilter=shard_filter) in {
        "InvalidArgumentException",
        "InvalidParameterException",
    }


def test_shards_are_listed_in_pages() -> None:
    """A page keeps its filter, and its token lives five minutes."""
    kinesis = new_stream(5)
    page = kinesis("ListShards", StreamName="s", MaxResults=2, ExclusiveStartShardId=FIRST)
    assert [shard["ShardId"] for shard in page["Shards"]] == [SECOND, THIRD]
    rest = kinesis("ListShards", NextToken=page["NextToken"])
    assert [shard["ShardId"][-1] for shard in rest["Shards"]] == ["3", "4"]
    assert "NextToken" not in rest
    both = {"StreamName": "s", "NextToken": page["NextToken"]}
    assert kinesis.refused("ListShards", **both) == "InvalidArgumentException"
    kinesis.now += 301
    assert kinesis.refused("ListShards", NextToken=page["NextToken"]) == "ExpiredNextTokenException"
    assert kinesis.refused("ListShards", NextToken="x") == "InvalidArgumentException"


def test_records_and_closed_shards_expire_after_a_day(kinesis: Kinesis) -> None:
    kinesis.put(b"first")
    kinesis.now += HOUR
    kinesis.split()
    kinesis.put(b"second")
    kinesis.now += 23 * HOUR
    assert kinesis.read() == []
    assert list(kinesis.shards()) == [FIRST, SECOND, THIRD]
    kinesis.now += HOUR - 1
    assert kinesis.read(SECOND) + kinesis.read(THIRD) == [b"second"]
    kinesis.now += 1
    assert kinesis.read(SECOND) + kinesis.read(THIRD) == []
    assert list(kinesis.shards()) == [SECOND, THIRD]


def test_implicit_stream_gets_the_shards_of_the_first_create(kinesis: Kinesis) -> None:
    kinesis.streams.open(HERE, "faces", kinesis.now)
    kinesis("CreateStream", StreamName="faces", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = kinesis("DescribeStreamSummary", StreamName="faces")["StreamDescriptionSummary"]
    assert (summary["OpenShardCount"], summary["StreamModeDetails"]) == (4, {"StreamMode": "ON_DEMAND"})
    assert kinesis.refused("CreateStream", StreamName="faces", ShardCount=4) == "ResourceInUseException"
    kinesis.streams.open(HERE, "used", kinesis.now)
    kinesis("PutRecord", StreamName="used", PartitionKey="k", Data="")
    assert kinesis.refused("CreateStream", StreamName="used", ShardCount=4) == "ResourceInUseException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"StreamName": "a b", "ShardCount": 1}, "InvalidParameterException"),
        ({"StreamName": "a", "ShardCount": 0}, "InvalidParameterException"),
        ({"StreamName": "a"}, "InvalidParameterException"),
        ({"StreamName": "a", "ShardCount": 501}, "LimitExceededException"),
    ],
)
def test_create_is_refused(kinesis: Kinesis, members: dict[str, Any], code: str) -> None:
    assert kinesis.refused("CreateStream", **members) == code


def test_split_above_the_number_of_shards_is_refused() -> None:
    kinesis = new_stream(500)
    split = {"ShardToSplit": FIRST, "NewStartingHashKey": "1000"}
    assert kinesis.refused("SplitShard", StreamName="s", **split) == "LimitExceededException"


def test_stream_is_found_by_name_and_arn(kinesis: Kinesis) -> None:
    """A processor may name the ARN of another account than the key's."""
    for account in (ACCOUNT, "999999999999"):
        arn = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
        assert kinesis("DescribeStream", StreamARN=arn)["StreamDescription"]["StreamName"] == "s"
        other = {"StreamARN": arn, "StreamName": "t"}
        assert kinesis.refused("DescribeStream", **other) == "InvalidArgumentException"
    abroad = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/s"
    assert kinesis.refused("DescribeStream", StreamARN=abroad) == "InvalidArgumentException"
    assert kinesis.refused("DescribeStream") == "InvalidArgumentException"


def test_streams_are_listed_in_pages(kinesis: Kinesis) -> None:
    for name in ("a", "b"):
        kinesis("CreateStream", StreamName=name, ShardCount=1)
    page = kinesis("ListStreams", Limit=2)
    assert (page["StreamNames"], page["HasMoreStreams"]) == (["a", "b"], True)
    assert kinesis("ListStreams", NextToken=page["NextToken"])["StreamNames"] == ["s"]


def test_missing_stream_is_not_found(kinesis: Kinesis) -> None:
    kinesis.faults = DependencyFaults(missing_data_streams=["s*"])
    assert kinesis.refused("DescribeStreamSummary", StreamName="s") == "ResourceNotFoundException"
    assert kinesis("ListStreams")["StreamNames"] == []


def read_through(kinesis: Kinesis) -> list[int]:
    """Read all shards from the oldest record on, children after their parents, a few records at a time."""
    waiting = list(kinesis.shards(ShardFilter={"Type": "AT_TRIM_HORIZON"}))
    found: list[int] = []
    seen = set(waiting)
    while waiting:
        token: str | None = kinesis.iterator(waiting.pop())
        while token is not None:
            response = kinesis("GetRecords", ShardIterator=token, Limit=3)
            found += map(int, data_of(response))
            token = response["NextShardIterator"]
            for child in response.get("ChildShards", ()):
                if child["ShardId"] not in seen:
                    seen.add(child["ShardId"])
                    waiting.append(child["ShardId"])
            if not response["Records"]:
                break
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "split", "merge"]), st.integers(0, 50)), max_size=60))
def test_each_record_is_read_once_when_the_stream_is_resharded(steps: list[tuple[str, int]]) -> None:
    kinesis = new_stream(2)
    numbers = itertools.count()
    for step, choice in steps:
        kinesis.now += 0.1
        opened = sorted(
            kinesis.shards(ShardFilter={"Type": "AT_LATEST"}).values(),
            key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]),
        )
        shard = opened[choice % len(opened)]
        if step == "put":
            kinesis.put(str(next(numbers)).encode(), str(choice))
        elif step == "split":
            first, last = map(int, shard["HashKeyRange"].values())
            kinesis.split(shard["ShardId"], str((first + last) // 2))
        elif len(opened) > 1:
            index = choice % (len(opened) - 1)
            kinesis.merge(opened[index]["ShardId"], opened[index + 1]["ShardId"])
    assert sorted(read_through(kinesis)) == list(range(next(numbers)))
