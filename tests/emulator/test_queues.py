"""The semantics of standard queues, in the pure world: no HTTP, and the time is an argument."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from aiorekostream.emulator.world.answers import Refusal, RefusedError, Success
from aiorekostream.emulator.world.fields import Fields
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.message_operations import parse_receive, receive
from aiorekostream.emulator.world.queue_context import QueueContext
from aiorekostream.emulator.world.queue_operations import execute
from aiorekostream.emulator.world.queues import Queues
from tests.effort import examples
from tests.emulator.samples import HERE

BASE = "http://127.0.0.1:4599"
DOORS = f"{BASE}/{HERE.account}/doors"


@attrs.define
class TimedQueues:
    """Queues with a clock."""

    queues: Queues = attrs.field(factory=Queues)
    now: float = 1000.0
    caller: Caller = HERE

    @property
    def context(self) -> QueueContext:
        return QueueContext(queues=self.queues, caller=self.caller, now=self.now, base_url=BASE)

    def ask(self, operation: str, **members: object) -> Any:  # noqa: ANN401
        try:
            return execute(self.context, operation, members)
        except RefusedError as error:
            return error.refusal

    def done(self, operation: str, **members: object) -> dict[str, Any]:
        result = self.ask(operation, **members)
        assert isinstance(result, Success), result
        return dict(result.body or {})

    def code(self, operation: str, **members: object) -> str:
        result = self.ask(operation, **members)
        assert isinstance(result, Refusal), result
        return result.code

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.done("SendMessage", QueueUrl=DOORS, MessageBody=body)

    def receive(self, url: str = DOORS, most: int = 10, **members: object) -> list[dict[str, Any]]:
        request: dict[str, object] = {"QueueUrl": url, "MaxNumberOfMessages": most, **members}
        return [dict(each) for each in receive(self.context, parse_receive(self.context, Fields(request)))]

    def bodies(self, url: str = DOORS) -> list[str]:
        return [message["Body"] for message in self.receive(url)]

    def count(self, url: str = DOORS) -> tuple[int, int, int]:
        found = self.done("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        names = ("", "NotVisible", "Delayed")
        visible, in_flight, delayed = (int(found[f"ApproximateNumberOfMessages{name}"]) for name in names)
        return visible, in_flight, delayed


def service(**attributes: str) -> TimedQueues:
    """Return a service with the queue doors."""
    made = TimedQueues()
    made.done("CreateQueue", QueueName="doors", Attributes=attributes)
    return made


def test_message_is_invisible_until_its_timeout_and_gone_when_deleted() -> None:
    sqs = service()
    sqs.send("a")
    assert sqs.bodies() == ["a"]
    sqs.now += 29.9
    assert (sqs.bodies(), sqs.count()) == ([], (0, 1, 0))
    sqs.now += 0.1
    (again,) = sqs.receive(VisibilityTimeout=5, AttributeNames=["All"])
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again["Attributes"]["SentTimestamp"] == "1000000"
    sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=again["ReceiptHandle"])
    sqs.now += 1000
    assert (sqs.bodies(), sqs.count()) == ([], (0, 0, 0))


def test_receipt_handle_is_of_the_latest_receive() -> None:
    """A message that was received again is not deleted with the first handle."""
    sqs = service()
    sqs.send("a")
    (first,) = sqs.receive()
    sqs.now += 30
    (second,) = sqs.receive()
    sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=first["ReceiptHandle"])
    assert sqs.count() == (0, 1, 0)
    sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=second["ReceiptHandle"])
    assert sqs.count() == (0, 0, 0)
    sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=second["ReceiptHandle"])


def test_visibility_is_changed_and_returned() -> None:
    sqs = service()
    sqs.send("a")
    (message,) = sqs.receive()
    change = {"QueueUrl": DOORS, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.now += 20
    sqs.done("ChangeMessageVisibility", **change, VisibilityTimeout=60)
    sqs.now += 59
    assert sqs.bodies() == []
    sqs.done("ChangeMessageVisibility", **change, VisibilityTimeout=0)
    assert sqs.code("ChangeMessageVisibility", **change, VisibilityTimeout=10) == "MessageNotInflight"
    assert sqs.bodies() == ["a"]


def test_message_stays_invisible_for_twelve_hours_at_most() -> None:
    sqs = service()
    sqs.send("a")
    (message,) = sqs.receive(VisibilityTimeout=43_200)
    change = {"QueueUrl": DOORS, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.now += 10
    assert sqs.code("ChangeMessageVisibility", **change, VisibilityTimeout=43_191) == "InvalidParameterValue"
    sqs.done("ChangeMessageVisibility", **change, VisibilityTimeout=43_190)


def test_message_that_is_received_too_often_goes_to_the_dead_letters() -> None:
    sqs = TimedQueues()
    dead = sqs.done("CreateQueue", QueueName="dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{HERE.account}:dead"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    sqs.done("CreateQueue", QueueName="doors", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"})
    sqs.send("poison", "other")
    for _ in range(2):
        received = {message["Body"]: message for message in sqs.receive()}
        assert "poison" in received
        if "other" in received:
            sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=received["other"]["ReceiptHandle"])
        sqs.now += 1
    assert (sqs.bodies(), sqs.count()) == ([], (0, 0, 0))
    assert sqs.bodies(dead) == ["poison"]


def test_message_is_removed_after_its_retention() -> None:
    sqs = service(MessageRetentionPeriod="60")
    sqs.send("a")
    sqs.now += 30
    sqs.send("b")
    sqs.now += 30
    assert (sqs.count(), sqs.bodies()) == ((1, 0, 0), ["b"])


def test_delayed_message_is_visible_later() -> None:
    sqs = service(DelaySeconds="10")
    sqs.send("a")
    sqs.done("SendMessage", QueueUrl=DOORS, MessageBody="b", DelaySeconds=0)
    assert (sqs.count(), sqs.bodies()) == ((1, 0, 1), ["b"])
    sqs.now += 10
    assert sqs.bodies() == ["a"]


def test_oldest_messages_are_removed_when_there_are_too_many() -> None:
    sqs = TimedQueues(queues=Queues(max_messages=3))
    sqs.done("CreateQueue", QueueName="doors")
    sqs.send("a", "b", "c", "d", "e")
    assert (sqs.bodies(), sqs.queues.dropped) == (["c", "d", "e"], 2)


def test_purged_and_deleted_messages_count_no_more() -> None:
    sqs = TimedQueues(queues=Queues(max_messages=3))
    for verb in ("PurgeQueue", "DeleteQueue"):
        sqs.done("CreateQueue", QueueName="doors")
        sqs.send("a", "b", "c")
        sqs.done(verb, QueueUrl=DOORS)
    assert sqs.queues.dropped == 0


def test_oldest_messages_are_removed_when_they_are_too_large() -> None:
    sqs = TimedQueues(queues=Queues(max_bytes=10_000))
    sqs.done("CreateQueue", QueueName="doors")
    sqs.send("a" * 5_000, "b" * 5_000)
    assert [body[0] for body in sqs.bodies()] == ["b"]


def test_schedule_of_a_queue_does_not_grow_with_its_history() -> None:
    """A handler that works for long changes the visibility of its message again and again."""
    sqs = service()
    sqs.send("a")
    (message,) = sqs.receive()
    for _ in range(2_000):
        handle = message["ReceiptHandle"]
        sqs.done("ChangeMessageVisibility", QueueUrl=DOORS, ReceiptHandle=handle, VisibilityTimeout=9_000)
    queue = sqs.queues.get(HERE, "doors")
    assert queue is not None
    assert len(queue._by_visibility) < 200


def test_queue_of_a_topic_gets_its_attributes_from_the_first_create() -> None:
    sqs = TimedQueues()
    sqs.queues.open(HERE, "doors", 1000)
    sqs.done("CreateQueue", QueueName="doors", Attributes={"VisibilityTimeout": "7"})
    sqs.done("CreateQueue", QueueName="doors")
    sqs.done("CreateQueue", QueueName="doors", Attributes={"VisibilityTimeout": "7"})
    code = sqs.code("CreateQueue", QueueName="doors", Attributes={"VisibilityTimeout": "8"})
    assert code == "QueueNameExists"


def test_queues_of_accounts_and_regions_are_apart() -> None:
    sqs = service()
    for other in (Caller("222233334444", "us-east-1"), Caller(HERE.account, "eu-west-1")):
        sqs.caller = other
        assert sqs.code("GetQueueUrl", QueueName="doors") == "QueueDoesNotExist"
        assert sqs.done("ListQueues") == {}
    assert sqs.code("PurgeQueue", QueueUrl=DOORS) == "QueueDoesNotExist"
    sqs.caller = Caller("222233334444", "us-east-1")
    assert sqs.code("PurgeQueue", QueueUrl=DOORS) == "AccessDenied"


TIMEOUT = 10


class MessageMachine(RuleBasedStateMachine):
    """Sends, receives, deletes and time in any order: compared with a model that is a table of messages."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.sqs = service(VisibilityTimeout=str(TIMEOUT))
        self.numbers = itertools.count()
        # The moment at which each message is visible, and how often it was received.
        self.visible_at: dict[str, float] = {}
        self.receives: Counter[str] = Counter()

    @rule()
    def send(self) -> None:
        body = str(next(self.numbers))
        self.sqs.send(body)
        self.visible_at[body] = self.sqs.now

    @rule(seconds=st.sampled_from([1, 5, TIMEOUT]))
    def wait(self, seconds: int) -> None:
        self.sqs.now += seconds

    @rule(target=handles, most=st.integers(1, 10))
    def receive(self, most: int) -> Any:  # noqa: ANN401
        messages = self.sqs.receive(most=most)
        visible = {body for body, at in self.visible_at.items() if at <= self.sqs.now}
        bodies = {message["Body"] for message in messages}
        assert bodies <= visible
        assert len(messages) == min(most, len(visible))
        for body in bodies:
            self.visible_at[body] = self.sqs.now + TIMEOUT
            self.receives[body] += 1
        return multiple(*((m["Body"], m["ReceiptHandle"], self.receives[m["Body"]]) for m in messages))

    @rule(received=handles)
    def delete(self, received: tuple[str, str, int]) -> None:
        body, handle, count = received
        self.sqs.done("DeleteMessage", QueueUrl=DOORS, ReceiptHandle=handle)
        if self.receives[body] == count:
            self.visible_at.pop(body, None)

    @rule(received=handles, timeout=st.sampled_from([0, 1, 30]))
    def change(self, received: tuple[str, str, int], timeout: int) -> None:
        body, handle, count = received
        result = self.sqs.ask(
            "ChangeMessageVisibility", QueueUrl=DOORS, ReceiptHandle=handle, VisibilityTimeout=timeout
        )
        is_in_flight = self.receives[body] == count and self.visible_at.get(body, 0) > self.sqs.now
        assert isinstance(result, Success) == is_in_flight
        if is_in_flight:
            self.visible_at[body] = self.sqs.now + timeout

    @invariant()
    def counts_agree(self) -> None:
        visible = sum(at <= self.sqs.now for at in self.visible_at.values())
        assert self.sqs.count() == (visible, len(self.visible_at) - visible, 0)


TestQueueMachine = examples(60, steps=30)(MessageMachine).TestCase
