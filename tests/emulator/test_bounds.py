"""Send the emulator more than any program sends: its memory and its tasks have bounds."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator, ManualClock
from aiorekostream.emulator.call_log import CallLog, RecordedCall
from aiorekostream.emulator.http.listener import HttpConnection
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.emulator.world.quotas import Quotas
from aiorekostream.limits import DEFAULT_LIMITS, Quota
from tests.effort import part
from tests.emulator.clients import AUTHORIZATION, exchange, http, until
from tests.emulator.garbage import send_garbage
from tests.emulator.samples import labels

if TYPE_CHECKING:
    from collections.abc import Iterator

STATM = Path("/proc/self/statm")


def resident_megabytes() -> float:
    """Return the resident memory of this process."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * 4096 / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="the resident memory is read from /proc")
async def test_garbage_requests_leave_the_memory_flat() -> None:
    """The first requests fill the allocator's pools and aiohttp's caches."""
    async with Emulator(clock=ManualClock()) as emulator:
        numbers = itertools.count()
        await send_garbage(emulator.port, 2000, numbers)
        before = resident_megabytes()
        await send_garbage(emulator.port, part(20_000), numbers)
        assert resident_megabytes() - before < 20
        assert not any(call.done for call in emulator.calls)


async def test_recorded_names_are_cut() -> None:
    async with Emulator() as emulator:
        for name in ("a" * 500_000, "b" * 129, "c" * 128):
            target = {"X-Amz-Target": "RekognitionService.DescribeStreamProcessor"}
            await exchange(emulator.url, http(headers=target, body=json.dumps({"Name": name}).encode()))
        assert [call.name for call in emulator.calls] == ["a" * 128, "b" * 128, "c" * 128]


def test_call_log_keeps_the_latest_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorekostream.emulator.call_log._MAX_CALLS", 10)
    log = CallLog()
    for number in range(15):
        log.add(RecordedCall(at=number, request_id=""))
    assert [call.at for call in log.calls] == [*range(5, 15)]


def _callers() -> Iterator[Caller]:
    return (Caller(f"{number:012d}", "us-east-1") for number in itertools.count())


def test_callers_without_a_processor_leave_no_account() -> None:
    world = World(new_id=lambda: "", limits=DEFAULT_LIMITS)
    for caller in itertools.islice(_callers(), 100):
        world.serve(caller, "ListStreamProcessors", {}, 0)
        world.serve(caller, "CreateStreamProcessor", {"Name": "?"}, 0)
    world.serve(Caller("111122223333", "us-east-1"), "CreateStreamProcessor", labels("door"), 0)
    assert len(world._accounts) == 1


@pytest.mark.parametrize("interval", [0.0, 1.0])
def test_quotas_keep_the_latest_buckets(interval: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With time, full buckets are forgotten; without, the oldest ones."""
    monkeypatch.setattr("aiorekostream.emulator.world.quotas._MAX_BUCKETS", 10)
    quotas = Quotas({"StopStreamProcessor": Quota(1, 1)})
    for number, caller in enumerate(itertools.islice(_callers(), 100)):
        assert quotas.refusal(caller, "StopStreamProcessor", number * interval) is None
        assert quotas.refusal(caller, "StopStreamProcessor", number * interval) is not None
        assert len(quotas._buckets) <= 10


async def test_message_about_many_members_is_cut() -> None:
    async with Emulator() as emulator:
        members = dict.fromkeys((f"member-{number}" for number in range(20_000)), 1)
        response = await exchange(emulator.url, http(body=json.dumps(members).encode()))
        assert response.json["__type"] == "InvalidParameterException"
        assert len(response.body) < 5000


async def test_very_long_region_is_refused() -> None:
    async with Emulator() as emulator:
        long = AUTHORIZATION.replace("us-east-1", f"us-{'a' * 5000}-1")
        assert (await exchange(emulator.url, http(headers={"Authorization": long}))).status == 403


async def _connection(emulator: Emulator) -> HttpConnection:
    """Return the server's side of the only connection."""
    server = emulator._server.listener._server
    await until(lambda: server.connections)
    (connection,) = server.connections
    assert isinstance(connection, HttpConnection)
    return connection


async def test_connection_without_a_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorekostream.emulator.http.listener._HEAD_TIMEOUT", 0)
    async with Emulator() as emulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        assert await reader.read() == b""
        writer.close()


async def test_unfinished_head_is_refused_after_its_timeout() -> None:
    async with Emulator() as emulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: ")
        connection = await _connection(emulator)
        await until(lambda: connection._has_received)
        timer = connection._head_timer
        assert isinstance(timer, asyncio.TimerHandle)
        assert 29 < timer.when() - asyncio.get_running_loop().time() <= 30
        timer._run()
        response = await reader.read()
        assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in response
        assert b'"__type":"RequestTimeoutException"' in response
        writer.close()


async def test_idle_connection_has_no_timeout_between_requests() -> None:
    async with Emulator(quotas=False) as emulator:
        reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port)
        connection = await _connection(emulator)
        assert connection._head_timer is not None
        writer.write(http())
        await reader.readuntil(b'{"StreamProcessors":[]}')
        assert connection._head_timer is None
        writer.write(http()[:20])
        await until(lambda: connection._head_timer)
        writer.write(http()[20:])
        await reader.readuntil(b'{"StreamProcessors":[]}')
        assert connection._head_timer is None
        writer.close()
