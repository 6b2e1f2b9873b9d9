"""What is particular to the sessions of each kind; the rest of ``Session`` and its router is not.

An event of a label detection has the id of its session, one event tells the end, and a session ends by its stop
selector. A record of a face search has the video stream and the time of its frame, no record tells the end, and a
session goes on until it is stopped.
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

# UNCERTAIN: by how much the clocks of Amazon Rekognition and Kinesis Video Streams differ. AWS does not say; a second
# is what the service's own servers may differ by, see ``client.reconcile_rules``.
_TOLERANCE = datetime.timedelta(seconds=1)


@attrs.frozen
class EventKeys:
    """What an event tells about the session that it belongs to.

    Attributes:
        session: the id of the session; ``None`` for a record of a face search.
        source: what is known of a session before its start is answered: the processor of a label detection, the video
            stream of a face search; ``None`` where the event does not tell.
        moment: the server timestamp of a record of a face search; ``None`` for other events.
    """

    session: str | None
    source: str | None
    moment: datetime.datetime | None = None


def keys_of(event: SessionEvent) -> EventKeys:
    """Return what an event tells about its session."""
    if isinstance(event, FaceSearchRecord):
        return EventKeys(None, event.kinesis_video_stream_arn, event.position.server_timestamp)
    return EventKeys(event.session_id, event.processor_name)


def completion_of(event: SessionEvent) -> SessionCompleted | None:
    """Return the event if it tells that its session has ended."""
    return event if isinstance(event, SessionCompleted) else None


def is_for_other_hosts(event: SessionEvent) -> bool:
    """Whether an unclaimed event is released for other hosts.

    The consumers of a queue share its messages. Each consumer of a data stream reads all records, so a record that is
    released comes back to the same consumer, and holds its checkpoint.
    """
    return not isinstance(event, FaceSearchRecord)


def longest_of(start: StartRequest) -> float:
    """Return the seconds after which a session cannot go on; infinity for a face search."""
    if isinstance(start, LabelDetectionStart):
        return start.stop_selector.max_duration_in_seconds + MARGIN
    return math.inf


def earliest_record(date: datetime.datetime, *, passed: float) -> datetime.datetime:
    """Return the earliest server timestamp of the records of a face search.

    The moment is at most two seconds and the time of one answer before the start: the service tells the time to the
    second, the clocks of its servers may differ by another one, and the answer with the date takes its time.

    Args:
        date: the service's date before the start.
        passed: the seconds from the answer with that date until the start was sent.
    """
    return date + datetime.timedelta(seconds=passed) - _TOLERANCE
