from __future__ import annotations

import datetime
import itertools
import math
from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import (
    DependencyFaults,
    Emulator,
    ErrorResponse,
    Latency,
    ManualClock,
    ResetAfter,
    ScaledClock,
    ServerError,
    Throttle,
    Timings,
)
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

START = "StartStreamProcessor"


def always() -> float:
    return 0.0


def test_fault_applies_the_given_number_of_times() -> None:
    script = FaultScript(always)
    script.add([Throttle(times=2)])
    assert [bool(script.match(START, "door")) for _ in range(3)] == [True, True, False]
    assert script.pending == ()


def test_fault_applies_only_to_matching_requests() -> None:
    script = FaultScript(always)
    fault = ServerError(operation="Start*", name="cam-?")
    script.add([fault])
    assert script.match(START, "door") == ()
    assert script.match("StopStreamProcessor", "cam-1") == ()
    assert script.pending == (fault,)
    assert script.match(START, "cam-1") == (fault,)


def test_match_returns_all_latencies_and_the_first_other_fault() -> None:
    script = FaultScript(always)
    slow, slower, throttle, reset = Latency(seconds=1), Latency(seconds=2), Throttle(), ResetAfter()
    script.add([slow, throttle, slower, reset])
    assert script.match(START, "") == (slow, throttle, slower)
    assert script.match(START, "") == (reset,)


def test_fault_with_probability_uses_the_given_random_source() -> None:
    numbers = itertools.cycle([0.1, 0.6])
    script = FaultScript(lambda: next(numbers))
    script.add([Throttle(times=None, probability=0.5)])
    assert [bool(script.match(START, "")) for _ in range(4)] == [True, False, True, False]
    script.clear()
    assert script.match(START, "") == ()


@pytest.mark.parametrize(
    ("value", "arguments", "path"),
    [
        (Throttle, {"times": 0}, "times"),
        (Throttle, {"times": True}, "times"),
        (Throttle, {"probability": 1.1}, "probability"),
        (Throttle, {"operation": 1}, "operation"),
        (Throttle, {"status": 200}, "status"),
        (ErrorResponse, {"message": 1}, "message"),
        (Latency, {"seconds": -1}, "seconds"),
        (Latency, {"seconds": math.nan}, "seconds"),
        (ServerError, {"done": 1}, "done"),
        (ScaledClock, {"factor": 0}, "factor"),
        (ManualClock, {"moment": -1}, "moment"),
        (Timings, {"starting": -1}, "starting"),
        (Timings, {"media": 0}, "media"),
        (DependencyFaults, {"denied_roles": "Retired"}, "denied_roles"),
        (DependencyFaults, {"denied_roles": ["ok", ""]}, "denied_roles[1]"),
    ],
)
def test_values_reject_arguments_that_are_out_of_range(
    value: Callable[..., object], arguments: dict[str, object], path: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        value(**arguments)
    assert [issue.path for issue in caught.value.issues] == [path]


def test_durations_are_timedeltas_or_seconds() -> None:
    minute = datetime.timedelta(minutes=1)
    assert Timings(starting=minute, media=minute) == Timings(starting=60, media=60)
    assert Latency(seconds=minute) == Latency(seconds=60)
    clock = ManualClock(0)
    clock.advance(minute)
    emulator = Emulator(clock=clock)
    emulator.advance(minute)
    assert clock.now() == 120
    with pytest.raises(InvalidRequestError):
        emulator.fail("door", "Access denied to Role", after=-minute)


def test_manual_clock_rejects_a_negative_advance() -> None:
    clock = ManualClock(100)
    clock.advance(0.5)
    assert clock.now() == 100.5
    with pytest.raises(InvalidRequestError):
        clock.advance(-1)
    assert clock.now() == 100.5


def test_scaled_clock_begins_at_the_system_time() -> None:
    clock = ScaledClock(1e6)
    first, second = clock.now(), clock.now()
    assert second >= first > 1_600_000_000


@pytest.mark.parametrize("value", [Throttle, None, 5, {"fault": "Throttle"}], ids=["class", "None", "number", "JSON"])
def test_inject_rejects_what_is_no_fault(value: object) -> None:
    emulator = Emulator()
    with pytest.raises(InvalidRequestError, match="such as Throttle") as caught:
        emulator.inject(Throttle(), value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert [issue.path for issue in caught.value.issues] == ["[1]"]
    assert not emulator.faults
