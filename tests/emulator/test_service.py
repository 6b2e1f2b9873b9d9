"""Use the Emulator object: start, concurrent requests, clocks, and a close that leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

import aiorekostream.emulator
from aiorekostream.emulator import Emulator, ManualClock, ScaledClock
from aiorekostream.errors import ConfigurationError, InvalidRequestError
from aiorekostream.limits import Limits
from tests.emulator.clients import boto, exchange, http
from tests.emulator.samples import faces, labels, session


async def test_emulator_listens_on_a_free_loopback_port() -> None:
    async with Emulator() as one, Emulator() as other:
        assert one.url == f"http://127.0.0.1:{one.port}"
        assert one.port != other.port


async def test_emulator_keeps_its_state_when_closed_and_started_again() -> None:
    """Closing twice is safe."""
    emulator = Emulator(clock=ManualClock())
    async with emulator, boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **labels("door"))
    await emulator.aclose()
    with pytest.raises(ConfigurationError):
        _ = emulator.url
    async with emulator, boto(emulator.url) as rekognition:
        assert await rekognition.status("door") == "STOPPED"
        with pytest.raises(ConfigurationError):
            await emulator.start()


async def test_start_raises_configuration_error_when_port_is_in_use() -> None:
    async with Emulator() as emulator:
        with pytest.raises(ConfigurationError, match=str(emulator.port)):
            await Emulator(port=emulator.port).start()


async def test_close_leaves_no_running_task() -> None:
    before = asyncio.all_tasks()
    async with Emulator() as emulator:
        connections = [await asyncio.open_connection("127.0.0.1", emulator.port) for _ in range(20)]
        for _, writer in connections[:10]:
            writer.write(http())
        for _, writer in connections[10:15]:
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        for reader, _ in connections[:10]:
            await reader.readuntil(b"\r\n\r\n")
    assert asyncio.all_tasks() == before
    for _, writer in connections:
        writer.close()


async def test_500_concurrent_starts_get_responses_and_are_recorded() -> None:
    limits = Limits(concurrent_label_detection={"us-east-1": 300})
    async with Emulator(clock=ManualClock(), quotas=False, limits=limits) as emulator:

        async def ask(operation: str, members: object) -> tuple[int, str]:
            headers = {"X-Amz-Target": f"RekognitionService.{operation}", "Connection": "close"}
            response = await exchange(emulator.url, http(headers=headers, body=json.dumps(members).encode()))
            return response.status, str(response.json.get("SessionId") or response.json.get("Code"))

        names = [f"door-{number}" for number in range(500)]
        await asyncio.gather(*(ask("CreateStreamProcessor", labels(name)) for name in names))
        emulator.clear_calls()
        responses = await asyncio.gather(*(ask("StartStreamProcessor", session(name)) for name in names))
        assert Counter(status for status, _ in responses) == {200: 300, 400: 200}
        assert {word for status, word in responses if status == 400} == {"LimitExceededException"}
        sessions = {word for status, word in responses if status == 200}
        assert sessions == {call.session_id for call in emulator.calls if call.done}
        assert sessions == {state.session_id for state in emulator.processors if state.status == "STARTING"}
        assert len(sessions) == 300


async def test_advance_applies_the_state_changes_that_are_due() -> None:
    async with Emulator(clock=ManualClock(1000)) as emulator, boto(emulator.url) as rekognition:
        assert emulator.next_event is None
        await rekognition("create_stream_processor", **faces("lobby"))
        await rekognition("start_stream_processor", Name="lobby")
        assert emulator.next_event == 1002
        emulator.advance(1.9)
        assert emulator.processors[0].status == "STARTING"
        emulator.advance(0.1)
        assert (emulator.processors[0].status, emulator.processors[0].updated) == ("RUNNING", 1002)
        assert emulator.clock.now() == 1002
        with pytest.raises(InvalidRequestError):
            emulator.advance(-1)


async def test_advance_raises_when_clock_is_not_manual() -> None:
    async with Emulator(clock=ScaledClock(100)) as emulator:
        with pytest.raises(ConfigurationError):
            emulator.advance(1)


async def test_session_ends_on_a_scaled_clock() -> None:
    async with Emulator(clock=ScaledClock(100_000)) as emulator, boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **labels("door"))
        await rekognition("start_stream_processor", **session("door", seconds=120))
        while await rekognition.status("door") != "STOPPED":
            pass
        (state,) = emulator.processors
        assert state.updated - state.created > 119.9


async def test_processor_can_be_created_without_a_request() -> None:
    emulator = Emulator(accounts={"AKIAEXAMPLE": "123456789012"}, clock=ManualClock())
    given = {"region": "us-west-2", "access_key": "AKIAEXAMPLE"}
    with pytest.raises(ConfigurationError, match="not running"):
        emulator.create_stream_processor(faces("lobby"), **given)
    async with emulator, boto(emulator.url, region="us-west-2") as rekognition:
        arn = emulator.create_stream_processor(faces("lobby"), **given)
        assert arn == "arn:aws:rekognition:us-west-2:123456789012:streamprocessor/lobby"
        assert emulator.calls == ()
        assert await rekognition.status("lobby") == "STOPPED"
        for request, region, reason in (
            (faces("lobby"), "us-west-2", "'lobby': ResourceInUseException: "),
            (faces("?"), "us-west-2", r"'\?': InvalidParameterException: .*Name"),
            (faces("hall"), "sa-east-1", "'hall': AccessDeniedException: no such service in sa-east-1"),
        ):
            with pytest.raises(ConfigurationError, match=reason):
                emulator.create_stream_processor(request, region=region, access_key="AKIAEXAMPLE")


async def test_fail_makes_the_next_start_fail() -> None:
    async with Emulator(clock=ManualClock()) as emulator, boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **faces("lobby"))
        emulator.fail("lobby", "Access denied to Role", after=1)
        await rekognition("start_stream_processor", Name="lobby")
        emulator.advance(1)
        (state,) = emulator.processors
        assert (state.status, state.status_message) == ("FAILED", "Access denied to Role")


async def test_reset_removes_processors_calls_and_events() -> None:
    async with Emulator(clock=ManualClock()) as emulator, boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **labels("door"))
        emulator.reset()
        assert (emulator.processors, emulator.calls, emulator.next_event) == ((), (), None)
        await rekognition("create_stream_processor", **labels("door"))


async def test_calls_are_not_recorded_when_record_is_false() -> None:
    async with Emulator(record=False) as emulator:
        assert (await exchange(emulator.url, http())).status == 200
        assert emulator.calls == ()


def _loaded_by(statement: str, *packages: str) -> list[str]:
    program = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}} & {set(packages)})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return sorted(done.stdout.split())


def test_emulator_imports_no_client_dependency() -> None:
    packages = ("aiobotocore", "botocore", "cattrs", "tenacity", "aiohttp")
    assert _loaded_by("from aiorekostream.emulator import *", *packages) == ["aiohttp"]


def test_import_of_the_emulator_loads_no_http_server() -> None:
    assert _loaded_by("import aiorekostream.emulator", "aiohttp", "asyncio") == []


def test_dir_of_the_emulator_lists_its_public_names() -> None:
    assert dir(aiorekostream.emulator) == aiorekostream.emulator.__all__ == sorted(aiorekostream.emulator.__all__)
    for name in aiorekostream.emulator.__all__:
        assert getattr(aiorekostream.emulator, name).__name__ == name
    with pytest.raises(AttributeError, match="Engine"):
        _ = getattr(aiorekostream.emulator, "Engine")  # noqa: B009 - type checkers know that there is no such name


async def test_close_ends_a_request_with_an_incomplete_body() -> None:
    emulator = Emulator()
    await emulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
    writer.write(http(headers={"Content-Length": "100", "Expect": "100-continue"}))
    await reader.readuntil(b"\r\n\r\n")
    await emulator.aclose()
    assert await reader.read() == b""
    writer.close()


async def test_emulator_listens_on_ipv6() -> None:
    try:
        async with Emulator(host="::1") as emulator:
            assert emulator.url == f"http://[::1]:{emulator.port}"
            assert (await exchange(emulator.url, http())).status == 200
    except ConfigurationError:
        pytest.skip("this machine has no IPv6")


def test_emulator_refuses_what_the_cameras_and_dependencies_cannot_be() -> None:
    emulator: Any = Emulator()
    before = emulator.footage, emulator.dependency_faults
    with pytest.raises(InvalidRequestError, match="another Analyst"):
        emulator.footage = 3
    with pytest.raises(InvalidRequestError, match="a DependencyFaults"):
        emulator.dependency_faults = ["role"]
    assert (emulator.footage, emulator.dependency_faults) == before


def test_emulator_shows_no_secret_key_that_it_refuses() -> None:
    secret = "wJalrXUtnFEMI K7MDENG"
    with pytest.raises(InvalidRequestError) as caught:
        Emulator(credentials={"AKIAIOSFODNN7EXAMPLE": secret}, accounts={"AKIAIOSFODNN7EXAMPLE": "1234"})
    assert {issue.path for issue in caught.value.issues} == {
        "accounts.AKIAIOSFODNN7EXAMPLE",
        "credentials.AKIAIOSFODNN7EXAMPLE",
    }
    assert secret not in str(caught.value)
