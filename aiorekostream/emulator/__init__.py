"""A stateful Amazon Rekognition endpoint for stream processors, to run against where AWS is not at hand."""

from aiorekostream.emulator.call_log import Call
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
    "Call",
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
    "ResetAfter",
    "ResetBefore",
    "ScaledClock",
    "ServerError",
    "Throttle",
    "Timings",
]
