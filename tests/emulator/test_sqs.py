"""Read queues over HTTP with boto3 and aiobotocore. What SQS defines is compared with moto's server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import get_session

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, Emulator, Footage, ManualClock, ScaledClock, Timings
from tests.emulator.aws_services import IMPATIENT, KEY, SECRET, AsyncClient, drain, events, refused, service
from tests.emulator.clients import exchange, http, until
from tests.emulator.samples import labels, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOOTAGE = Footage([Appearance(Label.PERSON, at=2), Appearance(Label.PACKAGE, at=4)])
NO_TARGET = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:1:none", "maxReceiveCount": 1})
QUICK = Timings(detecting=0)


@pytest.fixture
async def sqs(endpoint: str) -> AsyncIterator[AsyncClient]:
    """A client of SQS, of the emulator and of moto."""
    found = service("sqs", endpoint)
    yield found
    found.client.close()


async def test_message_is_sent_received_and_deleted(sqs: AsyncClient) -> None:
    """Both check the digests of bodies, as boto3 does."""
    url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
    assert (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"] == url
    assert (await sqs("list_queues", QueueNamePrefix="do"))["QueueUrls"] == [url]
    sent = await sqs("send_message", QueueUrl=url, MessageBody="für die Tür")
    (message,) = (await sqs("receive_message", QueueUrl=url, AttributeNames=["All"]))["Messages"]
    assert (message["Body"], message["MessageId"]) == ("für die Tür", sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["Attributes"].keys() >= {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }
    assert "Messages" not in await sqs("receive_message", QueueUrl=url)
    await sqs("delete_message", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert await sqs("purge_queue", QueueUrl=url) == {}
    await sqs("delete_queue", QueueUrl=url)
    assert await refused(sqs, "get_queue_url", QueueName="doors") == "AWS.SimpleQueueService.NonExistentQueue"


async def test_batches_have_an_outcome_for_each_entry(sqs: AsyncClient) -> None:
    url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
    entries = [{"Id": f"m{number}", "MessageBody": str(number)} for number in range(3)]
    sent = await sqs("send_message_batch", QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in sent["Successful"]] == ["m0", "m1", "m2"]
    messages = (await sqs("receive_message", QueueUrl=url, MaxNumberOfMessages=10))["Messages"]
    handles = [{"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in messages]
    changes = [{**handle, "VisibilityTimeout": 60} for handle in handles]
    changed = await sqs("change_message_visibility_batch", QueueUrl=url, Entries=changes)
    assert {entry["Id"] for entry in changed["Successful"]} == {"0", "1", "2"}
    bad = {"Id": "bad", "ReceiptHandle": "not a handle"}
    deleted = await sqs("delete_message_batch", QueueUrl=url, Entries=[*handles, bad])
    assert {entry["Id"] for entry in deleted["Successful"]} == {"0", "1", "2"}
    assert [(entry["Id"], entry["Code"]) for entry in deleted["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]


async def test_attributes_are_set_and_returned(sqs: AsyncClient) -> None:
    dead = (await sqs("create_queue", QueueName="dead"))["QueueUrl"]
    arn = (await sqs("get_queue_attributes", QueueUrl=dead, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
    url = (await sqs("create_queue", QueueName="doors", Attributes={"VisibilityTimeout": "7"}))["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    await sqs("set_queue_attributes", QueueUrl=url, Attributes={"RedrivePolicy": policy, "DelaySeconds": "1"})
    found = (await sqs("get_queue_attributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert {name: found[name] for name in ("VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod")} == {
        "VisibilityTimeout": "7",
        "DelaySeconds": "1",
        "MessageRetentionPeriod": "345600",
    }
    assert json.loads(found["RedrivePolicy"]) == {"deadLetterTargetArn": arn, "maxReceiveCount": 3}
    assert found["QueueArn"].endswith(":doors")


async def test_poison_is_moved_to_the_dead_letter_queue(sqs: AsyncClient) -> None:
    dead = (await sqs("create_queue", QueueName="dead"))["QueueUrl"]
    arn = (await sqs("get_queue_attributes", QueueUrl=dead, AttributeNames=["QueueArn"]))["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    url = (await sqs("create_queue", QueueName="doors", Attributes=attributes))["QueueUrl"]
    await sqs("send_message", QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert "Messages" in await sqs("receive_message", QueueUrl=url)
    assert "Messages" not in await sqs("receive_message", QueueUrl=url)
    (message,) = (await sqs("receive_message", QueueUrl=dead))["Messages"]
    assert message["Body"] == "poison"


@pytest.mark.parametrize(
    ("verb", "members", "code"),
    [
        ("receive_message", {"MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        ("receive_message", {"WaitTimeSeconds": 21}, "InvalidParameterValue"),
        ("delete_message", {"ReceiptHandle": "not a handle"}, "ReceiptHandleIsInvalid"),
        ("change_message_visibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1}, "ReceiptHandleIsInvalid"),
        ("delete_message_batch", {"Entries": []}, "AWS.SimpleQueueService.EmptyBatchRequest"),
    ],
)
async def test_request_is_refused(sqs: AsyncClient, verb: str, members: dict[str, Any], code: str) -> None:
    url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
    assert await refused(sqs, verb, QueueUrl=url, **members) == code


async def test_queue_that_does_not_exist_is_reported(sqs: AsyncClient) -> None:
    url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
    missing = url.removesuffix("doors") + "gates"
    assert await refused(sqs, "receive_message", QueueUrl=missing) == "AWS.SimpleQueueService.NonExistentQueue"


@pytest.mark.parametrize(
    ("verb", "members", "code"),
    [
        ("create_queue", {"QueueName": "doors.fifo"}, "InvalidParameterValue"),
        ("create_queue", {"QueueName": "a", "Attributes": {"VisibilityTimeout": "43201"}}, "InvalidAttributeValue"),
        ("create_queue", {"QueueName": "a", "Attributes": {"Policy": "{}"}}, "InvalidAttributeName"),
        ("create_queue", {"QueueName": "a", "Attributes": {"RedrivePolicy": "[]"}}, "InvalidAttributeValue"),
        ("create_queue", {"QueueName": "a", "Attributes": {"RedrivePolicy": NO_TARGET}}, "InvalidParameterValue"),
        ("add_permission", {"Label": "a", "AWSAccountIds": ["1"], "Actions": ["*"]}, "UnknownOperationException"),
    ],
)
async def test_emulator_refuses_what_it_does_not_have(verb: str, members: dict[str, Any], code: str) -> None:
    async with Emulator() as emulator:
        sqs = service("sqs", emulator.url)
        url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
        given = members if verb == "create_queue" else {"QueueUrl": url, **members}
        assert await refused(sqs, verb, **given) == code
        sqs.client.close()


# ------------------------------------------------------------------------------------------------ what sessions publish


async def test_session_is_read_from_the_queue_of_its_topic() -> None:
    """The queue exists once the processor does, so that a consumer can wait for the first event."""
    async with Emulator(clock=ManualClock(), footage=FOOTAGE, timings=QUICK) as emulator:
        rekognition, sqs = service("rekognition", emulator.url), service("sqs", emulator.url)
        await rekognition("create_stream_processor", **labels("door"))
        url = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]
        started = await rekognition("start_stream_processor", **session("door"))
        emulator.advance(3600)
        found = events(await drain(sqs, url))
        assert [event["eventNamespace"]["type"] for event in found] == [
            "LABEL_DETECTED",
            "LABEL_DETECTED",
            "STREAM_PROCESSING_COMPLETE",
        ]
        assert {event["sessionId"] for event in found} == {started["SessionId"]}
        rekognition.client.close()
        sqs.client.close()


@pytest.mark.parametrize("is_raw", [False, True])
async def test_messages_are_raw_or_in_an_envelope(*, is_raw: bool) -> None:
    async with Emulator(clock=ManualClock(), raw_message_delivery=is_raw) as emulator:
        rekognition, sqs = service("rekognition", emulator.url), service("sqs", emulator.url)
        await rekognition("create_stream_processor", **labels("door"))
        await rekognition("start_stream_processor", **session("door"))
        emulator.advance(10)
        url = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]
        (message,) = await drain(sqs, url)
        assert ("eventNamespace" in json.loads(message["Body"])) == is_raw
        rekognition.client.close()
        sqs.client.close()


async def test_aiobotocore_waits_for_the_events_of_a_session() -> None:
    """A session of ten seconds passes in a hundredth of a second while the consumer waits."""
    async with Emulator(clock=ScaledClock(1_000), footage=FOOTAGE, timings=QUICK) as emulator:
        async with aiobotocore_client("rekognition", emulator.url) as rekognition:
            await rekognition.create_stream_processor(**labels("door"))
            async with aiobotocore_client("sqs", emulator.url) as sqs:
                url = (await sqs.get_queue_url(QueueName="doors"))["QueueUrl"]
                waiting = asyncio.create_task(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))
                await until(lambda: emulator._results.pump._waiting)
                await rekognition.start_stream_processor(**session("door"))
                found = events((await waiting)["Messages"])
                while found[-1]["eventNamespace"]["type"] != "STREAM_PROCESSING_COMPLETE":
                    found += events((await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20))["Messages"])
        names = [event["labels"][0]["name"] for event in found if "labels" in event]
        assert names == ["PERSON", "PACKAGE"]
        assert emulator._results.pump._timer is None


def aiobotocore_client(name: str, url: str) -> Any:  # noqa: ANN401
    creator: Any = get_session().create_client
    return creator(name, region_name="us-east-1", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET)


async def test_waiting_receive_ends_when_a_manual_clock_is_advanced() -> None:
    """Both ways of advancing it count, and the visibility timeout is of that clock."""
    clock = ManualClock()
    async with Emulator(clock=clock, footage=FOOTAGE, timings=QUICK) as emulator:
        rekognition, sqs = service("rekognition", emulator.url), service("sqs", emulator.url, config=IMPATIENT)
        await rekognition("create_stream_processor", **labels("door"))
        await rekognition("start_stream_processor", **session("door"))
        url = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]

        async def after(seconds: float) -> list[dict[str, Any]]:
            receive = {"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10}
            waiting = asyncio.create_task(sqs("receive_message", **receive))
            await until(lambda: emulator._results.pump._waiting)
            clock.advance(seconds)
            found = events((await waiting).get("Messages", []))
            assert emulator._results.pump._timer is None  # nothing waits any more
            return found

        assert [event["labels"][0]["name"] for event in await after(2)] == ["PERSON"]
        assert [event["labels"][0]["name"] for event in await after(2)] == ["PACKAGE"]
        # The first message is visible again after 30 seconds, and the session has ended by then.
        assert [event["eventNamespace"]["type"] for event in await after(26)] == ["STREAM_PROCESSING_COMPLETE"]
        assert [event["labels"][0]["name"] for event in await after(2)] == ["PERSON"]
        rekognition.client.close()
        sqs.client.close()


async def test_scaled_clock_leaves_visibility_timeouts_in_real_time() -> None:
    """A consumer extends them in real time."""
    async with Emulator(clock=ScaledClock(100_000)) as emulator:
        sqs = service("sqs", emulator.url)
        url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
        await sqs("send_message", QueueUrl=url, MessageBody="a")
        assert "Messages" in await sqs("receive_message", QueueUrl=url)
        assert "Messages" not in await sqs("receive_message", QueueUrl=url)
        sqs.client.close()


async def test_message_is_not_received_for_a_caller_that_left() -> None:
    async with Emulator(clock=ManualClock()) as emulator:
        sqs = service("sqs", emulator.url)
        url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
        body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
        headers = {
            "X-Amz-Target": "AmazonSQS.ReceiveMessage",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/sqs/aws4_request, "
            "SignedHeaders=host, Signature=0000",
        }
        with pytest.raises(ConnectionError):
            await exchange(emulator.url, http(headers=headers, body=body), end=True)
        for _ in range(10_000):
            await asyncio.sleep(0)
        assert not emulator._results.pump._waiting
        await sqs("send_message", QueueUrl=url, MessageBody="a")
        assert len((await sqs("receive_message", QueueUrl=url))["Messages"]) == 1
        sqs.client.close()


async def test_waiting_receive_ends_when_the_emulator_closes() -> None:
    emulator = Emulator()
    await emulator.start()
    sqs = service("sqs", emulator.url)
    url = (await sqs("create_queue", QueueName="doors"))["QueueUrl"]
    waiting = asyncio.create_task(sqs("receive_message", QueueUrl=url, WaitTimeSeconds=20))
    await until(lambda: emulator._results.pump._waiting)
    await emulator.aclose()
    with pytest.raises(Exception, match="Connection"):
        await waiting
    sqs.client.close()


async def test_reset_deletes_queues_and_messages() -> None:
    async with Emulator() as emulator:
        sqs = service("sqs", emulator.url)
        await sqs("create_queue", QueueName="doors")
        emulator.reset()
        assert "QueueUrls" not in await sqs("list_queues")
        sqs.client.close()
