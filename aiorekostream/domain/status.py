"""The life of a stream processor: AWS's status words, and which may follow which, as a table for each kind.

A face search is started, comes to run, and runs until it is stopped or fails. A label detection is started and *stays
STARTING while it works*: it never reaches RUNNING, and goes to STOPPED or FAILED by itself when its time is over or the
stream ends. Only a label detection can be updated. Both kinds may be started again from STOPPED and from FAILED.

From https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html and
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html. Three cells that AWS leaves open
are read the kind way and marked UNCERTAIN.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType

from aiorekostream.domain.enums import OpenEnum, ProcessorKind

__all__ = ["TRANSITIONS", "Event", "Status", "next_status"]


class Status(OpenEnum):
    """AWS's word for the state of a processor; a word that is not known here is kept as it came.

    From https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.
    """

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    UPDATING = "UPDATING"


class Event(enum.StrEnum):
    """What moves a processor from one status to another."""

    START = "start"
    """Somebody calls StartStreamProcessor."""
    STOP = "stop"
    """Somebody calls StopStreamProcessor."""
    UPDATE = "update"
    """Somebody calls UpdateStreamProcessor."""
    RUN = "run"
    """A face search that was starting now runs."""
    FINISH = "finish"
    """What was under way (a session, a stop, an update) has come to its end."""
    FAIL = "fail"
    """The role, a stream or the collection turns out to be out of reach."""


_COMMON: Mapping[tuple[Status, Event], Status] = {
    (Status.STOPPED, Event.START): Status.STARTING,
    (Status.FAILED, Event.START): Status.STARTING,
    (Status.STARTING, Event.FAIL): Status.FAILED,
    (Status.STARTING, Event.STOP): Status.STOPPING,  # UNCERTAIN: AWS speaks of stopping what is RUNNING
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
                (Status.FAILED, Event.UPDATE): Status.UPDATING,  # UNCERTAIN: seen only from STOPPED
                (Status.UPDATING, Event.FINISH): Status.STOPPED,  # UNCERTAIN for one that was FAILED before
            }
        ),
    }
)


def next_status(kind: ProcessorKind, status: Status, event: Event) -> Status | None:
    """The status that follows, or None where this event is not allowed in this status."""
    return TRANSITIONS[kind].get((status, event))
