"""Deliver results to another server: moto's, or one that does not answer. See also ``test_s3``."""

from __future__ import annotations

import json
import socket
from itertools import pairwise
from typing import Any

import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, Footage, ManualClock, RealClock, ScaledClock, Timings
from aiorekostream.emulator.remote import RemoteDestination
from aiorekostream.errors import ConfigurationError
from tests.emulator.aws_services import KEY, AsyncClient, events, service, shard_iterator
from tests.emulator.clients import until
from tests.emulator.samples import faces, labels, session

TOPIC = "arn:aws:sns:us-east-1:123456789012:doors"  # of moto's account
FOOTAGE = Footage([Appearance(Label.PERSON, at=2)])


async def test_results_are_delivered_when_they_are_due(moto_url: str) -> None:
    """No request is needed for it."""
    sqs, sns, s3 = (service(name, moto_url) for name in ("sqs", "sns", "s3"))
    await sns("create_topic", Name="doors")
    queue = (await sqs("create_queue", QueueName="q"))["QueueUrl"]
    await sns("subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    await s3("create_bucket", Bucket="pictures")
    timings = Timings(detecting=0)
    async with Emulator(clock=ScaledClock(100), footage=FOOTAGE, timings=timings, deliver_to=moto_url) as emulator:
        rekognition = service("rekognition", emulator.url)
        channel = {"SNSTopicArn": TOPIC}
        await rekognition("create_stream_processor", **labels("door", NotificationChannel=channel, KmsKeyId="k"))
        await rekognition("start_stream_processor", **session("door"))
        found: list[str] = []
        while len(found) < 2:
            response = await sqs("receive_message", QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            found += [event["eventNamespace"]["type"] for event in events(response["Messages"])]
        assert found == ["LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"]
        (key,) = [
            item["Key"]
            for item in (await s3("list_objects_v2", Bucket="pictures"))["Contents"]
            if item["Key"].endswith("frame.jpg")
        ]
        stored = await s3("head_object", Bucket="pictures", Key=key)
        assert (stored["ContentType"], stored["SSEKMSKeyId"]) == ("image/jpeg", "k")
        assert emulator.undelivered == 0
        own = service("sqs", emulator.url)
        assert await own("list_queues") == {}
        for client in (rekognition, own, sqs, sns, s3):
            client.client.close()


async def test_records_of_a_face_search_are_put_into_the_stream(moto_url: str) -> None:
    """No request is needed for it. Those of one stream arrive in their order."""
    kinesis = service("kinesis", moto_url)
    await kinesis("create_stream", StreamName="lobby", ShardCount=1)
    timings = Timings(starting=0, detecting=0)
    async with Emulator(clock=ScaledClock(100), footage=FOOTAGE, timings=timings, deliver_to=moto_url) as emulator:
        rekognition = service("rekognition", emulator.url)
        await rekognition("create_stream_processor", **faces("lobby"))
        await rekognition("start_stream_processor", Name="lobby")
        token, found = await shard_iterator(kinesis, "lobby"), list[dict[str, Any]]()
        while len(found) < 20:
            response = await kinesis("get_records", ShardIterator=token)
            token = response["NextShardIterator"]
            found += [json.loads(record["Data"])["InputInformation"]["KinesisVideo"] for record in response["Records"]]
        times = [each["ProducerTimestamp"] + each["FrameOffsetInSeconds"] for each in found]
        assert [round(second - first, 3) for first, second in pairwise(times)] == [1] * (len(times) - 1)
        own = service("kinesis", emulator.url)
        assert (await own("list_streams"))["StreamNames"] == []
        assert emulator.undelivered == 0
        for client in (rekognition, own, kinesis):
            client.client.close()


async def start_face_search(emulator: Emulator) -> AsyncClient:
    """Start a face search that writes to the stream lobby, and return the client."""
    emulator.create_stream_processor(faces("lobby"), region="us-east-1", access_key=KEY)
    rekognition = service("rekognition", emulator.url)
    await rekognition("start_stream_processor", Name="lobby")
    return rekognition


async def test_many_records_of_a_stream_arrive_in_their_order(moto_url: str) -> None:
    """They need several requests, of which one at a time is sent."""
    kinesis = service("kinesis", moto_url)
    await kinesis("create_stream", StreamName="lobby", ShardCount=1)
    clock = ManualClock()
    async with Emulator(clock=clock, timings=Timings(starting=0, detecting=0), deliver_to=moto_url) as emulator:
        rekognition = await start_face_search(emulator)
        emulator.advance(2000)
        rekognition.client.close()
    found = (await kinesis("get_records", ShardIterator=await shard_iterator(kinesis, "lobby")))["Records"]
    numbers = [json.loads(each["Data"])["InputInformation"]["KinesisVideo"]["FragmentNumber"] for each in found]
    assert len(numbers) == 2001
    assert numbers == sorted(numbers, key=int)
    kinesis.client.close()


async def test_records_are_counted_that_cannot_be_delivered(moto_url: str) -> None:
    """The server has no such stream. An hour of records is delivered in requests of 500."""
    clock = ManualClock()
    async with Emulator(clock=clock, timings=Timings(starting=0, detecting=0), deliver_to=moto_url) as emulator:
        rekognition = await start_face_search(emulator)
        emulator.advance(3600)
        await rekognition("stop_stream_processor", Name="lobby")
        emulator.advance(3600)
        assert isinstance(emulator._results.remote, RemoteDestination)
        await emulator._results.remote._is_idle.wait()
        assert emulator.undelivered == 3601
        rekognition.client.close()


async def test_results_are_counted_that_cannot_be_delivered(caplog: pytest.LogCaptureFixture) -> None:
    """The emulator goes on: the server may come back."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        clock = ManualClock()
        async with Emulator(clock=clock, footage=FOOTAGE, deliver_to=url) as emulator:
            emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
            rekognition = service("rekognition", emulator.url)
            await rekognition("start_stream_processor", **session("door"))
            emulator.advance(10)
            assert isinstance(emulator._results.remote, RemoteDestination)
            await emulator._results.remote._is_idle.wait()
            assert emulator.undelivered == 5
            assert {record.levelname for record in caplog.records} == {"WARNING"}
            await rekognition("describe_stream_processor", Name="door")
            rekognition.client.close()


async def test_timer_is_set_anew_by_a_start_that_is_due_earlier() -> None:
    clock = ManualClock()
    async with Emulator(clock=clock, deliver_to="http://127.0.0.1:1") as emulator:
        for name in ("door", "gate"):
            emulator.create_stream_processor(labels(name), region="us-east-1", access_key=KEY)
        rekognition = service("rekognition", emulator.url)
        moments: list[float | None] = []
        for name, seconds in (("door", 60), ("gate", 5)):
            await rekognition("start_stream_processor", **session(name, seconds=seconds))
            moments.append(emulator._results.pump._timer_moment)
        begun = clock.now()
        assert moments == [begun + 60, begun + 5]
        clock.advance(5)
        assert emulator._results.pump._timer_moment == begun + 60
        emulator.reset()
        rekognition.client.close()


@pytest.mark.parametrize("url", ["http://moto:5000", "https://sns.us-east-1.amazonaws.com", "http://192.0.2.1"])
def test_other_machine_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--allow-remote"):
        Emulator(deliver_to=url)
    Emulator(deliver_to=url, allow_remote=True)


@pytest.mark.parametrize("url", ["moto", "ftp://127.0.0.1", "http://"])
def test_text_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="such as"):
        Emulator(deliver_to=url, allow_remote=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000/"])
def test_this_machine_is_allowed(url: str) -> None:
    assert Emulator(deliver_to=url, clock=RealClock()).undelivered == 0


async def test_emulator_starts_again_after_it_was_closed() -> None:
    emulator = Emulator(deliver_to="http://127.0.0.1:1", clock=ManualClock())
    for _ in range(2):
        async with emulator:
            assert isinstance(emulator._results.remote, RemoteDestination)
            await until(emulator._results.remote._is_idle.is_set)
