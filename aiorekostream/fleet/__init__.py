"""Start and stop many processors at once: requests, outcomes, runs, events, and the fleet that carries them out."""

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
from aiorekostream.fleet.slot_leases import Reservation, SharedSession, SlotLeases, SlotListener
from aiorekostream.fleet.slot_sharing import SharedSessionSlots

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
    "Reservation",
    "SessionEnd",
    "SessionMonitor",
    "SessionSnapshot",
    "SharedSession",
    "SharedSessionSlots",
    "SlotLeases",
    "SlotListener",
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
