"""A stateful Amazon Rekognition endpoint for stream processors, to run against where AWS is not at hand."""

from aiorekostream.emulator.clocks import EmulatorClock, ManualClock, RealClock, ScaledClock
from aiorekostream.emulator.engine import ProcessorState
from aiorekostream.emulator.faults import (
    Garble,
    Hang,
    Latency,
    Refuse,
    ResetAfter,
    ResetBefore,
    ScriptedFault,
    ServerError,
    Throttle,
)
from aiorekostream.emulator.record import Call
from aiorekostream.emulator.service import Emulator
from aiorekostream.emulator.surroundings import Surroundings
from aiorekostream.emulator.timings import Timings

__all__ = [
    "Call",
    "Emulator",
    "EmulatorClock",
    "Garble",
    "Hang",
    "Latency",
    "ManualClock",
    "ProcessorState",
    "RealClock",
    "Refuse",
    "ResetAfter",
    "ResetBefore",
    "ScaledClock",
    "ScriptedFault",
    "ServerError",
    "Surroundings",
    "Throttle",
    "Timings",
]
