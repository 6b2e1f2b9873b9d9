"""Emulate Amazon Rekognition's stream processor API over HTTP, with state, for tests and local development.

A name is loaded when it is first used: a program that only builds ``Timings`` or faults loads no HTTP server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiorekostream.emulator.call_log import RecordedCall
    from aiorekostream.emulator.clocks import EmulatorClock, ManualClock, RealClock, ScaledClock
    from aiorekostream.emulator.delivery_faults import (
        DelayNotification,
        DeliveryFault,
        DuplicateNotification,
        LoseNotification,
        ReorderNotification,
    )
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
    from aiorekostream.emulator.world.contexts import Timings
    from aiorekostream.emulator.world.dependency_faults import DependencyFaults
    from aiorekostream.emulator.world.faces import KnownFace, VisibleFace
    from aiorekostream.emulator.world.footage import (
        Analyst,
        Appearance,
        Detection,
        Footage,
        RandomFootage,
        VideoMoment,
    )
    from aiorekostream.emulator.world.processors import ProcessorState

__all__ = [
    "Analyst",
    "Appearance",
    "DelayNotification",
    "DeliveryFault",
    "DependencyFaults",
    "Detection",
    "DuplicateNotification",
    "Emulator",
    "EmulatorClock",
    "ErrorResponse",
    "Fault",
    "Footage",
    "Hang",
    "KnownFace",
    "Latency",
    "LoseNotification",
    "MalformedResponse",
    "ManualClock",
    "ProcessorState",
    "RandomFootage",
    "RealClock",
    "RecordedCall",
    "ReorderNotification",
    "ResetAfter",
    "ResetBefore",
    "ScaledClock",
    "ServerError",
    "Throttle",
    "Timings",
    "VideoMoment",
    "VisibleFace",
]

# The home of each name: a name is imported from there when it is first used.
_HOMES = {
    "call_log": ("RecordedCall",),
    "clocks": ("EmulatorClock", "ManualClock", "RealClock", "ScaledClock"),
    "delivery_faults": (
        "DelayNotification",
        "DeliveryFault",
        "DuplicateNotification",
        "LoseNotification",
        "ReorderNotification",
    ),
    "faults": (
        "ErrorResponse",
        "Fault",
        "Hang",
        "Latency",
        "MalformedResponse",
        "ResetAfter",
        "ResetBefore",
        "ServerError",
        "Throttle",
    ),
    "service": ("Emulator",),
    "world.contexts": ("Timings",),
    "world.dependency_faults": ("DependencyFaults",),
    "world.faces": ("KnownFace", "VisibleFace"),
    "world.footage": ("Analyst", "Appearance", "Detection", "Footage", "RandomFootage", "VideoMoment"),
    "world.processors": ("ProcessorState",),
}

# Type checkers know the names by the imports above, and report one that does not exist.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        for home, names in _HOMES.items():
            if name in names:
                found: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
                globals()[name] = found
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
