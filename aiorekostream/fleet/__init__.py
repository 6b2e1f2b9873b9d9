"""Many processors at once: what is asked, what became of it, and the fleet that carries it out."""

from aiorekostream.fleet.ends import Ends
from aiorekostream.fleet.fleet import Fleet
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
)
from aiorekostream.fleet.progress import Progress, Step
from aiorekostream.fleet.report import FleetReport, StartReport, StopReport
from aiorekostream.fleet.requests import FleetRequest, WhenBusy

__all__ = [
    "AlreadyRunning",
    "AlreadyStopped",
    "Ends",
    "Expired",
    "Failed",
    "Fleet",
    "FleetReport",
    "FleetRequest",
    "Progress",
    "StartOutcome",
    "StartReport",
    "Started",
    "Step",
    "StopOutcome",
    "StopReport",
    "Stopped",
    "Unknown",
    "WhenBusy",
]
