"""Faults of delivery: what happens to notifications between Rekognition and a queue."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import attrs
import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import (
    Appearance,
    DelayNotification,
    DeliveryFault,
    DuplicateNotification,
    Emulator,
    Footage,
    Latency,
    LoseNotification,
    ManualClock,
    ReorderNotification,
    Timings,
)
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.options import fault_from_json, fault_to_json
from aiorekostream.emulator.outbox import Outbox
from aiorekostream.emulator.world.notifications import Notification
from aiorekostream.emulator.world.result_sink import NoResults
from aiorekostream.errors import InvalidRequestError
from tests.emulator.aws_services import KEY, drain, events, service
from tests.emulator.clients import exchange, http
from tests.emulator.samples import HERE, labels, session

DETECTED, COMPLETE = "LABEL_DETECTED", "STREAM_PROCESSING_COMPLETE"


@attrs.define
class Queue(NoResults):
    """Keeps the ids of the events that are delivered."""

    delivered: list[str] = attrs.field(factory=list)

    def deliver(self, notification: Notification) -> None:
        self.delivered.append(notification.event_id)

    def advance(self, now: float) -> None:
        del now

    def next_due(self) -> float | None:
        return None


@attrs.define
class FaultyOutbox:
    """An outbox with faults, and what it delivered."""

    outbox: Outbox
    queue: Queue

    def publish(
        self, event_id: str, at: float = 0, *, event: str = DETECTED, name: str = "door", topic: str = "t"
    ) -> None:
        self.outbox.publish(
            Notification(
                owner=HERE, topic_arn=topic, processor=name, event=event, event_id=event_id, at=at, message="{}"
            )
        )


def delivery(*faults: DeliveryFault, chance: float = 0.5) -> FaultyOutbox:
    script = FaultScript(lambda: chance)
    script.add(faults)
    queue = Queue()
    return FaultyOutbox(Outbox(destination=queue, fault_script=script), queue)


def test_lost_notification_is_not_delivered() -> None:
    aws = delivery(LoseNotification(event=COMPLETE, name="do*"))
    aws.publish("a")
    aws.publish("b", event=COMPLETE, name="gate")
    aws.publish("c", event=COMPLETE)
    aws.publish("d", event=COMPLETE)
    assert aws.queue.delivered == ["a", "b", "d"]


def test_notification_is_delivered_more_than_once() -> None:
    aws = delivery(DuplicateNotification(copies=2))
    aws.publish("a")
    aws.publish("b")
    assert aws.queue.delivered == ["a", "a", "a", "b"]


def test_delayed_notification_is_delivered_when_it_is_due() -> None:
    aws = delivery(DelayNotification(seconds=5))
    aws.publish("a", at=100)
    aws.publish("b", at=101)
    aws.outbox.advance(104.9)
    assert (aws.queue.delivered, aws.outbox.next_due()) == (["b"], 105)
    aws.outbox.advance(105)
    assert (aws.queue.delivered, aws.outbox.next_due()) == (["b", "a"], None)


def test_delayed_notification_comes_before_one_that_is_published_later() -> None:
    aws = delivery(DelayNotification(seconds=5))
    aws.publish("a", at=100)
    aws.publish("b", at=106)
    assert aws.queue.delivered == ["a", "b"]


def test_reordered_notification_follows_the_next_of_its_topic() -> None:
    aws = delivery(ReorderNotification(seconds=5))
    aws.publish("a", at=100)
    aws.publish("other", at=101, topic="u")
    assert aws.queue.delivered == ["other"]
    aws.publish("b", at=102)
    assert (aws.queue.delivered, aws.outbox.next_due()) == (["other", "b", "a"], None)


def test_reordered_notification_is_delivered_if_none_follows() -> None:
    aws = delivery(ReorderNotification(seconds=5))
    aws.publish("a", at=100)
    aws.outbox.advance(105)
    aws.publish("b", at=106)
    assert aws.queue.delivered == ["a", "b"]


def test_faults_of_delivery_add_up() -> None:
    aws = delivery(DuplicateNotification(), DelayNotification(seconds=1), DelayNotification(seconds=2))
    aws.publish("a", at=100)
    aws.outbox.advance(102.9)
    assert aws.queue.delivered == []
    aws.outbox.advance(103)
    assert aws.queue.delivered == ["a", "a"]


@pytest.mark.parametrize(("chance", "delivered"), [(0.3, []), (0.5, ["a"])])
def test_fault_of_delivery_applies_with_its_probability(chance: float, delivered: list[str]) -> None:
    aws = delivery(LoseNotification(probability=0.4), chance=chance)
    aws.publish("a")
    assert aws.queue.delivered == delivered


def test_faults_of_requests_and_of_delivery_are_apart() -> None:
    script = FaultScript(lambda: 0.0)
    script.add([LoseNotification(), Latency()])
    assert script.match("StartStreamProcessor", "door") == (Latency(),)
    assert script.pending == (LoseNotification(),)
    assert script.match_delivery(DETECTED, "door") == (LoseNotification(),)
    assert not script.pending


@pytest.mark.parametrize(
    "fault",
    [
        LoseNotification(event=COMPLETE, name="door", times=None, probability=0.05),
        DuplicateNotification(copies=3),
        DelayNotification(seconds=2.5),
        ReorderNotification(seconds=1),
    ],
)
def test_fault_of_delivery_survives_json(fault: DeliveryFault) -> None:
    assert fault_from_json(json.loads(json.dumps(fault_to_json(fault)))) == fault


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"fault": "LoseNotification", "operation": "*"}, "operation"),
        ({"fault": "LoseNotification", "times": 0}, "times"),
        ({"fault": "DuplicateNotification", "copies": 0}, "copies"),
        ({"fault": "DelayNotification", "seconds": -1}, "seconds"),
        ({"fault": "Nothing"}, ""),
    ],
)
def test_fault_of_delivery_is_refused(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        fault_from_json(members)
    assert [issue.path for issue in caught.value.issues] == [path]


async def test_faults_apply_to_what_a_consumer_reads() -> None:
    """Of 200 sessions with a detection, a tenth of the messages is duplicated and some ends are lost."""
    footage = Footage([Appearance(Label.PERSON)])
    async with Emulator(clock=ManualClock(), footage=footage, timings=Timings(detecting=0), quotas=False) as emulator:
        emulator.create_stream_processor(labels("door"), region="us-east-1", access_key=KEY)
        emulator.inject(
            DuplicateNotification(times=None, probability=0.1),
            ReorderNotification(times=None, probability=0.2),
            LoseNotification(event=COMPLETE, times=None, probability=0.05),
        )
        rekognition, sqs = service("rekognition", emulator.url), service("sqs", emulator.url)
        for _ in range(100):
            await rekognition("start_stream_processor", **session("door"))
            emulator.advance(10)
        emulator.advance(10)
        url = (await sqs("get_queue_url", QueueName="doors"))["QueueUrl"]
        found = events(await drain(sqs, url))
        kinds = [event["eventNamespace"]["type"] for event in found]
        counts = Counter(event["eventId"] for event in found)
        unique = {event["eventId"]: event["eventNamespace"]["type"] for event in found}
        assert Counter(unique.values())[DETECTED] == 100
        assert 80 < Counter(unique.values())[COMPLETE] < 100
        assert 5 < sum(count > 1 for count in counts.values()) < 40
        assert sum(one == other for one, other in itertools.pairwise(kinds)) > 10
        rekognition.client.close()
        sqs.client.close()


async def test_faults_of_delivery_are_injected_over_http() -> None:
    async with Emulator() as emulator:
        body = json.dumps({"faults": [{"fault": "LoseNotification", "event": COMPLETE}]}).encode()
        response = await exchange(emulator.url, http(path="/_emulator/faults", body=body))
        assert response.status == 200
        assert emulator.faults == (LoseNotification(event=COMPLETE),)
