"""What is particular to the sessions of label detection; the rest of ``Session`` and its router is not.

Its events have the id of their session, one of them tells the end, and a session ends by its stop selector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.labels import SessionCompleted
from aiorekostream.fleet.slots import MARGIN

if TYPE_CHECKING:
    from aiorekostream.domain.labels import StreamProcessorEvent
    from aiorekostream.domain.requests import LabelDetectionStart

__all__ = ["EventKeys", "completion_of", "keys_of", "longest_of"]


@attrs.frozen
class EventKeys:
    """What an event tells about the session that it belongs to.

    Attributes:
        session: the id of the session.
        processor: the processor, which is all that is known of a session while its start is in flight; ``None`` where
            the event does not tell.
    """

    session: str
    processor: str | None


def keys_of(event: StreamProcessorEvent) -> EventKeys:
    """Return what an event tells about its session."""
    return EventKeys(event.session_id, event.processor_name)


def completion_of(event: StreamProcessorEvent) -> SessionCompleted | None:
    """Return the event if it tells that its session has ended."""
    return event if isinstance(event, SessionCompleted) else None


def longest_of(start: LabelDetectionStart) -> float:
    """Return the seconds after which a session cannot go on."""
    return start.stop_selector.max_duration_in_seconds + MARGIN
