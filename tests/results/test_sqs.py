"""The consumer of SQS, over a queue in memory and in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from aiobotocore.session import AioSession

from aiorekostream.errors import (
    InvalidRequestError,
    MalformedEventError,
)
from aiorekostream.results import SettlementState, SqsConsumer
from tests.results.memory_queue import MemoryQueue, notification
from tests.results.sqs_consumers import URL, VISIBILITY, consumer_of, next_of, nothing_within, take
from tests.virtual_time import now, run

# ---------------------------------------------------------------------------------------------------------- deliveries


def test_consumer_delivers_every_message_and_deletes_it() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(250)))
        async with consumer_of(queue) as consumer:
            taken = await take(consumer, 250)
        assert sorted(taken) == sorted(f"event-{number}" for number in range(250))
        assert not queue.messages
        assert (consumer.report.delivered, consumer.report.acknowledged) == (250, 250)
        assert consumer.report.unacknowledged == ()

    run(scenario())


def test_consumer_waits_for_messages_with_one_long_poll() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with consumer_of(queue) as consumer:
            task = asyncio.create_task(next_of(consumer))
            await asyncio.sleep(100)
            assert (queue.most_polls, queue.count("receive")) == (1, 5)
            queue.send(notification(1))
            assert (await task).event.event_id == "event-1"

    run(scenario())


def test_exception_of_a_handler_leaves_the_message_for_later() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue) as consumer:
            first = await next_of(consumer)
            with pytest.raises(ZeroDivisionError):
                async with first:
                    raise ZeroDivisionError
            assert first.state is SettlementState.RELEASED
            again = await next_of(consumer)
            assert now() >= VISIBILITY
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
        async with consumer_of(queue) as consumer:
            await (await next_of(consumer)).nack(delay)
            began = now()
            await (await next_of(consumer)).ack()
            assert delay <= now() - began <= delay + 1

    run(scenario())


def test_first_settlement_counts() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue) as consumer:
            async with await next_of(consumer) as delivery:
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
        async with consumer_of(queue) as consumer:
            delivery = await next_of(consumer)
            with pytest.raises(InvalidRequestError, match="43200"):
                await delivery.nack(delay)
            assert delivery.state is SettlementState.PENDING

    run(scenario())


def test_iterations_share_the_deliveries() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with consumer_of(queue) as consumer, asyncio.TaskGroup() as group:
            tasks = [group.create_task(take(consumer, 20)) for _ in range(5)]
            await asyncio.sleep(1)
            queue.send(*map(notification, range(100)))
        taken = [event_id for task in tasks for event_id in task.result()]
        assert len(set(taken)) == len(taken) == 100

    run(scenario())


def test_cancelled_iteration_loses_no_delivery() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        async with consumer_of(queue) as consumer:
            for number in range(20):
                waiting = asyncio.create_task(next_of(consumer))
                await asyncio.sleep(0.001 * number)
                queue.send(notification(number))
                await asyncio.sleep(0.001 * (number % 7))
                waiting.cancel()
                await asyncio.wait([waiting])
                if waiting.cancelled():
                    assert (await next_of(consumer)).event.event_id == f"event-{number}"

    run(scenario())


# ----------------------------------------------------------------------------------------------------------- malformed


def test_malformed_message_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue(max_receive_count=3)
        queue.send("junk", *map(notification, range(5)))
        async with consumer_of(queue) as consumer:
            assert len(await take(consumer, 5)) == 5
            await nothing_within(consumer, 200)
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
        async with consumer_of(queue) as consumer, await next_of(consumer) as delivery:
            assert delivery.is_malformed
            assert "eventId" in str(delivery.raw)
            with pytest.raises(MalformedEventError) as caught:
                _ = delivery.event
            assert {issue.path for issue in caught.value.issues} == {"eventId", "labels", "sessionId"}
        assert not queue.messages

    run(scenario())


# ------------------------------------------------------------------------------------------------ rate and backpressure


@pytest.mark.parametrize("most", [1, 7, 10, 25])
def test_consumer_holds_no_more_than_it_may(most: int) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(100)))
        async with consumer_of(queue, max_in_flight=most) as consumer:
            taken = 0
            while taken < 100:
                async with await next_of(consumer):
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
        async with consumer_of(queue, max_in_flight=10) as consumer:
            held = [await next_of(consumer) for _ in range(10)]
            await held[0].ack()
            began = now()
            assert (await next_of(consumer)).event.event_id == "event-10"
            assert now() - began < 1

    run(scenario())


def test_slow_handler_receives_whole_batches() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(200)))
        async with consumer_of(queue, max_in_flight=30) as consumer:
            for _ in range(200):
                async with await next_of(consumer):
                    await asyncio.sleep(1)
        assert queue.count("receive") <= 25

    run(scenario())


def test_receivers_follow_the_rate() -> None:
    async def scenario() -> None:
        queue = MemoryQueue(latency=0.2)
        queue.send(*map(notification, range(2_000)))
        async with consumer_of(queue, max_in_flight=1_000, max_receivers=6) as consumer:
            await take(consumer, 2_000)
            assert queue.most_polls == 6
            await asyncio.sleep(60)
            assert queue.polls == 1

    run(scenario())


# ------------------------------------------------------------------------------------------------------------- options


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
