"""Report the events of a fleet, for dashboards and logs. A listener changes nothing."""

import enum
from typing import final

import attrs

from aiorekostream.fleet.outcomes import Outcome
from aiorekostream.fleet.sessions import SessionEnd

__all__ = ["FleetEvent", "FleetEventType"]


class FleetEventType(enum.StrEnum):
    """The type of an event of a request or a session."""

    QUEUED = "queued"
    """The fleet has taken the request."""
    SENT = "sent"
    """An attempt begins to go out."""
    THROTTLED = "throttled"
    """The service refused an attempt as too fast."""
    RETRIED = "retried"
    """A failed attempt will be made again."""
    RECONCILING = "reconciling"
    """A response was lost, and DescribeStreamProcessor is asked whether the call was applied."""
    STARTED = "started"
    """The request's outcome is ``Started``."""
    COMPLETED = "completed"
    """The request has another outcome."""
    SESSION_ENDED = "session ended"
    """A session was seen to have ended, or cannot last any longer."""


@final
@attrs.frozen(kw_only=True)
class FleetEvent:
    """One thing that happened, and the state of the fleet at that moment.

    Attributes:
        type: what happened.
        name: the processor.
        queued: requests of the same operation that wait in the fleet.
        in_flight: calls of the same operation that are under way.
        running: sessions that the fleet knows to be under way or about to begin.
        outcome: the request's outcome, with ``STARTED`` and ``COMPLETED``; ``None`` with the others.
        session_end: the session that ended, with its status and StatusMessage, with ``SESSION_ENDED``; ``None`` with
            the others.
    """

    type: FleetEventType
    name: str
    queued: int
    in_flight: int
    running: int
    outcome: Outcome | None = None
    session_end: SessionEnd | None = None
