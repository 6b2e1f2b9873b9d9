"""Define the life cycle of a stream processor: statuses and the transitions between them, one table for each kind.

A face search goes from STARTING to RUNNING, and runs until it is stopped or fails. A label detection *stays STARTING
while it works*: it never reaches RUNNING, and goes to STOPPED or FAILED by itself when its maximum duration has passed
or the stream ends. Only a label detection can be updated. Both kinds can be started from STOPPED and from FAILED.

From https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html and
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html. AWS does not document three of
the transitions; they are allowed here and marked UNCERTAIN.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from aiorekostream.domain.enums import OpenEnum, ProcessorKind

__all__ = ["ACTIVE", "NOT_STOPPABLE", "STARTABLE", "TRANSITIONS", "WITHOUT_SESSION", "Event", "Status", "next_status"]


class Status(OpenEnum):
    """The status of a processor; a status that this version does not know is kept as it is.

    From https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.
    """

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    UPDATING = "UPDATING"


# The status groups. A status that this version does not know is in none of them, so code that tests for a group treats
# it as "wait and see".
STARTABLE = frozenset({Status.STOPPED, Status.FAILED})
"""StartStreamProcessor is accepted: the processor is at rest."""
ACTIVE = frozenset({Status.STARTING, Status.RUNNING})
"""A session is under way and can be stopped; a label detection is STARTING until its session ends."""
WITHOUT_SESSION = STARTABLE | {Status.UPDATING}
"""No session is under way, so the processor takes no slot of the account's concurrent sessions."""
NOT_STOPPABLE = WITHOUT_SESSION | {Status.STOPPING}
"""StopStreamProcessor has nothing to do: no session is under way, or it is ending already."""


class Event(enum.StrEnum):
    """An event that moves a processor from one status to another."""

    START = "start"
    """A client calls StartStreamProcessor."""
    STOP = "stop"
    """A client calls StopStreamProcessor."""
    UPDATE = "update"
    """A client calls UpdateStreamProcessor."""
    RUN = "run"
    """A face search that was starting is running now."""
    FINISH = "finish"
    """The session, stop or update in progress has finished."""
    FAIL = "fail"
    """The processor cannot access its role, a stream or the collection."""


_COMMON: Mapping[tuple[Status, Event], Status] = {
    (Status.STOPPED, Event.START): Status.STARTING,
    (Status.FAILED, Event.START): Status.STARTING,
    (Status.STARTING, Event.FAIL): Status.FAILED,
    (Status.STARTING, Event.STOP): Status.STOPPING,  # UNCERTAIN: AWS documents a stop from RUNNING only
    (Status.STOPPING, Event.FINISH): Status.STOPPED,
}

TRANSITIONS: Mapping[ProcessorKind, Mapping[tuple[Status, Event], Status]] = MappingProxyType(
    {
        ProcessorKind.FACE_SEARCH: MappingProxyType(
            {
                **_COMMON,
                (Status.STARTING, Event.RUN): Status.RUNNING,
                (Status.RUNNING, Event.STOP): Status.STOPPING,
                (Status.RUNNING, Event.FAIL): Status.FAILED,
            }
        ),
        ProcessorKind.LABEL_DETECTION: MappingProxyType(
            {
                **_COMMON,
                (Status.STARTING, Event.FINISH): Status.STOPPED,
                (Status.STOPPED, Event.UPDATE): Status.UPDATING,
                (Status.FAILED, Event.UPDATE): Status.UPDATING,  # UNCERTAIN: observed from STOPPED only
                (Status.UPDATING, Event.FINISH): Status.STOPPED,  # UNCERTAIN when it was FAILED before
            }
        ),
    }
)


def next_status(kind: ProcessorKind, status: Status, event: Event) -> Status | None:
    """Return the status that follows the event; ``None`` where the event is not allowed in this status."""
    return TRANSITIONS[kind].get((status, event))
