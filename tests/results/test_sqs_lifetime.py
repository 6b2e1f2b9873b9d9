"""Failures of a queue, and how a consumer ends; in virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aiorekostream.errors import ConfigurationError, ConnectError, ServiceError
from tests.results.memory_queue import MemoryQueue, notification, refused
from tests.results.sqs_consumers import consumer_of, next_of, take
from tests.virtual_time import now, run


def test_receiving_goes_on_after_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        queue.answer = lambda _: ConnectError("away", operation="SQS", retry_safe=True) if now() < 600 else None
        async with consumer_of(queue) as consumer:
            assert await take(consumer, 1) == ["event-1"]
            assert 600 <= now() < 640
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
        async with consumer_of(queue) as consumer:

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
            async with consumer_of(connection) as consumer:
                await (await next_of(consumer)).ack()
                if not is_late:
                    await asyncio.sleep(5)

        with pytest.raises(ServiceError, match="AccessDenied"):
            await work()
        assert connection.closed

    run(scenario())


def test_leaving_releases_what_was_not_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(0), *map(notification, range(30)))
        connection = queue.connect()
        async with consumer_of(connection) as consumer:
            handled = [await next_of(consumer) for _ in range(12)]
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
            async with consumer_of(queue) as consumer:
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
        async with consumer_of(connection) as consumer:
            await (await next_of(consumer)).ack()
            connection.broken = True
            began = now()
        assert now() - began <= 11
        assert consumer.report.unacknowledged == ("message-0",)

    run(scenario())


def test_stop_ends_the_iterations_and_lets_handlers_finish() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(30)))
        async with consumer_of(queue) as consumer, asyncio.TaskGroup() as group:

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
        consumer = consumer_of(MemoryQueue())
        with pytest.raises(ConfigurationError, match="async with"):
            await next_of(consumer)
        async with consumer:
            pass
        with pytest.raises(StopAsyncIteration):
            await next_of(consumer)
        with pytest.raises(ConfigurationError, match="once"):
            await consumer.__aenter__()
        await consumer.aclose()

    run(scenario())
