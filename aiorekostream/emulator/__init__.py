"""Emulate Amazon Rekognition's stream processor API over HTTP, with state, for tests and local development."""

from aiorekostream.emulator.call_log import RecordedCall
from aiorekostream.emulator.clocks import EmulatorClock, ManualClock, RealClock, ScaledClock
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.engine import ProcessorState
from aiorekostream.emulator.faults import (
    ErrorResponse,
    Fault,
    Hang,
    Latency,
    MalformedResponse,
    ResetAfter,
    ResetBefore,
    ServerError,
    Throttle,
)
from aiorekostream.emulator.service import Emulator
from aiorekostream.emulator.timings import Timings

__all__ = [
    "DependencyFaults",
    "Emulator",
    "EmulatorClock",
    "ErrorResponse",
    "Fault",
    "Hang",
    "Latency",
    "MalformedResponse",
    "ManualClock",
    "ProcessorState",
    "RealClock",
    "RecordedCall",
    "ResetAfter",
    "ResetBefore",
    "ScaledClock",
    "ServerError",
    "Throttle",
    "Timings",
]
