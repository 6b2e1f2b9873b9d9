"""Handlers for AWS Lambda."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream.errors import ConfigurationError, InvalidRequestError, MalformedEventError
from aiorekostream.results import awslambda
from aiorekostream.testing import MemoryTransport
from tests.payloads import DETECTED, text, wire
from tests.results.memory_queue import notification

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aiorekostream.domain.labels import StreamProcessorEvent


pytestmark = pytest.mark.usefixtures("event_loop_of_lambda")


def _sqs(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m-{n}", "eventSource": "aws:sqs", "body": b} for n, b in enumerate(bodies)]}


def _failed(*numbers: int) -> dict[str, list[dict[str, str]]]:
    return {"batchItemFailures": [{"itemIdentifier": f"m-{number}"} for number in numbers]}


def test_sqs_handler_handles_every_message() -> None:
    handled: list[StreamProcessorEvent] = []

    async def handle(event: StreamProcessorEvent) -> None:
        handled.append(event)

    enveloped = json.dumps({"Type": "Notification", "Message": text("label-detected")})
    assert awslambda.sqs_handler(handle)(_sqs(text("label-detected"), enveloped), None) == _failed()
    assert handled == [DETECTED, DETECTED]


def test_sqs_handler_names_the_messages_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(event: StreamProcessorEvent) -> None:
        if event.event_id == "event-1":
            raise ZeroDivisionError

    event = _sqs(notification(0), notification(1), "junk", notification(3), "{}")
    assert awslambda.sqs_handler(handle)(event) == _failed(1, 2, 4)
    levels = sorted(record.levelno for record in caplog.records if record.name == "aiorekostream")
    assert levels == [logging.WARNING, logging.WARNING, logging.ERROR]


def test_message_id_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(_: StreamProcessorEvent) -> None:
        raise ZeroDivisionError

    event = _sqs("junk", notification(1))
    for record in event["Records"]:
        record["messageId"] += "\nCRITICAL forged"
    failures = awslambda.sqs_handler(handle)(event)["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failures] == [it["messageId"] for it in event["Records"]]
    messages = [record.getMessage() for record in caplog.records if record.name == "aiorekostream"]
    assert sorted(message.partition("\\nCRITICAL forged")[0] for message in messages) == [
        "the message m-0",
        "the message m-1",
    ]


@pytest.mark.parametrize("concurrency", [1, 3, 10])
def test_sqs_handler_handles_so_many_at_a_time(concurrency: int) -> None:
    running, most = 0, 0

    async def handle(event: StreamProcessorEvent) -> None:
        nonlocal running, most
        assert event.session_id
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1

    handler = awslambda.sqs_handler(handle, concurrency=concurrency)
    assert handler(_sqs(*map(notification, range(25)))) == _failed()
    assert most == concurrency


def test_sns_handler_handles_the_notification() -> None:
    handled: list[StreamProcessorEvent] = []

    async def handle(event: StreamProcessorEvent) -> None:
        handled.append(event)

    awslambda.sns_handler(handle)(wire("sns-lambda-event"), None)
    assert handled == [DETECTED]


def test_sns_handler_raises_what_the_function_raises() -> None:
    async def handle(_: StreamProcessorEvent) -> None:
        raise ZeroDivisionError

    handler = awslambda.sns_handler(handle)
    event = wire("sns-lambda-event")
    with pytest.raises(ZeroDivisionError):
        handler(event)
    event["Records"].append({"Sns": {"Message": "junk"}})
    with pytest.raises(ExceptionGroup) as caught:
        handler(event)
    assert {type(error) for error in caught.value.exceptions} == {ZeroDivisionError, MalformedEventError}


def test_loop_and_resources_are_kept_between_invocations() -> None:
    loops: set[asyncio.AbstractEventLoop] = set()
    steps: list[str] = []

    @contextlib.asynccontextmanager
    async def resource() -> AsyncGenerator[None]:
        steps.append("opened")
        yield
        steps.append("closed")

    async def handle(_: StreamProcessorEvent) -> None:
        loops.add(asyncio.get_running_loop())
        steps.append("handled")

    one = awslambda.sqs_handler(handle, resources=[resource()])
    other = awslambda.sns_handler(handle)
    one(_sqs(notification(1)))
    one(_sqs(notification(2)))
    other(wire("sns-lambda-event"))
    assert len(loops) == 1
    assert steps == ["opened", "handled", "handled", "handled"]
    one.close()
    assert steps[-1] == "closed"
    one.close()


def test_client_serves_every_invocation() -> None:
    transport = MemoryTransport(lambda _, __: {"SessionId": "session-2"})
    client = rks.Client(transport=transport)
    sessions: list[str | None] = []

    async def restart(_: StreamProcessorEvent) -> None:
        sessions.append((await client.start_stream_processor(rks.FaceSearchStart("lobby"))).session_id)

    handler = awslambda.sqs_handler(restart, resources=[client])
    for number in range(3):
        assert handler(_sqs(notification(number))) == _failed()
    assert sessions == ["session-2"] * 3
    handler.close()


def test_resource_that_cannot_be_opened_is_opened_at_the_next_invocation() -> None:
    attempts = iter([OSError("not yet"), None])

    class Resource:
        async def __aenter__(self) -> None:
            if (error := next(attempts)) is not None:
                raise error

        async def __aexit__(self, *_: object) -> None:
            pass

    async def handle(_: StreamProcessorEvent) -> None:
        pass

    handler = awslambda.sqs_handler(handle, resources=[Resource()])
    with pytest.raises(OSError, match="not yet"):
        handler(_sqs(notification(1)))
    assert handler(_sqs(notification(1))) == _failed()


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": {}}, {"Records": ["x"]}, [], None], ids=repr)
def test_event_without_records_is_malformed(event: Any) -> None:  # noqa: ANN401 - malformed
    async def handle(_: StreamProcessorEvent) -> None:
        pytest.fail("nothing is to be handled")

    for handler in (awslambda.sqs_handler(handle), awslambda.sns_handler(handle)):
        with pytest.raises(MalformedEventError, match="Records"):
            handler(event)


def test_message_without_an_id_fails_the_batch() -> None:
    async def handle(_: StreamProcessorEvent) -> None:
        pytest.fail("nothing is to be handled")

    with pytest.raises(MalformedEventError, match=r"Records\[0\]\.messageId"):
        awslambda.sqs_handler(handle)({"Records": [{"body": notification(1)}]})


async def test_handler_refuses_to_run_inside_an_event_loop() -> None:
    async def handle(_: StreamProcessorEvent) -> None:
        pytest.fail("nothing is to be handled")

    with pytest.raises(ConfigurationError, match="event loop"):
        awslambda.sqs_handler(handle)(_sqs(notification(1)))


def test_concurrency_is_validated() -> None:
    async def handle(_: StreamProcessorEvent) -> None:
        pass

    with pytest.raises(InvalidRequestError, match="at least 1"):
        awslambda.sqs_handler(handle, concurrency=0)
