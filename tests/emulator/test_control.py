"""Call the control endpoints over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream.emulator import DependencyFaults, Emulator, ManualClock, Throttle
from tests.emulator.clients import Raw, boto, exchange, http
from tests.emulator.samples import faces, labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=ManualClock(1000)) as emulator:
        yield emulator


async def ask(emulator: Emulator, method: str, what: str, members: object = None, **headers: str | None) -> Raw:
    body = b"" if members is None else json.dumps(members).encode()
    given: dict[str, str | None] = {"X-Amz-Target": None, "Authorization": None, "Content-Type": None, **headers}
    return await exchange(emulator.url, http(method=method, path=f"/_emulator/{what}", headers=given, body=body))


async def done(emulator: Emulator, method: str, what: str, members: object = None) -> dict[str, Any]:
    response = await ask(emulator, method, what, members)
    assert response.status == 200, response
    return response.json


async def test_health_returns_the_status_and_the_time(emulator: Emulator) -> None:
    assert await done(emulator, "GET", "health") == {"status": "running", "now": 1000}


async def test_clock_can_be_advanced(emulator: Emulator) -> None:
    assert await done(emulator, "POST", "clock/advance", {"seconds": 5.5}) == {"now": 1005.5}
    assert emulator.clock.now() == 1005.5


async def test_faults_can_be_injected_listed_and_removed(emulator: Emulator) -> None:
    injected = await done(emulator, "POST", "faults", {"faults": [{"fault": "Throttle", "times": 3, "name": "cam-*"}]})
    assert emulator.faults == (Throttle(times=3, name="cam-*"),)
    assert await done(emulator, "GET", "faults") == injected
    assert injected["faults"][0]["fault"] == "Throttle"
    assert await done(emulator, "POST", "faults", injected)
    await done(emulator, "DELETE", "faults")
    assert not emulator.faults


async def test_dependency_faults_can_be_replaced(emulator: Emulator) -> None:
    await done(emulator, "PUT", "dependency_faults", {"denied_roles": ["*Retired*"]})
    assert emulator.dependency_faults == DependencyFaults(denied_roles=["*Retired*"])
    assert (await done(emulator, "GET", "dependency_faults"))["denied_roles"] == ["*Retired*"]


async def test_processors_and_calls_can_be_read_and_removed(emulator: Emulator) -> None:
    emulator.inject(Throttle(operation="Start*"))
    async with boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **labels("door", Tags={"a": "b"}))
        await rekognition.refused("start_stream_processor", Name="door")
    (state,) = (await done(emulator, "GET", "processors"))["processors"]
    assert (state["name"], state["status"], state["kind"], state["tags"]) == (
        "door",
        "STOPPED",
        "label detection",
        {"a": "b"},
    )
    create, start = (await done(emulator, "GET", "calls"))["calls"]
    assert (create["operation"], create["done"], create["faults"]) == ("CreateStreamProcessor", True, [])
    assert (start["code"], start["faults"][0]["fault"]) == ("ThrottlingException", "Throttle")
    await done(emulator, "DELETE", "calls")
    assert emulator.calls == ()
    await done(emulator, "POST", "reset")
    assert emulator.processors == ()


async def test_failure_can_be_scheduled(emulator: Emulator) -> None:
    async with boto(emulator.url) as rekognition:
        await rekognition("create_stream_processor", **faces("lobby"))
        await done(emulator, "POST", "fail", {"name": "lobby", "status_message": "Collection not found", "after": 1})
        await rekognition("start_stream_processor", Name="lobby")
        emulator.advance(1)
        assert await rekognition.status("lobby") == "FAILED"


@pytest.mark.parametrize(
    ("method", "what", "members", "word"),
    [
        ("POST", "clock/advance", {}, "seconds: must be"),
        ("POST", "clock/advance", {"seconds": -1}, "seconds: must be"),
        ("POST", "clock/advance", [], "not a JSON object"),
        ("POST", "faults", {}, "faults: must be a list"),
        ("POST", "faults", {"faults": ["Throttle"]}, "an object such as"),
        ("POST", "faults", {"faults": [{"fault": "Fire"}]}, "'fault' is one of"),
        ("POST", "faults", {"faults": [{"fault": "Throttle", "often": 1}]}, "often: must be one of"),
        ("POST", "faults", {"faults": [{"fault": "Throttle", "times": 0}]}, "times: must be"),
        ("PUT", "dependency_faults", {"denied_roles": "*"}, "denied_roles: must be"),
        ("PUT", "dependency_faults", {"roles": []}, "roles: must be one of"),
        ("POST", "fail", {"name": "lobby"}, "status_message: must be"),
    ],
    ids=range(11),
)
async def test_invalid_body_is_rejected_with_a_message(
    emulator: Emulator, method: str, what: str, members: object, word: str
) -> None:
    response = await ask(emulator, method, what, members)
    assert response.status == 400
    assert word in response.json["message"]


async def test_advance_is_rejected_when_clock_is_real() -> None:
    async with Emulator() as emulator:
        assert (await ask(emulator, "POST", "clock/advance", {"seconds": 1})).status == 400


async def test_unknown_endpoints_are_not_found(emulator: Emulator) -> None:
    assert (await ask(emulator, "GET", "secrets")).status == 404
    assert (await ask(emulator, "GET", "reset")).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:4599"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:4599"}, 200),
        ({"Host": "127.8.8.8"}, 200),
        ({"Host": "rekognition.example.com"}, 403),
        ({"Host": "127.0.0.1.example.com"}, 403),
        ({"Host": "10.0.0.1:4599"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://example.com"}, 403),
    ],
    ids=range(9),
)
async def test_control_requires_a_loopback_host_and_no_origin(
    emulator: Emulator, headers: dict[str, str], status: int
) -> None:
    assert (await ask(emulator, "POST", "reset", None, **headers)).status == status


async def test_only_health_is_served_when_control_is_disabled() -> None:
    async with Emulator(control=False) as emulator:
        assert (await ask(emulator, "POST", "reset")).status == 403
        assert (await ask(emulator, "GET", "health")).status == 200
