"""Read face searches over HTTP with boto3 and aiobotocore, and check what only the emulator's API decides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiobotocore.session import get_session

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import (
    Appearance,
    DependencyFaults,
    Emulator,
    Footage,
    KnownFace,
    ManualClock,
    ScaledClock,
    Timings,
    VisibleFace,
)
from tests.emulator.aws_services import FIRST_SHARD, KEY, SECRET, AsyncClient, refused, service, shard_iterator
from tests.emulator.clients import AUTHORIZATION, exchange, http
from tests.emulator.samples import faces

RESIDENT = KnownFace("0a1b2c3d-1111-4222-8333-444455556666", external_image_id="resident-01")
TARGET = {
    "X-Amz-Target": "Kinesis_20131202.ListStreams",
    "Authorization": AUTHORIZATION.replace("rekognition", "kinesis"),
}


async def face_records(kinesis: AsyncClient, stream: str) -> list[dict[str, Any]]:
    """Return the records of a stream with one shard."""
    found = await kinesis("get_records", ShardIterator=await shard_iterator(kinesis, stream))
    return [json.loads(record["Data"]) for record in found["Records"]]


async def test_face_search_is_read_from_its_stream() -> None:
    """It runs from 2 s on, and the record of a frame arrives 1 s later. The person comes and goes."""
    footage = Footage([Appearance(Label.PERSON, at=2, duration=3, face=VisibleFace([RESIDENT]))])
    async with Emulator(clock=ManualClock(), footage=footage) as emulator:
        emulator.create_stream_processor(faces("lobby"), region="us-east-1", access_key=KEY)
        rekognition, kinesis = service("rekognition", emulator.url), service("kinesis", emulator.url)
        await rekognition("start_stream_processor", Name="lobby")
        emulator.advance(12)
        records = await face_records(kinesis, "lobby")
        assert [len(record["FaceSearchResponse"]) for record in records] == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]
        (match,) = records[2]["FaceSearchResponse"][0]["MatchedFaces"]
        assert match["Face"]["ExternalImageId"] == "resident-01"
        for client in (rekognition, kinesis):
            client.client.close()


async def test_aiobotocore_reads_a_stream() -> None:
    async with Emulator(clock=ScaledClock(1000), timings=Timings(starting=0, detecting=0)) as emulator:
        emulator.create_stream_processor(faces("lobby"), region="us-east-1", access_key=KEY)
        creator: Any = get_session().create_client
        options = {"region_name": "us-east-1", "endpoint_url": emulator.url}
        options |= {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        async with creator("rekognition", **options) as rekognition, creator("kinesis", **options) as kinesis:
            await rekognition.start_stream_processor(Name="lobby")
            where = {"StreamName": "lobby", "ShardId": FIRST_SHARD, "ShardIteratorType": "TRIM_HORIZON"}
            token = (await kinesis.get_shard_iterator(**where))["ShardIterator"]
            found: list[str] = []
            while len(found) < 5:
                response = await kinesis.get_records(ShardIterator=token)
                token = response["NextShardIterator"]
                records = [json.loads(record["Data"]) for record in response["Records"]]
                found += [record["StreamProcessorInformation"]["Status"] for record in records]
            assert set(found) == {"RUNNING"}


async def test_iterator_of_a_scaled_clock_lives_five_real_minutes() -> None:
    async with Emulator(clock=ScaledClock(1e6)) as emulator:
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        begin = emulator.clock.now()
        token = await shard_iterator(kinesis, "s")
        while emulator.clock.now() - begin < 300:
            await kinesis("list_streams")
        assert await kinesis("get_records", ShardIterator=token)
        kinesis.client.close()


@pytest.mark.parametrize("quotas", [True, False])
async def test_reads_are_limited_unless_quotas_are_disabled(*, quotas: bool) -> None:
    async with Emulator(clock=ManualClock(), quotas=quotas) as emulator:
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        token = await shard_iterator(kinesis, "s")
        for _ in range(5):
            await kinesis("get_records", ShardIterator=token)
        if quotas:
            code = await refused(kinesis, "get_records", ShardIterator=token)
            assert code == "ProvisionedThroughputExceededException"
        else:
            await kinesis("get_records", ShardIterator=token)
        kinesis.client.close()


async def test_put_of_five_megabytes_is_accepted() -> None:
    """The limit of other APIs' requests is 1 MiB."""
    async with Emulator() as emulator:
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        records = [{"Data": bytes(1_000_000), "PartitionKey": "k"}] * 5
        assert (await kinesis("put_records", StreamName="s", Records=records))["FailedRecordCount"] == 0
        kinesis.client.close()
        response = await exchange(emulator.url, http(headers=TARGET, body=b" " * (9 * 1024 * 1024)))
        assert (response.status, response.json["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"X-Amz-Target": "Kinesis_20131202.SubscribeToShard"}, b"{}", 400, "UnknownOperationException"),
        ({"Content-Type": "application/x-amz-cbor-1.1"}, b"\xbf\xff", 400, "UnknownOperationException"),
        ({"Authorization": None}, b"{}", 403, "MissingAuthenticationTokenException"),
        ({"Authorization": AUTHORIZATION}, b"{}", 403, "InvalidSignatureException"),
        ({"Host": "kinesis.example.com"}, b"{}", 403, "AccessDenied"),
        ({}, b"{", 400, "SerializationException"),
        ({}, b'{"Limit": "x"}', 400, "SerializationException"),
        ({}, b'{"Limit": 0}', 400, "ValidationException"),
        ({}, b"{}", 200, None),
    ],
)
async def test_head_and_body_are_checked(
    headers: dict[str, str | None], body: bytes, status: int, code: str | None
) -> None:
    async with Emulator() as emulator:
        response = await exchange(emulator.url, http(headers={**TARGET, **headers}, body=body))
        assert (response.status, response.json.get("__type")) == (status, code)


async def test_reset_deletes_streams() -> None:
    async with Emulator(dependency_faults=DependencyFaults()) as emulator:
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        emulator.dependency_faults = DependencyFaults(missing_data_streams=["s"])
        assert await refused(kinesis, "list_shards", StreamName="s") == "ResourceNotFoundException"
        emulator.dependency_faults = DependencyFaults()
        assert await kinesis("list_shards", StreamName="s")
        emulator.reset()
        assert (await kinesis("list_streams"))["StreamNames"] == []
        kinesis.client.close()


async def test_removed_records_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with Emulator() as emulator:
        emulator._results._streams.max_records = 10
        kinesis = service("kinesis", emulator.url)
        await kinesis("create_stream", StreamName="s", ShardCount=1)
        records = [{"Data": b"", "PartitionKey": "k"}] * 14
        await kinesis("put_records", StreamName="s", Records=records)
        await kinesis("list_streams")
        assert [record.getMessage() for record in caplog.records] == [
            "the data streams are full: 4 of the oldest records were removed"
        ]
        kinesis.client.close()
