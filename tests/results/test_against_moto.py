"""SQS, SNS and S3 over HTTP: what the port in memory takes for granted."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from aiorekostream.errors import ConfigurationError, ResourceNotFoundError, ServiceError, TransportError
from aiorekostream.results import SqsConsumer
from aiorekostream.results.sqs_options import SqsOptions, open_queue
from tests.payloads import DETECTED, text
from tests.results.memory_queue import notification

if TYPE_CHECKING:
    from aiorekostream.results.sqs_queue import SqsQueue


def _queue(url: str) -> SqsQueue:
    options = SqsOptions(
        queue_url=url, max_in_flight=10, max_receivers=1, visibility_timeout=30, region="us-east-1", timeout=5
    )
    return open_queue(options)


async def test_consumer_reads_a_topic_through_its_queues(moto_url: str, boto: dict[str, Any]) -> None:
    """One subscription delivers raw messages, the other SNS's envelopes."""
    topic = boto["sns"].create_topic(Name="doors")["TopicArn"]
    urls: list[str] = []
    for name, raw in (("raw", "true"), ("enveloped", "false")):
        urls.append(boto["sqs"].create_queue(QueueName=name)["QueueUrl"])
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        boto["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw})
    subject = "Rekognition Stream Processing Event"
    boto["sns"].publish(TopicArn=topic, Message=text("label-detected"), Subject=subject)
    for url in urls:
        assert url.startswith(moto_url)
        async with SqsConsumer(url, region="us-east-1") as consumer, await anext(consumer) as delivery:
            assert delivery.event == DETECTED
            assert delivery.receive_count == 1
        assert consumer.report.acknowledged == 1
        attributes = boto["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "0"
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.usefixtures("moto_url")
async def test_poison_goes_to_the_dead_letter_queue(boto: dict[str, Any]) -> None:
    dead = boto["sqs"].create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 2}
    url = boto["sqs"].create_queue(QueueName="doors", Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    boto["sqs"].send_message(QueueUrl=url, MessageBody=notification(1))
    async with SqsConsumer(url, region="us-east-1") as consumer:
        for receive_count in (1, 2):
            delivery = await anext(consumer)
            assert delivery.receive_count == receive_count
            await delivery.nack(0)
        boto["sqs"].send_message(QueueUrl=url, MessageBody=notification(2))
        async with await anext(consumer) as delivery:
            assert delivery.event.event_id == "event-2"
        # The queue moves the message when it would be received once more, so the consumer must go on meanwhile.
        found = await asyncio.to_thread(boto["sqs"].receive_message, QueueUrl=dead, WaitTimeSeconds=20)
    assert [message["Body"] for message in found["Messages"]] == [notification(1)]


@pytest.mark.usefixtures("moto_url")
async def test_many_messages_are_each_delivered_and_deleted(boto: dict[str, Any]) -> None:
    url = boto["sqs"].create_queue(QueueName="doors")["QueueUrl"]
    for start in range(0, 60, 10):
        entries = [{"Id": str(n), "MessageBody": notification(n)} for n in range(start, start + 10)]
        boto["sqs"].send_message_batch(QueueUrl=url, Entries=entries)
    taken: set[str] = set()
    async with SqsConsumer(url, region="us-east-1") as consumer:
        async for delivery in consumer:
            async with delivery:
                taken.add(delivery.event.event_id)
            if len(taken) == 60:
                break
    assert consumer.report.acknowledged == 60
    assert taken == {f"event-{number}" for number in range(60)}


@pytest.mark.usefixtures("moto_url")
async def test_failure_of_one_entry_is_told_apart(boto: dict[str, Any]) -> None:
    url = boto["sqs"].create_queue(QueueName="doors")["QueueUrl"]
    boto["sqs"].send_message(QueueUrl=url, MessageBody=notification(1))
    queue = _queue(url)
    try:
        [message] = await queue.receive(count=10, wait=0, visibility=30)
        good, bad = await queue.change_visibility([message.receipt, "no-receipt"], [10, 10])
        assert good is None
        assert isinstance(bad, ServiceError)
        assert bad.code == "ReceiptHandleIsInvalid"
        assert not bad.retry_safe
        assert await queue.receive(count=10, wait=0, visibility=30) == []
        assert list(await queue.delete([message.receipt])) == [None]
    finally:
        await queue.aclose()


async def test_absent_queue_is_an_error_of_the_package(moto_url: str) -> None:
    async with SqsConsumer(f"{moto_url}/123456789012/nowhere", region="us-east-1") as consumer:
        with pytest.raises(ResourceNotFoundError, match="ReceiveMessage"):
            await anext(consumer)


@pytest.mark.usefixtures("moto_url")
async def test_missing_region_is_a_configuration_error() -> None:
    async with SqsConsumer("http://127.0.0.1:1/123456789012/doors") as consumer:
        with pytest.raises(ConfigurationError, match="Region"):
            await anext(consumer)


async def test_unreachable_service_is_a_transport_error() -> None:
    queue = _queue("http://127.0.0.1:1/123456789012/doors")
    queue = attrs.evolve(queue, calls=attrs.evolve(queue.calls, retry=attrs.evolve(queue.calls.retry, max_attempts=2)))
    try:
        with pytest.raises(TransportError) as caught:
            await queue.receive(count=1, wait=0, visibility=30)
    finally:
        await queue.aclose()
    assert caught.value.attempts == 2


async def test_page_in_place_of_an_answer_is_no_empty_queue() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        page = b"<html>Sign in to this network.</html>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(page), page))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        queue = _queue(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/123456789012/doors")
        queue = attrs.evolve(
            queue, calls=attrs.evolve(queue.calls, retry=attrs.evolve(queue.calls.retry, max_attempts=1))
        )
        try:
            with pytest.raises(Exception, match="Sign in to this network"):
                await queue.receive(count=1, wait=0, visibility=30)
        finally:
            await queue.aclose()


@pytest.mark.parametrize(
    ("url", "region", "endpoint"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1", None),
        ("https://eu-west-1.queue.amazonaws.com/1/q", "eu-west-1", None),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1", None),
        ("http://localhost:4599/1/q", None, "http://localhost:4599"),
        (
            "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/q",
            None,
            "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com",
        ),
    ],
)
def test_region_and_endpoint_come_from_the_queue_url(url: str, region: str | None, endpoint: str | None) -> None:
    options = SqsOptions(queue_url=url, max_in_flight=10, max_receivers=1, visibility_timeout=30)
    queue = open_queue(options)
    found = queue.calls.client._options
    assert (found.region, found.endpoint_url) == (region, endpoint)
    assert found.timeout.read == 50
