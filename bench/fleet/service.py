"""Run the service as a separate process, which is told on its standard input which case to serve.

It reads lines, and answers each with a line of JSON::

    open KEY [small] [undisturbed]    starts an emulator with the processors of the case; its URL
    close                             ends it; the record of every request since (none from the stub server)

``small`` selects the small version of the case, ``undisturbed`` the one without its stray throttle. The quota applies
only to the operation that is measured, so that the set-up is not limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.emulator import Emulator, Latency, RecordedCall, Throttle, Timings
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from bench.fleet.cases import CASES, FleetCase, Kind
from bench.fleet.measurement import OTHER_CLIENT, THROTTLED
from bench.fleet.raw_client import REGION, RawClient
from bench.fleet.stub_server import stub_server

__all__ = ["cameras", "case_named", "main", "warm_up_cameras"]

Served: TypeAlias = AbstractAsyncContextManager[tuple[str, Callable[[], Awaitable[object]]]]
"""A running service: its URL, and a function that returns the record."""

_UNLIMITED = 100_000
_SET_UP_TASKS = 20
# Seconds until the other client repeats a throttled call.
_REPEAT_AFTER = 0.005


def case_named(key: str, *, small: bool = False) -> FleetCase:
    """Return a case by its key."""
    case = next(case for case in CASES if case.key == key)
    return case.small() if small else case


def cameras(case: FleetCase) -> list[str]:
    """Return the names of the cameras that are measured."""
    return [f"camera-{number:04}" for number in range(case.count)]


def warm_up_cameras(case: FleetCase) -> list[str]:
    """Return the names of the cameras that are started before."""
    return [f"camera-warm-up-{number:02}" for number in range(case.warm_up)]


def _label_detection(name: str) -> Mapping[str, object]:
    return {
        "Name": name,
        "RoleArn": "arn:aws:iam::123456789012:role/Rekognition",
        "Input": {
            "KinesisVideoStream": {
                "Arn": f"arn:aws:kinesisvideo:{REGION}:123456789012:stream/{name}/1700000000000",
            }
        },
        "Output": {"S3Destination": {"Bucket": "found-things"}},
        "NotificationChannel": {"SNSTopicArn": f"arn:aws:sns:{REGION}:123456789012:AmazonRekognitionFound"},
        "Settings": {"ConnectedHome": {"Labels": ["PERSON"]}},
    }


_SELECTORS: Mapping[str, object] = {
    "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": 1_763_892_000_000}},
    "StopSelector": {"MaxDurationInSeconds": 120},
}


async def _set_up(client: RawClient, case: FleetCase) -> None:
    """Create the cameras of a case, and start those that are to be stopped."""
    names = iter([*warm_up_cameras(case), *cameras(case)])

    async def create() -> None:
        for name in names:
            code = await client.send("CreateStreamProcessor", _label_detection(name))
            if case.kind is Kind.STOP:
                code = code or await client.send("StartStreamProcessor", {"Name": name, **_SELECTORS})
            if code:
                message = f"{name} could not be set up: {code}"
                raise RuntimeError(message)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_SET_UP_TASKS):
            tasks.create_task(create())


async def _play_other_client(client: RawClient, case: FleetCase) -> None:
    """Take a share of the account's quota at a steady rate; a throttled call is repeated at once."""
    clock = SystemClock()
    began, number = clock.now(), 0
    while True:
        number += 1
        await clock.sleep(max(0.0, began + number / case.taken - clock.now()))
        while await client.send(case.kind, {"Name": OTHER_CLIENT, **_SELECTORS}) in THROTTLED:
            await clock.sleep(_REPEAT_AFTER)


@contextlib.asynccontextmanager
async def _emulated(case: FleetCase) -> AsyncGenerator[tuple[str, Callable[[], Awaitable[object]]]]:
    limits = Limits(
        quotas={**dict.fromkeys(DEFAULT_LIMITS.quotas), case.kind: case.quota},
        concurrent_label_detection={REGION: _UNLIMITED},
        max_stream_processors=_UNLIMITED,
    )
    async with Emulator(limits=limits, timings=Timings(stopping=0)) as emulator, RawClient(emulator.url) as client:
        await _set_up(client, case)
        emulator.clear_calls()
        other = asyncio.create_task(_play_other_client(client, case)) if case.taken else None
        # The requests of the other client are not delayed.
        emulator.inject(Latency(times=None, seconds=case.latency, name="camera-*"), *case.faults)
        if case.stray_throttle:
            emulator.inject(Throttle(operation=case.kind, name=warm_up_cameras(case)[-1]))

        async def record() -> object:
            # A request that is applied late must be in the record, whatever its client reported before.
            if any(isinstance(fault, Latency) for fault in case.faults):
                await SystemClock().sleep(case.latest_application)
            return [_as_json(call) for call in emulator.calls]

        try:
            yield emulator.url, record
        finally:
            if other is not None:
                other.cancel()
                await asyncio.wait([other])


def _as_json(call: RecordedCall) -> Mapping[str, object]:
    return attrs.asdict(call, filter=lambda attribute, _: attribute.name != "faults")


@contextlib.asynccontextmanager
async def _stubbed(case: FleetCase) -> AsyncGenerator[tuple[str, Callable[[], Awaitable[object]]]]:
    async def record() -> object:
        return []

    async with stub_server(case.latency) as url:
        yield url, record


async def _serve() -> None:
    async def read_line() -> list[str]:
        line: str = await asyncio.to_thread(sys.stdin.readline)
        return line.split()

    while words := await read_line():
        case = case_named(words[1], small="small" in words)
        case = case.without_throttle() if "undisturbed" in words else case
        service: Served = _stubbed(case) if case.rounds > 1 else _emulated(case)
        async with service as (url, record):
            print(json.dumps(url), flush=True)
            await read_line()
            print(json.dumps(await record()), flush=True)


def main() -> None:
    """Serve until the standard input ends."""
    asyncio.run(_serve())
