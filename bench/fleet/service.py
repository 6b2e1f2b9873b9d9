"""The service as a process of its own: told on its standard input which case to play, it plays one after the other.

It reads lines, and answers each with a line of JSON::

    open KEY [small]    an emulator with the processors of the case; its URL
    close               the record of every request since; nothing from the stand-in, which keeps none

The quota belongs to the one operation that is measured, so that setting up is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.emulator import Call, Emulator, Latency, Timings
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from bench.fleet.cases import CASES, Case, Kind
from bench.fleet.standin import stand_in
from bench.fleet.truth import NEIGHBOUR
from bench.fleet.wire import REGION, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

__all__ = ["camera", "cameras", "case_named", "main"]

_MANY = 100_000
_AT_ONCE = 20
_AGAIN = 0.005


def case_named(key: str, *, small: bool = False) -> Case:
    """A case by its key."""
    case = next(case for case in CASES if case.key == key)
    return case.small() if small else case


def camera(number: int) -> str:
    """The name of a camera."""
    return f"camera-{number:04}"


def cameras(case: Case) -> list[str]:
    """The names of a case's cameras."""
    return [camera(number) for number in range(case.count)]


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


async def _set_up(wire: Wire, case: Case) -> None:
    """Create the cameras of a case, and start those that are to be stopped."""
    waiting = iter(cameras(case))

    async def some() -> None:
        for name in waiting:
            refused = await wire.send("CreateStreamProcessor", _label_detection(name))
            if case.kind is Kind.STOP:
                refused = refused or await wire.send("StartStreamProcessor", {"Name": name, **_SELECTORS})
            if refused:
                message = f"{name} could not be set up: {refused}"
                raise RuntimeError(message)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(some())


async def _be_another_client(wire: Wire, case: Case) -> None:
    """Take so many calls a second off the account's quota, steadily; what is refused is asked again at once."""
    clock = SystemClock()
    began, number = clock.now(), 0
    while True:
        number += 1
        await clock.sleep(max(0.0, began + number / case.taken - clock.now()))
        while await wire.send(case.kind, {"Name": NEIGHBOUR, **_SELECTORS}) in _TOO_FAST:
            await clock.sleep(_AGAIN)


_TOO_FAST = {"ThrottlingException", "ProvisionedThroughputExceededException"}


@contextlib.asynccontextmanager
async def _emulated(case: Case) -> AsyncGenerator[tuple[str, Callable[[], object]]]:
    limits = Limits(
        quotas={**dict.fromkeys(DEFAULT_LIMITS.quotas), case.kind: case.quota},
        concurrent_label_detection={REGION: _MANY},
        max_stream_processors=_MANY,
    )
    async with Emulator(limits=limits, timings=Timings(stopping=0)) as emulator, Wire(emulator.url) as wire:
        await _set_up(wire, case)
        emulator.clear_calls()
        other = asyncio.create_task(_be_another_client(wire, case)) if case.taken else None
        # The other client's requests are not delayed: it is as near to the service as it likes.
        emulator.inject(Latency(times=None, seconds=case.latency, name="camera-*"), *case.faults)
        try:
            yield emulator.url, lambda: [_line(call) for call in emulator.calls]
        finally:
            if other is not None:
                other.cancel()
                await asyncio.wait([other])


def _line(call: Call) -> Mapping[str, object]:
    return attrs.asdict(call, filter=lambda attribute, _: attribute.name != "faults")


@contextlib.asynccontextmanager
async def _stood_in(case: Case) -> AsyncGenerator[tuple[str, Callable[[], object]]]:
    async with stand_in(case.latency) as url:
        yield url, list[object]


async def _serve() -> None:
    async def line() -> list[str]:
        said: str = await asyncio.to_thread(sys.stdin.readline)
        return said.split()

    while words := await line():
        case = case_named(words[1], small="small" in words)
        async with (_stood_in if case.rounds > 1 else _emulated)(case) as (url, record):
            print(json.dumps(url), flush=True)
            await line()
            print(json.dumps(record()), flush=True)


def main() -> None:
    """Serve until the standard input ends."""
    asyncio.run(_serve())
