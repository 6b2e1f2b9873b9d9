"""Start a session, and iterate over its events until it has ended."""

import asyncio
import copy
import datetime
from collections import deque
from types import TracebackType
from typing import Self, final

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.fields import seconds
from aiorekostream.domain.labels import SessionCompleted, StreamProcessorEvent
from aiorekostream.domain.requests import LabelDetectionStart
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.domain.status import Status
from aiorekostream.errors import ConfigurationError
from aiorekostream.results.arguments import checked_client, checked_source
from aiorekostream.results.claims import EventDelivery, SessionClaim
from aiorekostream.results.event_router import EventRouter, EventSource
from aiorekostream.results.session_router import SessionRouter, router_for
from aiorekostream.results.session_rules import completion_of, longest_of
from aiorekostream.results.status_polls import PolledSession

__all__ = ["Session", "SessionResult"]

# The longest linger and poll interval, in seconds.
_LONGEST = 3600.0


def _nothing() -> None:
    pass


def _start(value: LabelDetectionStart) -> LabelDetectionStart:
    if not isinstance(value, LabelDetectionStart):
        reject(value, "a LabelDetectionStart: a face search writes to a Kinesis data stream, and sends no events")
    return value


def _events(value: EventSource | SessionRouter) -> EventSource | SessionRouter:
    return value if isinstance(value, SessionRouter) else checked_source(value)


def _linger(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0, most=_LONGEST)


def _poll_interval(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0.1, most=_LONGEST)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class _SessionOptions(Validated):
    client: Client = attrs.field(converter=checked_client)
    start: LabelDetectionStart = attrs.field(converter=_start)
    events: EventSource | SessionRouter = attrs.field(converter=_events)
    linger: float = attrs.field(converter=_linger)
    poll_interval: float = attrs.field(converter=_poll_interval)


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
        completed: the notification of the end; ``None`` if it did not come.
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
        """The duration of the processed video; ``None`` without the notification, or if it does not say."""
        return None if self.completed is None else self.completed.processed_duration


