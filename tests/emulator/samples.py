"""Provide sample requests in AWS's spelling, and a harness for the emulated world."""

from __future__ import annotations

import itertools
from typing import Any

import attrs

from aiorekostream.emulator import DependencyFaults, Timings
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.answers import OperationResult, Refusal, Success
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.limits import DEFAULT_LIMITS, Limits

ACCOUNT = "111122223333"
HERE = Caller(ACCOUNT, "us-east-1")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Rekognition"


def video(name: str, *, region: str = "us-east-1") -> str:
    return f"arn:aws:kinesisvideo:{region}:{ACCOUNT}:stream/{name}/1656000000000"


def data(name: str, *, region: str = "us-east-1") -> str:
    return f"arn:aws:kinesis:{region}:{ACCOUNT}:stream/{name}"


def labels(name: str, **changes: object) -> dict[str, Any]:
    """Return a CreateStreamProcessor request for a label detection; a change to None omits the member."""
    request: dict[str, Any] = {
        "Name": name,
        "Input": {"KinesisVideoStream": {"Arn": video(name)}},
        "Output": {"S3Destination": {"Bucket": "pictures", "KeyPrefix": "doors"}},
        "Settings": {"ConnectedHome": {"Labels": ["PERSON", "PACKAGE"]}},
        "RoleArn": ROLE,
        "NotificationChannel": {"SNSTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:doors"},
        **changes,
    }
    return {key: value for key, value in request.items() if value is not None}


def faces(name: str, **changes: object) -> dict[str, Any]:
    """Return a CreateStreamProcessor request for a face search; a change to None omits the member."""
    request: dict[str, Any] = {
        "Name": name,
        "Input": {"KinesisVideoStream": {"Arn": video(name)}},
        "Output": {"KinesisDataStream": {"Arn": data(name)}},
        "Settings": {"FaceSearch": {"CollectionId": "staff", "FaceMatchThreshold": 90}},
        "RoleArn": ROLE,
        **changes,
    }
    return {key: value for key, value in request.items() if value is not None}


def session(name: str, *, seconds: int = 10) -> dict[str, Any]:
    """Return a StartStreamProcessor request for a label detection."""
    return {
        "Name": name,
        "StartSelector": {"KVSStreamStartSelector": {"ProducerTimestamp": 1_655_930_623_123}},
        "StopSelector": {"MaxDurationInSeconds": seconds},
    }


@attrs.define
class WorldHarness:
    """A world with a clock, and methods that assert whether an operation succeeds."""

    world: World
    now: float = 1000.0
    caller: Caller = HERE

    def ask(self, operation: str, **members: object) -> OperationResult:
        return self.world.serve(self.caller, operation, members, self.now)

    def done(self, operation: str, **members: object) -> dict[str, Any]:
        result = self.ask(operation, **members)
        assert isinstance(result, Success), result
        return dict(result.body or {})

    def refused(self, operation: str, **members: object) -> Refusal:
        result = self.ask(operation, **members)
        assert isinstance(result, Refusal), result
        return result

    def code(self, operation: str, **members: object) -> str:
        return self.refused(operation, **members).code

    def describe(self, name: str) -> dict[str, Any]:
        return self.done("DescribeStreamProcessor", Name=name)

    def status(self, name: str) -> str:
        return str(self.describe(name)["Status"])

    def wait(self, seconds: float) -> None:
        self.now += seconds


def new_harness(
    *,
    limits: Limits = DEFAULT_LIMITS,
    timings: Timings | None = None,
    dependency_faults: DependencyFaults | None = None,
) -> WorldHarness:
    numbers = itertools.count(1)
    world = World(
        new_id=lambda: f"session-{next(numbers)}",
        limits=limits,
        timings=timings or Timings(),
        dependency_faults=dependency_faults or DependencyFaults(),
    )
    return WorldHarness(world)
