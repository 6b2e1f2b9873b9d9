"""Many processors at once: requests, outcomes, runs, events, and the fleet that carries them out."""

from aiorekostream.fleet.events import FleetEvent, FleetEventType
from aiorekostream.fleet.fleet import Fleet
from aiorekostream.fleet.monitor import NotifyingMonitor, SessionMonitor
from aiorekostream.fleet.outcomes import (
    AlreadyRunning,
    AlreadyStopped,
    Expired,
    Failed,
    Started,
    StartOutcome,
    StopOutcome,
    Stopped,
    Unknown,
    WaitedFor,
)
from aiorekostream.fleet.report import FleetReport, StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest, WhenBusy
from aiorekostream.fleet.runs import FleetRun, StartRun, StopRun
from aiorekostream.fleet.sessions import ActiveSession, SessionEnd, SessionSnapshot

__all__ = [
    "ActiveSession",
    "AlreadyRunning",
    "AlreadyStopped",
    "Expired",
    "Failed",
    "Fleet",
    "FleetEvent",
    "FleetEventType",
    "FleetReport",
    "FleetRequest",
    "FleetRun",
    "NotifyingMonitor",
    "SessionEnd",
    "SessionMonitor",
    "SessionSnapshot",
    "StartOutcome",
    "StartReport",
    "StartRun",
    "Started",
    "StopOutcome",
    "StopReport",
    "StopRun",
    "Stopped",
    "Unknown",
    "WaitedFor",
    "WhenBusy",
]