class Session:
    """One session of a label detection: starts it, yields its events, and ends with it.

    An async context manager, which starts the processor on entering, and an async iterator of events for one task::

        async with Session(client, start, events=consumer) as session:
            async for event in session:
                handle(event)
        print(session.result)

    The iteration ends ``linger`` seconds after the end of the session: SNS delivers in any order, so the other events
    may come after the ``SessionCompleted``, which is yielded, too. The end is told by that notification or by the
    processor's status, whichever comes first. Statuses are polled for all sessions of a consumer together; with many
    sessions, a poll is one call of ListStreamProcessors. A session whose start was reconciled has no id: it takes the
    events of its processor that no other session claims, and its status tells its end.

    Delivery is at least once. An event is acknowledged when the next one is asked for, and the last one when the block
    ends without an exception. If the block raises, the event that was yielded last is released, and will come to
    ``on_unclaimed`` of a ``SessionRouter`` or to another host. Events that were not yielded are never acknowledged:
    leave the loop early only if they are not needed, or if they are handled there.

    Leaving the block does not stop the processor, whose session ends by its stop selector.

    The processor's topic must be subscribed by the consumer's queue. Requires the permissions
    ``rekognition:StartStreamProcessor``, ``rekognition:ListStreamProcessors`` and
    ``rekognition:DescribeStreamProcessor``.
    """

    def __init__(
        self,
        client: Client,
        start: LabelDetectionStart,
        *,
        events: EventSource | SessionRouter,
        linger: datetime.timedelta | float = 5.0,
        poll_interval: datetime.timedelta | float = 5.0,
    ) -> None:
        """Set up a session; nothing is sent yet.

        Args:
            client: starts the processor, and polls its status.
            start: the start.
            events: an entered consumer of the events, or a ``SessionRouter`` over one. Any number of sessions may share
                it.
            linger: how long events are taken after the end is known, as a ``timedelta`` or in seconds, from 0 to 3600.
            poll_interval: the longest time until the status shows an end whose notification is lost, as a ``timedelta``
                or in seconds, from 0.1 to 3600. With many sessions, the shortest one applies to all. While the service
                does not answer, it takes longer.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        self._options = options = _SessionOptions(
            client=client, start=start, events=events, linger=linger, poll_interval=poll_interval
        )
        self._clock = options.client.pipeline.clock
        self._router: EventRouter | None = None
        self._claim = SessionClaim(
            processor_name=options.start.name, deliver=self._deliver, on_consumer_end=self._on_consumer_end
        )
        self._polled: PolledSession | None = None
        self._started: StartedSession | None = None
        self._queue: deque[EventDelivery] = deque()
        self._current: EventDelivery | None = None
        self._wait: asyncio.Future[None] | None = None
        self._cancel_timer = _nothing
        self._failure: Exception | None = None
        self._is_ended = self._is_drained = False
        self._status: Status | None = None
        self._status_message: str | None = None
        self._completed: SessionCompleted | None = None

    async def __aenter__(self) -> Self:
        if self._router is not None:
            raise ConfigurationError("a session is entered once: create a new one")
        client, start = self._options.client, self._options.start
        self._router = router = router_for(self._options.events)
        router.add(self._claim)
        try:
            self._started = await client.start_stream_processor(start)
        except BaseException:
            router.remove(self._claim)
            await router.release()
            raise
        now = self._clock.now()
        self._polled = PolledSession(
            client=client,
            name=start.name,
            since=now,
            latest_end=now + longest_of(start),
            poll_interval=self._options.poll_interval,
            on_end=self._on_status,
        )
        router.poll(self._polled)
        router.started(self._claim, self._started.session_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        router = self._router
        if router is None:
            return
        self._is_drained = True
        router.remove(self._claim)
        if self._polled is not None:
            router.stop_polling(self._polled)
        self._cancel_timer()
        current, self._current = self._current, None
        try:
            if current is not None:
                await current.__aexit__(kind, error, traceback)
            while self._queue:
                await self._queue.popleft().nack(0)
        finally:
            await router.release()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamProcessorEvent:
        if self._started is None:
            raise ConfigurationError("enter the session first: async with Session(...) as session")
        current, self._current = self._current, None
        if current is not None:
            await current.ack()
        while not (self._queue or self._is_drained):
            await self._news()
        if self._failure is not None:
            raise copy.copy(self._failure)
        if not self._queue:
            raise StopAsyncIteration
        self._current = self._queue.popleft()
        return self._current.event

    @property
    def started(self) -> StartedSession:
        """The session that was started.

        Raises:
            ConfigurationError: it is not started.
        """
        if self._started is None:
            raise ConfigurationError("the session is not started: enter it first")
        return self._started

    @property
    def result(self) -> SessionResult | None:
        """How the session ended; ``None`` as long as that is not known. It is complete when the iteration has ended."""
        if self._started is None or not self._is_ended:
            return None
        return SessionResult(
            session=self._started,
            status=self._status,
            status_message=self._status_message,
            completed=self._completed,
        )

    def __repr__(self) -> str:
        return f"Session({self._options.start.name!r}, {self._started!r})"

    async def _news(self) -> None:
        if self._wait is not None:
            raise ConfigurationError("one task at a time iterates over a session")
        self._wait = asyncio.get_running_loop().create_future()
        try:
            await self._wait
        finally:
            self._wait = None

    def _deliver(self, delivery: EventDelivery) -> None:
        self._queue.append(delivery)
        if (completed := completion_of(delivery.event)) is not None:
            self._completed = completed
            if self._claim.session_id is not None:
                self._end()
        self._wake()

    def _on_status(self, status: Status | None, message: str | None) -> None:
        self._status, self._status_message = status, message
        self._end()

    def _end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._cancel_timer = self._clock.call_at(self._clock.now() + self._options.linger, self._on_drained).cancel

    def _on_drained(self) -> None:
        self._is_drained = True
        self._wake()

    def _on_consumer_end(self, failure: Exception | None) -> None:
        self._failure, self._is_drained = failure, True
        self._wake()

    def _wake(self) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.set_result(None)
