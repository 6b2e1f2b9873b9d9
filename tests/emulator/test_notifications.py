"""What the emulator writes is what AWS writes, and what the package reads: neither shares code with the other."""

from __future__ import annotations

import datetime
import json
from typing import Any, cast

import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.domain.labels import LabelDetected, SessionCompleted
from aiorekostream.emulator import Appearance, Emulator, ManualClock, RandomFootage, Timings
from aiorekostream.results import S3Images, SqsConsumer, parse_notification
from tests.emulator.aws_services import KEY, service
from tests.emulator.samples import labels, session, video
from tests.emulator.test_label_sessions import household
from tests.payloads import wire


def shape(value: Any) -> Any:  # noqa: ANN401
    """Replace each value by its type; members keep their order."""
    if isinstance(value, dict):
        return [(name, shape(item)) for name, item in cast("dict[str, Any]", value).items()]
    if isinstance(value, list):
        return [shape(item) for item in cast("list[object]", value)]
    return type(value).__name__


@pytest.mark.parametrize(("number", "name"), [(0, "label-detected"), (1, "stream-processing-complete")])
def test_message_has_the_shape_of_the_payload(number: int, name: str) -> None:
    home = household(Appearance(Label.PERSON, at=1), Tags={"site": "north"})
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert shape(home.results.messages[number]) == shape(wire(name))


def test_envelope_has_the_shape_of_the_payload() -> None:
    home = household(Tags={"site": "north"})
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    payload = wire("sqs-body-sns-envelope")
    envelope = json.loads(home.results.notifications[0].envelope())
    assert shape(envelope) == shape(payload)
    assert shape(json.loads(envelope["Message"])) == shape(json.loads(payload["Message"]))


@pytest.mark.parametrize("is_enveloped", [False, True])
def test_message_is_parsed_into_what_was_seen(*, is_enveloped: bool) -> None:
    home = household(Appearance(Label.PERSON, at=2), Tags={"site": "north"})
    home.done("StartStreamProcessor", **session("door", seconds=30))
    home.wait(30)
    texts = [n.envelope() if is_enveloped else n.message for n in home.results.notifications]
    detected, completed = (parse_notification(text) for text in texts)
    assert isinstance(detected, LabelDetected)
    assert isinstance(completed, SessionCompleted)
    (label,) = detected.labels
    assert (label.label, label.confidence) == (Label.PERSON, 97.25)
    start = datetime.datetime.fromtimestamp(1_655_930_623.123, datetime.UTC)
    assert label.frame_time == start + datetime.timedelta(seconds=2)
    assert completed.processed_duration == datetime.timedelta(seconds=30)
    for event in (detected, completed):
        assert (event.session_id, event.processor_name, dict(event.tags)) == ("session-1", "door", {"site": "north"})
        assert event.kinesis_video_stream_arn == video("door")


async def test_consumer_reads_the_sessions_of_many_cameras() -> None:
    """All of the package's results, over HTTP: the consumer of SQS and the pictures in S3."""
    names = [f"camera-{number}" for number in range(20)]
    async with Emulator(
        clock=ManualClock(), footage=RandomFootage(seed=1, interval=10), timings=Timings(detecting=0), quotas=False
    ) as emulator:
        for name in names:
            emulator.create_stream_processor(labels(name), region="us-east-1", access_key=KEY)
        rekognition, sqs = service("rekognition", emulator.url), service("sqs", emulator.url)
        started = {
            (await rekognition("start_stream_processor", **session(name, seconds=60)))["SessionId"] for name in names
        }
        emulator.advance(3600)
        queue = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]
        completed: set[str] = set()
        pictures: list[bytes] = []
        async with (
            SqsConsumer(queue, region="us-east-1") as consumer,
            S3Images(region="us-east-1", endpoint_url=emulator.url) as images,
        ):
            async for delivery in consumer:
                async with delivery:
                    match delivery.event:
                        case LabelDetected(labels=[label, *_]):
                            pictures.append(await images.fetch(label.frame_image))
                        case SessionCompleted(session_id=session_id):
                            completed.add(session_id)
                        case event:
                            raise AssertionError(event)
                if len(completed) == len(names) and len(pictures) == 2 * len(names):
                    break
        assert completed == started
        assert {picture[:2] for picture in pictures} == {b"\xff\xd8"}
        for client in (rekognition, sqs):
            client.client.close()
