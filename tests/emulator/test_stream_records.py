"""How the records of data streams are written and read, in the pure world: the time is an argument."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from aiorekostream.emulator.world.streams import Streams
from tests.emulator.kinesis_world import FIRST, SECOND, THIRD, Kinesis, data_of, new_stream

MEGABYTE = bytes(1_000_000)


@pytest.fixture
def kinesis() -> Kinesis:
    """An account with a stream of one shard."""
    return new_stream()


def test_records_are_read_in_the_order_in_which_they_were_written(kinesis: Kinesis) -> None:
    written = [kinesis.put(data) for data in (b"1", b"2", b"3")]
    kinesis.now += 1
    token = kinesis.iterator()
    first = kinesis("GetRecords", ShardIterator=token, Limit=2)
    second = kinesis("GetRecords", ShardIterator=first["NextShardIterator"])
    assert [record["SequenceNumber"] for record in first["Records"]] == [each["SequenceNumber"] for each in written[:2]]
    assert (data_of(first), data_of(second)) == ([b"1", b"2"], [b"3"])
    assert (first["MillisBehindLatest"], second["MillisBehindLatest"]) == (1000, 0)
    assert data_of(kinesis("GetRecords", ShardIterator=second["NextShardIterator"])) == []


def test_sequence_numbers_have_56_digits_and_grow(kinesis: Kinesis) -> None:
    numbers: list[str] = []
    for _ in range(5):
        numbers.append(kinesis.put(b"")["SequenceNumber"])
        kinesis.now += 0.0004
    assert {len(number) for number in numbers} == {56}
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("key", ["a", "b", "für", "x" * 256])
def test_record_is_in_the_shard_of_its_hash_key(key: str) -> None:
    kinesis = new_stream(4)
    put = kinesis.put(b"", key)
    digest = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
    hashes = kinesis.shards()[put["ShardId"]]["HashKeyRange"]
    assert int(hashes["StartingHashKey"]) <= digest <= int(hashes["EndingHashKey"])
    explicit = kinesis.put(b"", key, ExplicitHashKey=str(2**128 - 1))
    assert explicit["ShardId"] == f"shardId-{3:012}"


def test_iterator_begins_where_it_says(kinesis: Kinesis) -> None:
    numbers: list[str] = []
    moments: list[float] = []
    for data in (b"1", b"2", b"3"):
        kinesis.now += 1
        numbers.append(kinesis.put(data)["SequenceNumber"])
        moments.append(kinesis.now)
    assert kinesis.read(kind="TRIM_HORIZON") == [b"1", b"2", b"3"]
    assert kinesis.read(kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"2", b"3"]
    assert kinesis.read(kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"3"]
    assert kinesis.read(kind="AT_TIMESTAMP", Timestamp=moments[1]) == [b"2", b"3"]
    assert kinesis.read(kind="AT_TIMESTAMP", Timestamp=moments[1] + 0.001) == [b"3"]
    latest = kinesis.iterator(kind="LATEST")
    kinesis.put(b"4")
    assert data_of(kinesis("GetRecords", ShardIterator=latest)) == [b"4"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "5"}, "InvalidArgumentException"),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "x"}, "InvalidParameterException"),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        ({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1.8e9}, "InvalidArgumentException"),
        ({"ShardIteratorType": "OLDEST"}, "InvalidParameterException"),
        ({"ShardIteratorType": "LATEST", "ShardId": "shardId-9"}, "ResourceNotFoundException"),
        ({"ShardIteratorType": "LATEST", "StreamName": "none"}, "ResourceNotFoundException"),
    ],
)
def test_iterator_is_refused(kinesis: Kinesis, members: dict[str, Any], code: str) -> None:
    assert kinesis.refused("GetShardIterator", **{"StreamName": "s", "ShardId": FIRST, **members}) == code


def test_iterator_lives_five_minutes(kinesis: Kinesis) -> None:
    token = kinesis.iterator()
    kinesis.now += 300
    token = kinesis("GetRecords", ShardIterator=token)["NextShardIterator"]
    kinesis.now += 300.1
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ExpiredIteratorException"


@pytest.mark.parametrize("token", ["", "x", "äöü", "e30=", base64.b64encode(b'["s",1.0,0,"no",1.0]').decode()])
def test_text_that_is_no_iterator_is_refused(kinesis: Kinesis, token: str) -> None:
    assert kinesis.refused("GetRecords", ShardIterator=token) == "InvalidArgumentException"


def test_iterator_of_a_deleted_stream_is_refused(kinesis: Kinesis) -> None:
    token = kinesis.iterator()
    kinesis("DeleteStream", StreamName="s")
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ResourceNotFoundException"
    kinesis.now += 1
    kinesis("CreateStream", StreamName="s", ShardCount=1)
    assert kinesis.refused("GetRecords", ShardIterator=token) == "InvalidArgumentException"


def test_shard_is_read_five_times_a_second(kinesis: Kinesis) -> None:
    kinesis.limits_reads = True
    kinesis.split()
    token, other = kinesis.iterator(SECOND), kinesis.iterator(THIRD)
    for _ in range(5):
        kinesis("GetRecords", ShardIterator=token)
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ProvisionedThroughputExceededException"
    kinesis("GetRecords", ShardIterator=other)
    kinesis.now += 0.25
    kinesis("GetRecords", ShardIterator=token)
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ProvisionedThroughputExceededException"


def test_shard_is_read_at_two_megabytes_a_second(kinesis: Kinesis) -> None:
    """A read of 10 MB blocks the shard for five seconds."""
    kinesis.limits_reads = True
    for _ in range(12):
        kinesis.put(MEGABYTE)
    token = kinesis.iterator()
    for _ in range(3):
        token = kinesis("GetRecords", ShardIterator=token, Limit=1)["NextShardIterator"]
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ProvisionedThroughputExceededException"
    kinesis.now += 10
    found = kinesis("GetRecords", ShardIterator=kinesis.iterator())
    assert len(found["Records"]) == 10
    token = found["NextShardIterator"]
    kinesis.now += 4.7
    assert kinesis.refused("GetRecords", ShardIterator=token) == "ProvisionedThroughputExceededException"
    kinesis.now += 0.3
    assert len(data_of(kinesis("GetRecords", ShardIterator=token))) == 2


def test_one_read_returns_ten_thousand_records(kinesis: Kinesis) -> None:
    records = [{"Data": "", "PartitionKey": "k"}] * 500
    for _ in range(21):
        assert kinesis("PutRecords", StreamName="s", Records=records)["FailedRecordCount"] == 0
    assert len(kinesis.read()) == 10_000


def test_refused_put_writes_nothing(kinesis: Kinesis) -> None:
    good = {"Data": "", "PartitionKey": "k"}
    for bad, code in [
        ({"Data": "", "PartitionKey": ""}, "InvalidParameterException"),
        ({"Data": "", "PartitionKey": "k" * 257}, "InvalidParameterException"),
        ({"Data": "*", "PartitionKey": "k"}, "InvalidParameterException"),
        ({"Data": base64.b64encode(bytes(1_048_576)).decode(), "PartitionKey": "k"}, "InvalidParameterException"),
        ({"Data": "", "PartitionKey": "k", "ExplicitHashKey": str(2**128)}, "InvalidArgumentException"),
    ]:
        assert kinesis.refused("PutRecords", StreamName="s", Records=[good, bad]) == code
    large = {"Data": base64.b64encode(MEGABYTE).decode(), "PartitionKey": "k"}
    assert kinesis.refused("PutRecords", StreamName="s", Records=[large] * 6) == "InvalidArgumentException"
    assert kinesis.refused("PutRecords", StreamName="s", Records=[good] * 501) == "InvalidParameterException"
    assert kinesis.refused("PutRecords", StreamName="s", Records=[]) == "InvalidParameterException"
    assert kinesis.read() == []


@pytest.mark.parametrize("streams", [Streams(max_records=100), Streams(max_bytes=100 * 1400)])
def test_oldest_records_of_the_fullest_shard_are_removed(streams: Streams) -> None:
    kinesis = Kinesis(streams)
    for name in ("s", "t"):
        kinesis("CreateStream", StreamName=name, ShardCount=1)
    kinesis("PutRecord", StreamName="t", PartitionKey="k", Data="")
    for number in range(150):
        kinesis.put(str(number).ljust(1000).encode())
    numbers = [int(data) for data in kinesis.read()]
    assert numbers == list(range(150 - len(numbers), 150))
    assert 90 <= len(numbers) <= 100
    assert streams.dropped == 150 - len(numbers)
    assert kinesis("DescribeStreamSummary", StreamName="t")
