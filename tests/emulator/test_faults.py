"""Inject faults, and check what a caller over HTTP observes and what the call log records."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from aiorekostream.emulator import (
    Emulator,
    ErrorResponse,
    Hang,
    Latency,
    MalformedResponse,
    ManualClock,
    ResetAfter,
    ResetBefore,
    ServerError,
    Throttle,
)
from tests.emulator.clients import Boto, boto, exchange, http, until
from tests.emulator.samples import faces, labels, session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = "StartStreamProcessor"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=ManualClock(), check_answers=True, quotas=False) as emulator:
        yield emulator


@pytest.fixture
async def rekognition(emulator: Emulator) -> AsyncIterator[Boto]:
    async with boto(emulator.url) as client:
        await client("create_stream_processor", **labels("door"))
        emulator.clear_calls()
        yield client


def start() -> bytes:
    return http(headers={"X-Amz-Target": f"RekognitionService.{START}"}, body=json.dumps(session("door")).encode())


async def test_throttled_start_is_not_executed(emulator: Emulator, rekognition: Boto) -> None:
    fault = Throttle(operation=START)
    emulator.inject(fault)
    assert await rekognition.refused("start_stream_processor", **session("door")) == (
        "ThrottlingException",
        "Slow down; sudden increase in rate of requests.",
        400,
    )
    assert await rekognition.status("door") == "STOPPED"
    assert emulator.faults == ()
    call = emulator.calls[0]
    assert (call.done, call.code, call.status, call.faults) == (False, "ThrottlingException", 400, (fault,))


async def test_throttle_and_error_response_set_status_code_and_message(emulator: Emulator, rekognition: Boto) -> None:
    emulator.inject(
        Throttle(status=500),
        ErrorResponse(code="ServiceQuotaExceededException", message="Too much."),
        ErrorResponse(),
    )
    verb = "list_stream_processors"
    assert await rekognition.refused(verb) == ("ThrottlingException", "Service Unavailable", 500)
    assert await rekognition.refused(verb) == ("ServiceQuotaExceededException", "Too much.", 400)
    assert (await exchange(emulator.url, http())).body == b'{"__type":"AccessDeniedException"}'


@pytest.mark.parametrize("done", [False, True])
async def test_server_error_executes_the_start_only_when_done(
    emulator: Emulator, rekognition: Boto, *, done: bool
) -> None:
    emulator.inject(ServerError(operation=START, status=503, code="ServiceUnavailable", done=done))
    code, _, status = await rekognition.refused("start_stream_processor", **session("door"))
    assert (code, status) == ("ServiceUnavailable", 503)
    assert await rekognition.status("door") == ("STARTING" if done else "STOPPED")
    assert emulator.calls[0].done is done
    assert (emulator.calls[0].session_id is not None) is done


async def test_server_error_responds_with_html_when_requested(emulator: Emulator) -> None:
    emulator.inject(ServerError(status=503, html=True))
    response = await exchange(emulator.url, http())
    assert (response.status, response.headers["content-type"]) == (503, "text/html")
    assert (emulator.calls[0].status, emulator.calls[0].code) == (503, None)


async def test_malformed_response_is_a_200_with_the_given_body(emulator: Emulator, rekognition: Boto) -> None:
    emulator.inject(MalformedResponse(operation=START), MalformedResponse(operation=START, done=False, body="{"))
    assert await rekognition.status("door") == "STOPPED"
    response = await exchange(emulator.url, start())
    assert (response.status, response.body) == (200, b"<html><body>It works!</body></html>")
    assert await rekognition.status("door") == "STARTING"
    response = await exchange(emulator.url, start())
    assert (response.status, response.body) == (200, b"{")


@pytest.mark.parametrize(("fault", "status"), [(ResetBefore(), "STOPPED"), (ResetAfter(), "STARTING")])
async def test_reset_loses_the_response_before_or_after_execution(
    emulator: Emulator, rekognition: Boto, fault: ResetBefore | ResetAfter, status: str
) -> None:
    emulator.inject(fault)
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        await rekognition("start_stream_processor", **session("door"))
    assert await rekognition.status("door") == status
    call = emulator.calls[0]
    assert (call.operation, call.status, call.code, call.done) == (START, None, None, status == "STARTING")


async def test_reset_sends_rst_instead_of_fin(emulator: Emulator) -> None:
    emulator.inject(ResetBefore())
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(start())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("done", [False, True])
async def test_hanging_request_ends_when_emulator_closes(*, done: bool) -> None:
    emulator = Emulator(clock=ManualClock(), quotas=False)
    await emulator.start()
    async with boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **labels("door"))
        emulator.clear_calls()
        emulator.inject(Hang(operation=START, done=done, times=None))
        hanging = [asyncio.create_task(exchange(emulator.url, start())) for _ in range(5)]
        await until(lambda: len(emulator.calls) == len(hanging))
        assert await rekognition.status("door") == ("STARTING" if done else "STOPPED")
        await emulator.aclose()
        responses = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(response, ConnectionError) for response in responses)
    assert [call.done for call in emulator.calls if call.operation == START].count(True) == done


async def test_delayed_request_is_executed_when_caller_has_disconnected(emulator: Emulator, rekognition: Boto) -> None:
    emulator.inject(Latency(operation=START, seconds=0.01))
    _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(start())
    await writer.drain()
    writer.close()
    await until(lambda: emulator.calls)
    assert (emulator.calls[0].done, emulator.calls[0].status) == (True, None)
    assert await rekognition.status("door") == "STARTING"


@pytest.mark.parametrize("fault", [Hang(times=None), Latency(seconds=1e6, times=None)])
async def test_waiting_requests_end_with_their_connections(emulator: Emulator, fault: Hang | Latency) -> None:
    emulator.inject(fault)
    tasks = asyncio.all_tasks()
    writers = [(await asyncio.open_connection("127.0.0.1", emulator.port))[1] for _ in range(20)]
    for writer in writers:
        writer.write(http())
    await until(lambda: len(asyncio.all_tasks()) >= len(tasks) + len(writers))
    for writer in writers:
        writer.close()
    await until(lambda: asyncio.all_tasks() == tasks)


async def test_abandoned_requests_are_dropped_beyond_the_bound(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiorekostream.emulator.http.rekognition._MAX_ABANDONED_BYTES", 5000)
    emulator.inject(Latency(seconds=1e6, times=20))
    tasks = asyncio.all_tasks()
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        writer.write(http())
        await writer.drain()
        writer.close()
    await until(lambda: not emulator.faults and asyncio.all_tasks() == tasks)
    assert emulator._server._rekognition is not None
    assert len(emulator._server._rekognition._abandoned) == 4


async def test_delayed_request_is_not_executed_when_emulator_closes() -> None:
    emulator = Emulator(quotas=False)
    await emulator.start()
    emulator.inject(Latency(seconds=1e6))
    slow = asyncio.create_task(exchange(emulator.url, http()))
    await until(lambda: not emulator.faults)
    await emulator.aclose()
    with pytest.raises(ConnectionError):
        await slow
    assert emulator.calls == ()


async def test_faults_apply_by_operation_and_name(emulator: Emulator, rekognition: Boto) -> None:
    emulator.inject(Throttle(operation="Describe*", name="lob*", times=None))
    await rekognition("create_stream_processor", **faces("lobby"))
    assert await rekognition.status("door") == "STOPPED"
    assert (await rekognition.refused("describe_stream_processor", Name="lobby"))[0] == "ThrottlingException"
    emulator.clear_faults()
    assert await rekognition.status("lobby") == "STOPPED"


async def test_probability_uses_the_given_random_source() -> None:
    numbers = iter([0.9, 0.1, 0.9])
    async with Emulator(quotas=False, random=lambda: next(numbers)) as emulator:
        emulator.inject(Throttle(times=None, probability=0.5))
        assert [(await exchange(emulator.url, http())).status for _ in range(3)] == [200, 400, 200]


async def test_default_random_source_is_the_same_in_every_run() -> None:
    async def run() -> list[int]:
        async with Emulator(quotas=False) as emulator:
            emulator.inject(Throttle(times=None, probability=0.5))
            return [(await exchange(emulator.url, http())).status for _ in range(20)]

    first = await run()
    assert first == await run()
    assert set(first) == {200, 400}
