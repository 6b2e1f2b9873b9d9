"""Define what is specific to the sessions of each kind; the rest of ``Session`` and its router is common to both.

An event of a label detection has the id of its session, one event marks the end, and a session ends by its stop
selector. A record of a face search has the video stream and the time of its frame, no record marks the end, and a
session runs until it is stopped.
"""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.domain.faces import FaceSearchRecord
from aiorekostream.domain.labels import SessionCompleted, StreamProcessorEvent
from aiorekostream.domain.requests import LabelDetectionStart
from aiorekostream.fleet.slots import MARGIN

if TYPE_CHECKING:
    from aiorekostream.domain.requests import StartRequest

__all__ = [
    "EventKeys",
    "SessionEvent",
    "completion_of",
    "earliest_record",
    "is_for_other_hosts",
    "keys_of",
    "longest_of",
]

SessionEvent: TypeAlias = StreamProcessorEvent | FaceSearchRecord
"""An event of a label detection, or a record of a face search."""

# UNCERTAIN: by how much the clocks of Amazon Rekognition and Kinesis Video Streams differ. AWS does not document it;
# a second is what the service's own servers may differ by, see ``client.reconcile_rules``.
_TOLERANCE = datetime.timedelta(seconds=1)


@attrs.frozen
class EventKeys:
    """What identifies the session of an event.

    Attributes:
        session: the id of the session; ``None`` for a record of a face search.
        source: what is known of a session before its start is answered: the processor of a label detection, the video
            stream of a face search; ``None`` if the event omits it.
        moment: the server timestamp of a record of a face search; ``None`` for other events.
    """

    session: str | None
    source: str | None
    moment: datetime.datetime | None = None


def keys_of(event: SessionEvent) -> EventKeys:
    """Return what identifies the session of an event."""
    if isinstance(event, FaceSearchRecord):
        return EventKeys(None, event.kinesis_video_stream_arn, event.position.server_timestamp)
    return EventKeys(event.session_id, event.processor_name)


def completion_of(event: SessionEvent) -> SessionCompleted | None:
    """Return the event if it marks the end of its session."""
    return event if isinstance(event, SessionCompleted) else None


def is_for_other_hosts(event: SessionEvent) -> bool:
    """Return whether an unclaimed event is released for other hosts.

    The consumers of a queue share its messages. Each consumer of a data stream reads all records, so a record that is
    released is delivered to the same consumer again, and holds its checkpoint.
    """
    return not isinstance(event, FaceSearchRecord)


def longest_of(start: StartRequest) -> float:
    """Return the seconds that a session can last at most; infinity for a face search."""
    if isinstance(start, LabelDetectionStart):
        return start.stop_selector.max_duration_in_seconds + MARGIN
    return math.inf


def earliest_record(date: datetime.datetime, *, passed: float) -> datetime.datetime:
    """Return the earliest server timestamp of the records of a face search.

    The moment is at most two seconds and the duration of one call before the start: the date has whole seconds, the
    clocks of the service's servers may differ by another one, and the response with the date takes its time.

    Args:
        date: the service's date before the start.
        passed: the seconds from the response with that date until the start was sent.
    """
    return date + datetime.timedelta(seconds=passed) - _TOLERANCE
