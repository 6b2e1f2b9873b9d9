"""Define the options of a session, and the result of one."""

import datetime
from collections.abc import Iterator
from typing import final

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.fields import seconds
from aiorekostream.domain.labels import SessionCompleted
from aiorekostream.domain.requests import FaceSearchStart, StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.rules import Validated, all_valid, collecting, reject
from aiorekostream.domain.status import Status
from aiorekostream.errors import ValidationIssue
from aiorekostream.results.arguments import checked_client, checked_source
from aiorekostream.results.event_router import EventSource
from aiorekostream.results.kinesis.consumer import KinesisConsumer
from aiorekostream.results.session_router import AnyRouter, SessionRouter
from aiorekostream.results.sqs import SqsConsumer

__all__ = ["SessionOptions", "SessionResult"]

# The longest linger, poll interval and stop, in seconds.
_LONGEST = 3600.0


def _start(value: StartRequest) -> StartRequest:
    if not isinstance(value, StartRequest):
        reject(value, "a LabelDetectionStart or a FaceSearchStart")
    return value


def _events(value: EventSource | AnyRouter) -> EventSource | AnyRouter:
    return value if isinstance(value, SessionRouter) else checked_source(value)


def _linger(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0, most=_LONGEST)


def _poll_interval(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0.1, most=_LONGEST)


def _stop_timeout(value: datetime.timedelta | float) -> float:
    return seconds(value, least=1, most=_LONGEST)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class SessionOptions(Validated):
    """The options of a session. See ``Session``.

    Attributes:
        client: starts the processor, and polls its status.
        start: the start.
        events: the consumer of the events, or a router over one.
        linger: the seconds for which events are taken after the end is known.
        poll_interval: the most seconds until the status shows the end.
        stop_timeout: the most seconds until a face search is stopped.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
    """

    client: Client = attrs.field(converter=checked_client)
    start: StartRequest = attrs.field(converter=_start)
    events: EventSource | AnyRouter = attrs.field(converter=_events)
    linger: float = attrs.field(converter=_linger)
    poll_interval: float = attrs.field(converter=_poll_interval)
    stop_timeout: float = attrs.field(converter=_stop_timeout)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        if not all_valid(self.start, self.events):
            return
        consumer = self.events.event_router.consumer if isinstance(self.events, SessionRouter) else self.events
        if isinstance(consumer, SqsConsumer if isinstance(self.start, FaceSearchStart) else KinesisConsumer):
            expected = "a KinesisConsumer for a face search, and an SqsConsumer for a label detection"
            yield ValidationIssue(("events",), consumer, expected)


@final
@attrs.frozen(kw_only=True)
class SessionResult:
    """How a session ended.

    Attributes:
        session: the session.
        status: the status that showed the end, such as STOPPED or FAILED; ``None`` if no poll showed it: the
            notification came first, the processor was deleted or has a new session, or the session cannot have lasted
            any longer by its stop selector.
        status_message: AWS's StatusMessage, which says why a session is FAILED; ``None`` where there is none.
        completed: the notification of the end; ``None`` if none arrived, and for a face search, which has none.
    """

    session: StartedSession
    status: Status | None
    status_message: str | None
    completed: SessionCompleted | None

    @property
    def is_failed(self) -> bool:
        """Whether the session FAILED."""
        return self.status is Status.FAILED

    @property
    def processed_duration(self) -> datetime.timedelta | None:
        """The duration of the processed video; ``None`` without the notification, or if that omits it."""
        return None if self.completed is None else self.completed.processed_duration
