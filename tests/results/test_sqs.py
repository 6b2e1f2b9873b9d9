"""The consumer of SQS, over a queue in memory and in virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession

from aiorekostream.errors import (
    ConfigurationError,
    ConnectError,
    InvalidRequestError,
    MalformedEventError,
    ServiceError,
)
from aiorekostream.results import Delivery, MemoryEventIds, SettlementState, SqsConsumer
from tests.results.memory_queue import MemoryQueue, QueueConnection, notification, refused
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.domain.labels import StreamProcessorEvent

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/doors"
VISIBILITY = 30.0


def _consumer(queue: MemoryQueue | QueueConnection, **options: object) -> SqsConsumer:
    connection = queue.connect() if isinstance(queue, MemoryQueue) else queue
    return SqsConsumer(URL, queue=connection, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def _take(consumer: SqsConsumer, count: int) -> list[str]:
    """Handle deliveries one after the other."""
    taken: list[str] = []
    async for delivery in consumer:
        async with delivery:
            taken.append(delivery.event.event_id)
        if len(taken) == count:
            break
    return taken


async def _next(consumer: SqsConsumer) -> Delivery[StreamProcessorEvent]:
    return await anext(aiter(consumer))


async def _nothing_within(consumer: SqsConsumer, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await _next(consumer)


def _now() -> float:
    return asyncio.get_running_loop().time()


# ---------------------------------------------------------------------------------------------------------- deliveries


def test_consumer_delivers_every_message_and_deletes_it() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(250)))
        async with _consumer(queue) as consumer:
            taken = await _take(consumer, 250)
        assert sorted(taken) == sorted(f"event-{number}" for number in range(250))
        assert not queue.messages
        assert (consumer.report.delivered, consumer.report.acknowledged) == (250, 250)
        assert consumer.report.unacknowledged == ()

    run(scenario())


def test_consumer_waits_for_messages_with_one_long_poll() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with _consumer(queue) as consumer:
            task = asyncio.create_task(_next(consumer))
            await asyncio.sleep(100)
            assert (queue.most_polls, queue.count("receive")) == (1, 5)
            queue.send(notification(1))
            assert (await task).event.event_id == "event-1"

    run(scenario())


def test_exception_of_a_handler_leaves_the_message_for_later() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            first = await _next(consumer)
            with pytest.raises(ZeroDivisionError):
                async with first:
                    raise ZeroDivisionError
            assert first.state is SettlementState.RELEASED
            again = await _next(consumer)
            assert _now() >= VISIBILITY
            assert (again.id, again.receive_count) == (first.id, 2)
            await again.ack()
        assert not queue.messages
        assert consumer.report.released == 1

    run(scenario())


@pytest.mark.parametrize("delay", [0, 5, 300])
def test_nack_delivers_again_after_its_delay(delay: float) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            await (await _next(consumer)).nack(delay)
            began = _now()
            await (await _next(consumer)).ack()
            assert delay <= _now() - began <= delay + 1

    run(scenario())


def test_first_settlement_counts() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            async with await _next(consumer) as delivery:
                await delivery.nack(0)
            await delivery.ack()
            assert delivery.state is SettlementState.RELEASED
            await consumer.flush()
            assert queue.messages

    run(scenario())


@pytest.mark.parametrize("delay", [-1, 43_201, "5", True])
def test_nack_rejects_a_delay_that_is_out_of_range(delay: float) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            delivery = await _next(consumer)
            with pytest.raises(InvalidRequestError, match="43200"):
                await delivery.nack(delay)
            assert delivery.state is SettlementState.PENDING

    run(scenario())


def test_iterations_share_the_deliveries() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with _consumer(queue) as consumer, asyncio.TaskGroup() as group:
            tasks = [group.create_task(_take(consumer, 20)) for _ in range(5)]
            await asyncio.sleep(1)
            queue.send(*map(notification, range(100)))
        taken = [event_id for task in tasks for event_id in task.result()]
        assert len(set(taken)) == len(taken) == 100

    run(scenario())


def test_cancelled_iteration_loses_no_delivery() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with _consumer(queue) as consumer:
            for number in range(20):
                waiting = asyncio.create_task(_next(consumer))
                await asyncio.sleep(0.001 * number)
                queue.send(notification(number))
                await asyncio.sleep(0.001 * (number % 7))
                waiting.cancel()
                await asyncio.wait([waiting])
                if waiting.cancelled():
                    assert (await _next(consumer)).event.event_id == f"event-{number}"

    run(scenario())


# ----------------------------------------------------------------------------------------------------------- malformed


def test_malformed_message_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue(max_receive_count=3)
        queue.send("junk", *map(notification, range(5)))
        async with _consumer(queue) as consumer:
            assert len(await _take(consumer, 5)) == 5
            await _nothing_within(consumer, 200)
            assert [message.body for message in queue.dead_letters] == ["junk"]
            assert consumer.report.malformed == 1
            assert consumer.report.unacknowledged == ()

    run(scenario())
    [line] = [record.getMessage() for record in caplog.records if "malformed" in record.getMessage()]
    assert "must be JSON" in line


def test_malformed_message_is_inspected_and_acknowledged() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send('{"eventNamespace": {"type": "LABEL_DETECTED"}, "eventId": 5}')
        async with _consumer(queue) as consumer, await _next(consumer) as delivery:
            assert delivery.is_malformed
            assert "eventId" in str(delivery.raw)
            with pytest.raises(MalformedEventError) as caught:
                _ = delivery.event
            assert {issue.path for issue in caught.value.issues} == {"eventId", "labels", "sessionId"}
        assert not queue.messages

    run(scenario())


# ---------------------------------------------------------------------------------------------------------- duplicates


def test_copy_of_an_acknowledged_event_is_dropped() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            await _take(consumer, 1)
            await consumer.flush()
            queue.send(notification(1), notification(2))
            assert await _take(consumer, 1) == ["event-2"]
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_copy_waits_until_its_event_is_acknowledged() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(1), notification(1))
        async with _consumer(queue) as consumer:
            async with await _next(consumer):
                await _nothing_within(consumer, 10 * VISIBILITY)
                assert len(queue.messages) == 3
            await consumer.flush()
            assert not queue.messages
            assert (consumer.report.received, consumer.report.duplicates) == (3, 2)

    run(scenario())


def test_event_is_delivered_again_when_its_first_copy_fails() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(1))
        async with _consumer(queue) as consumer:
            await (await _next(consumer)).nack(5)
            await _nothing_within(consumer, 4)
            assert await _take(consumer, 1) == ["event-1"]
            await _nothing_within(consumer, 100)
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_event_ids_are_shared_by_consumers() -> None:
    async def scenario() -> None:
        event_ids = MemoryEventIds()
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue, event_ids=event_ids) as consumer:
            await _take(consumer, 1)
        queue.send(notification(1), notification(2))
        async with _consumer(queue, event_ids=event_ids) as consumer:
            assert await _take(consumer, 1) == ["event-2"]
        assert not queue.messages

    run(scenario())


def test_copy_is_dropped_while_the_store_is_slow() -> None:
    """The event is acknowledged, and the store does not have it yet."""

    class SlowEventIds(MemoryEventIds):
        async def add(self, event_ids: Sequence[str]) -> None:
            await asyncio.sleep(5)
            await super().add(event_ids)

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue, event_ids=SlowEventIds()) as consumer:
            await _take(consumer, 1)
            queue.send(notification(1))
            await _nothing_within(consumer, 60)
        assert not queue.messages
        assert consumer.report.duplicates == 1

    run(scenario())


def test_memory_event_ids_forget_the_oldest() -> None:
    async def scenario() -> None:
        event_ids = MemoryEventIds(most=3)
        await event_ids.add(["a", "b", "c"])
        await event_ids.add(["a", "d"])
        assert set(await event_ids.known(["a", "b", "c", "d"])) == {"a", "c", "d"}

    run(scenario())


def test_failing_event_ids_end_the_consumer() -> None:
    class FullEventIds(MemoryEventIds):
        async def add(self, event_ids: object) -> None:
            raise OSError(f"no space for {event_ids}")

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue, event_ids=FullEventIds()) as consumer:
            with pytest.raises(OSError, match="no space for"):
                await _take(consumer, 2)
            with pytest.raises(OSError, match="no space for"):
                await consumer.flush()
        assert queue.messages

    run(scenario())


# -------------------------------------------------------------------------------------------------- visibility timeout


def test_visibility_is_extended_while_a_handler_works() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(25)))
        async with _consumer(queue) as consumer:
            held = [await _next(consumer) for _ in range(25)]
            await _nothing_within(consumer, 100 * VISIBILITY)
            for delivery in held:
                await delivery.ack()
        assert not queue.messages
        assert consumer.report.received == 25
        assert 190 * 3 <= queue.count("change") <= 205 * 3

    run(scenario())


def test_waiting_deliveries_are_extended_too() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(30)))
        async with _consumer(queue) as consumer:
            for _ in range(30):
                async with await _next(consumer):
                    await asyncio.sleep(VISIBILITY)
        assert not queue.messages
        assert consumer.report.received == 30

    run(scenario())


def test_failed_extension_is_repeated_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            delivery = await _next(consumer)
            answers = [ConnectError("away", operation="SQS", retry_safe=True)] * 3
            queue.answer = lambda operation: answers.pop() if operation == "change" and answers else None
            await _nothing_within(consumer, 5 * VISIBILITY)
            await delivery.ack()
        assert not answers
        assert consumer.report.expired == 0

    run(scenario())
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_message_received_again_while_handled_is_not_delivered_twice() -> None:
    """Its newer receipt deletes it: an older one may not."""

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            delivery = await _next(consumer)
            queue.entry_error = lambda operation, _: refused("InvalidParameterValue") if operation == "change" else None
            await _nothing_within(consumer, 3 * VISIBILITY)
            assert consumer.report.expired >= 1
            assert consumer.report.received >= 2
            await delivery.ack()
            await consumer.flush()
            assert not queue.messages
        assert consumer.report.unconfirmed == 0

    run(scenario())


# ------------------------------------------------------------------------------------------------------------- batches


def test_acknowledgements_are_sent_in_batches() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(500)))
        async with _consumer(queue) as consumer:
            await _take(consumer, 500)
        assert queue.count("delete") <= 55
        assert queue.count("receive") <= 70

    run(scenario())


def test_acknowledgement_is_sent_at_once_when_nothing_is_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with _consumer(queue) as consumer:
            await (await _next(consumer)).ack()
            await asyncio.sleep(queue.latency)
            assert not queue.messages

    run(scenario())


def test_acknowledgement_waits_a_moment_while_others_are_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(2))
        async with _consumer(queue) as consumer:
            first, second = await _next(consumer), await _next(consumer)
            await first.ack()
            await asyncio.sleep(0.1)
            assert queue.count("delete") == 0
            await asyncio.sleep(0.2)
            assert (queue.count("delete"), len(queue.messages)) == (1, 1)
            await second.ack()

    run(scenario())


def test_flush_waits_until_acknowledgements_are_confirmed() -> None:
    async def scenario() -> None:
        queue = MemoryQueue(latency=1)
        queue.send(*map(notification, range(15)))
        async with _consumer(queue) as consumer:
            held = [await _next(consumer) for _ in range(15)]
            for delivery in held[:12]:
                await delivery.ack()
            await consumer.flush()
            assert len(queue.messages) == 3

    run(scenario())


def test_deletion_that_fails_for_a_while_is_repeated() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(12)))
        async with _consumer(queue) as consumer:
            failures = [refused("InternalError", 500)] * 15
            queue.entry_error = lambda _, __: failures.pop() if failures else None
            await _take(consumer, 12)
            await consumer.flush()
            calls = [ConnectError("away", operation="SQS", retry_safe=True)] * 3
            queue.answer = lambda operation: calls.pop() if operation == "delete" and calls else None
            queue.send(notification(20))
            await _take(consumer, 1)
            await consumer.flush()
            assert (queue.messages, failures, calls) == ({}, [], [])
        assert (consumer.report.acknowledged, consumer.report.unconfirmed) == (13, 0)

    run(scenario())


def test_deletion_that_is_refused_is_counted() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(2))
        queue.entry_error = lambda operation, message: (
            refused("ReceiptHandleIsInvalid") if operation == "delete" and message.id == "message-0" else None
        )
        async with _consumer(queue) as consumer:
            await _take(consumer, 2)
        assert (consumer.report.acknowledged, consumer.report.unconfirmed) == (1, 1)

    run(scenario())


# ------------------------------------------------------------------------------------------------ rate and backpressure


@pytest.mark.parametrize("most", [1, 7, 10, 25])
def test_consumer_holds_no_more_than_it_may(most: int) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(100)))
        async with _consumer(queue, max_in_flight=most) as consumer:
            taken = 0
            while taken < 100:
                async with await _next(consumer):
                    taken += 1
                    await asyncio.sleep(1)
                    hidden = len(queue.messages) - len(queue.visible())
                    assert hidden <= most
                    assert len(consumer.report.unacknowledged) <= most

    run(scenario())


def test_slow_handler_does_not_starve() -> None:
    """Room for less than a batch is used as soon as no delivery is left."""

    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(12)))
        async with _consumer(queue, max_in_flight=10) as consumer:
            held = [await _next(consumer) for _ in range(10)]
            await held[0].ack()
            began = _now()
            assert (await _next(consumer)).event.event_id == "event-10"
            assert _now() - began < 1

    run(scenario())


def test_slow_handler_receives_whole_batches() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(200)))
        async with _consumer(queue, max_in_flight=30) as consumer:
            for _ in range(200):
                async with await _next(consumer):
                    await asyncio.sleep(1)
        assert queue.count("receive") <= 25

    run(scenario())


def test_receivers_follow_the_rate() -> None:
    async def scenario() -> None:
        queue = MemoryQueue(latency=0.2)
        queue.send(*map(notification, range(2_000)))
        async with _consumer(queue, max_in_flight=1_000, max_receivers=6) as consumer:
            await _take(consumer, 2_000)
            assert queue.most_polls == 6
            await asyncio.sleep(60)
            assert queue.polls == 1

    run(scenario())


# ------------------------------------------------------------------------------------------------------------ failures


def test_receiving_goes_on_after_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        queue.answer = lambda _: ConnectError("away", operation="SQS", retry_safe=True) if _now() < 600 else None
        async with _consumer(queue) as consumer:
            assert await _take(consumer, 1) == ["event-1"]
            assert 600 <= _now() < 640
            assert queue.count("receive") < 120

    with caplog.at_level(logging.INFO):
        run(scenario())
    texts = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert len([text for text in texts if "can be received: " in text]) == 1
    assert "messages are received again" in texts


@pytest.mark.parametrize("operation", ["receive", "delete", "change"])
def test_failure_that_does_not_pass_is_raised_by_the_iteration(operation: str) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        queue.answer = lambda name: refused("AccessDenied", 403) if name == operation else None
        async with _consumer(queue) as consumer:

            async def acknowledge_all() -> None:
                async for delivery in consumer:
                    if operation == "delete":
                        await delivery.ack()

            with pytest.raises(ServiceError) as caught:
                await acknowledge_all()
            assert caught.value.code == "AccessDenied"

    run(scenario())


@pytest.mark.parametrize("is_late", [True, False])
def test_failure_that_no_iteration_raised_is_raised_on_leaving(is_late: bool) -> None:  # noqa: FBT001 - a parameter
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        queue.answer = lambda name: refused("AccessDenied", 403) if name == "delete" else None
        connection = queue.connect()

        async def work() -> None:
            async with _consumer(connection) as consumer:
                await (await _next(consumer)).ack()
                if not is_late:
                    await asyncio.sleep(5)

        with pytest.raises(ServiceError, match="AccessDenied"):
            await work()
        assert connection.closed

    run(scenario())


# ------------------------------------------------------------------------------------------------------------- leaving


def test_leaving_releases_what_was_not_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(0), *map(notification, range(30)))
        connection = queue.connect()
        async with _consumer(connection) as consumer:
            handled = [await _next(consumer) for _ in range(12)]
            for delivery in handled[:4]:
                await delivery.ack()
        assert connection.closed
        assert (consumer.report.acknowledged, consumer.report.unacknowledged) == (5, ())
        assert len(queue.messages) == len(queue.visible()) == 26
        with pytest.raises(ConfigurationError, match="delivered again"):
            await handled[5].ack()

    run(scenario())


def test_cancelled_handler_releases_its_event_at_once() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))

        async def work() -> None:
            async with _consumer(queue) as consumer:
                async for delivery in consumer:
                    async with delivery:
                        await asyncio.sleep(1_000)

        task = asyncio.create_task(work())
        await asyncio.sleep(100)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(queue.visible()) == 1

    run(scenario())


def test_leaving_takes_bounded_time_while_the_queue_is_away() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        connection = queue.connect()
        async with _consumer(connection) as consumer:
            await (await _next(consumer)).ack()
            connection.broken = True
            began = _now()
        assert _now() - began <= 11
        assert consumer.report.unacknowledged == ("message-0",)

    run(scenario())


def test_stop_ends_the_iterations_and_lets_handlers_finish() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(30)))
        async with _consumer(queue) as consumer, asyncio.TaskGroup() as group:

            async def handle() -> int:
                count = 0
                async for delivery in consumer:
                    async with delivery:
                        await asyncio.sleep(5)
                        count += 1
                return count

            tasks = [group.create_task(handle()) for _ in range(3)]
            await asyncio.sleep(7)
            await consumer.stop()
            await asyncio.sleep(1)
            assert len(queue.visible()) == 24
        assert [task.result() for task in tasks] == [2, 2, 2]
        assert len(queue.visible()) == len(queue.messages) == 24

    run(scenario())


def test_consumer_is_entered_once_and_before_its_iteration() -> None:
    async def scenario() -> None:
        consumer = _consumer(MemoryQueue())
        with pytest.raises(ConfigurationError, match="async with"):
            await _next(consumer)
        async with consumer:
            pass
        with pytest.raises(StopAsyncIteration):
            await _next(consumer)
        with pytest.raises(ConfigurationError, match="once"):
            await consumer.__aenter__()
        await consumer.aclose()

    run(scenario())


def test_options_are_validated_all_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SqsConsumer("doors", max_in_flight=0, max_receivers=True, visibility_timeout=0)
    assert [issue.path for issue in caught.value.issues] == [
        "queue_url",
        "max_in_flight",
        "max_receivers",
        "visibility_timeout",
    ]


@pytest.mark.parametrize("url", ["http://[::1", "ftp://host/1/q", "https://host", 5, None])
def test_other_urls_are_no_queue(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="queue_url"):
        SqsConsumer(url)


def test_options_of_calls_are_validated() -> None:
    for options in ({"retry": 3}, {"timeout": 0}, {"timeout": "5"}, {"region": 5}):
        with pytest.raises(InvalidRequestError):
            SqsConsumer(URL, **options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequestError, match="not both"):
        SqsConsumer(URL, profile="doors", session=AioSession())
