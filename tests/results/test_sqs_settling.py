"""Visibility timeouts that are extended, and acknowledgements in batches; in virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiorekostream.errors import ConnectError
from tests.results.memory_queue import MemoryQueue, notification, refused
from tests.results.sqs_consumers import VISIBILITY, consumer_of, next_of, nothing_within, take
from tests.virtual_time import run

if TYPE_CHECKING:
    import pytest


def test_visibility_is_extended_while_a_handler_works() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(25)))
        async with consumer_of(queue) as consumer:
            held = [await next_of(consumer) for _ in range(25)]
            await nothing_within(consumer, 100 * VISIBILITY)
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
        async with consumer_of(queue) as consumer:
            for _ in range(30):
                async with await next_of(consumer):
                    await asyncio.sleep(VISIBILITY)
        assert not queue.messages
        assert consumer.report.received == 30

    run(scenario())


def test_failed_extension_is_repeated_in_time(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue) as consumer:
            delivery = await next_of(consumer)
            answers = [ConnectError("away", operation="SQS", retry_safe=True)] * 3
            queue.answer = lambda operation: answers.pop() if operation == "change" and answers else None
            await nothing_within(consumer, 5 * VISIBILITY)
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
        async with consumer_of(queue) as consumer:
            delivery = await next_of(consumer)
            queue.entry_error = lambda operation, _: refused("InvalidParameterValue") if operation == "change" else None
            await nothing_within(consumer, 3 * VISIBILITY)
            assert consumer.report.expired >= 1
            assert consumer.report.received >= 2
            await delivery.ack()
            await consumer.flush()
            assert not queue.messages
        assert consumer.report.unconfirmed == 0

    run(scenario())


def test_acknowledgements_are_sent_in_batches() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(500)))
        async with consumer_of(queue) as consumer:
            await take(consumer, 500)
        assert queue.count("delete") <= 55
        assert queue.count("receive") <= 70

    run(scenario())


def test_acknowledgement_is_sent_at_once_when_nothing_is_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1))
        async with consumer_of(queue) as consumer:
            await (await next_of(consumer)).ack()
            await asyncio.sleep(queue.latency)
            assert not queue.messages

    run(scenario())


def test_acknowledgement_waits_a_moment_while_others_are_handled() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(notification(1), notification(2))
        async with consumer_of(queue) as consumer:
            first, second = await next_of(consumer), await next_of(consumer)
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
        async with consumer_of(queue) as consumer:
            held = [await next_of(consumer) for _ in range(15)]
            for delivery in held[:12]:
                await delivery.ack()
            await consumer.flush()
            assert len(queue.messages) == 3

    run(scenario())


def test_deletion_that_fails_for_a_while_is_repeated() -> None:
    async def scenario() -> None:
        queue = MemoryQueue()
        queue.send(*map(notification, range(12)))
        async with consumer_of(queue) as consumer:
            failures = [refused("InternalError", 500)] * 15
            queue.entry_error = lambda _, __: failures.pop() if failures else None
            await take(consumer, 12)
            await consumer.flush()
            calls = [ConnectError("away", operation="SQS", retry_safe=True)] * 3
            queue.answer = lambda operation: calls.pop() if operation == "delete" and calls else None
            queue.send(notification(20))
            await take(consumer, 1)
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
        async with consumer_of(queue) as consumer:
            await take(consumer, 2)
        assert (consumer.report.acknowledged, consumer.report.unconfirmed) == (1, 1)

    run(scenario())
