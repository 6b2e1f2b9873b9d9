"""Start a session, and iterate over its events until it has ended."""

import asyncio
import datetime
from collections import deque
from collections.abc import AsyncIterable
from types import TracebackType
from typing import Generic, Self, TypeVar, overload

from aiorekostream.client import Client
from aiorekostream.domain.faces import FaceSearchRecord
from aiorekostream.domain.labels import SessionCompleted, StreamProcessorEvent
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status
from aiorekostream.errors import ConfigurationError, copy_error
from aiorekostream.results.claims import EventDelivery, SessionClaim
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.event_router import EventRouter, EventSource
from aiorekostream.results.session_options import SessionOptions, SessionResult
from aiorekostream.results.session_processor import SessionProcessor
from aiorekostream.results.session_router import AnyRouter, SessionRouter, router_for
from aiorekostream.results.session_rules import SessionEvent, completion_of, longest_of
from aiorekostream.results.status_polls import PolledSession

__all__ = ["Session"]

_StartT = TypeVar("_StartT", bound=StartRequest)


def _nothing() -> None:
    pass


class Session(Generic[_StartT]):
    """One session: starts its processor, yields its events, and ends with it.

    An async context manager, which starts the processor on entering, and an async iterator for one task. The session of
    a ``LabelDetectionStart`` yields each ``StreamProcessorEvent``, that of a ``FaceSearchStart`` each
    ``FaceSearchRecord``::

        async with Session(client, start, events=consumer) as session:
            async for event in session:
                handle(event)
        print(session.result)

    The iteration ends ``linger`` seconds after the end of the session, for events that arrive later. The end is shown
    by the processor's status or by the ``SessionCompleted`` of a label detection, whichever is first; that is yielded,
    too. Statuses are polled for all sessions of a consumer together; with many sessions, a poll is one call of
    ListStreamProcessors. If the client is closed before the end is known, the iteration raises ``ConfigurationError``.

    Delivery is at least once. An event is acknowledged when the next one is asked for, and the last one when the block
    ends without an exception. If the block raises, the event that was yielded last is released, and is delivered to
    ``on_unclaimed`` of a ``SessionRouter`` or to another host. Events that were not yielded are released, too: leave
    the loop early only if they are not needed, or if they are handled there.

    A label detection ends by its stop selector, also when the block is left before. A session whose start was
    reconciled has no id: it takes the events of its processor that no other session claims, and its status shows its
    end. The processor's topic must be subscribed by the consumer's queue.

    A face search runs until it is stopped. Leaving the block stops the processor and waits until it is at rest, also
    when the block raises or is cancelled, unless the session was seen to have ended. The error of a stop that fails is
    raised, or logged if the block has raised: ``UnknownOutcomeError`` after ``stop_timeout``. The records are those of
    the processor's video stream whose server timestamp is not before the start, by the service's clock. That is known
    to two seconds and the duration of one call, so a record from that long before the start counts, too. Records of
    processors with the same video stream and the same data stream cannot be distinguished.

    Requires the permissions ``rekognition:StartStreamProcessor``, ``rekognition:ListStreamProcessors`` and
    ``rekognition:DescribeStreamProcessor``, and ``rekognition:StopStreamProcessor`` for a face search.
    """

    @overload
    def __init__(
        self: "Session[LabelDetectionStart]",
        client: Client,
        start: LabelDetectionStart,
        *,
        events: AsyncIterable[Delivery[StreamProcessorEvent]] | SessionRouter[StreamProcessorEvent],
        linger: datetime.timedelta | float = 5.0,
        poll_interval: datetime.timedelta | float = 5.0,
    ) -> None: ...

    @overload
    def __init__(
        self: "Session[FaceSearchStart]",
        client: Client,
        start: FaceSearchStart,
        *,
        events: AsyncIterable[Delivery[FaceSearchRecord]] | SessionRouter[FaceSearchRecord],
        linger: datetime.timedelta | float = 5.0,
        poll_interval: datetime.timedelta | float = 5.0,
        stop_timeout: datetime.timedelta | float = 60.0,
    ) -> None: ...

    def __init__(
        self,
        client: Client,
        start: StartRequest,
        *,
        events: EventSource | AnyRouter,
        linger: datetime.timedelta | float = 5.0,
        poll_interval: datetime.timedelta | float = 5.0,
        stop_timeout: datetime.timedelta | float = 60.0,
    ) -> None:
        """Set up a session; nothing is sent yet.

        Args:
            client: starts the processor, and polls its status.
            start: the start.
            events: an entered consumer of the events, or a ``SessionRouter`` over one: an ``SqsConsumer`` for a label
                detection, a ``KinesisConsumer`` or its ``in_order()`` for a face search. Any number of sessions of a
                kind may share it.
            linger: how long events are taken after the end is known, as a ``timedelta`` or in seconds, from 0 to 3600.
            poll_interval: the longest time until the status shows an end whose notification is lost, or that of a face
                search, as a ``timedelta`` or in seconds, from 0.1 to 3600. With many sessions, the shortest one applies
                to all. While the service does not answer, it takes longer.
            stop_timeout: the longest time for the stop of a face search, as a ``timedelta`` or in seconds, from 1 to
                3600. AWS allows one stop a second, so give more to many sessions that end together.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        self._options = options = SessionOptions(
            client=client,
            start=start,
            events=events,
            linger=linger,
            poll_interval=poll_interval,
            stop_timeout=stop_timeout,
        )
        self._processor = SessionProcessor(
            client=options.client, start=options.start, stop_timeout=options.stop_timeout
        )
        self._clock = options.client.pipeline.clock
        self._router: EventRouter | None = None
        self._claim: SessionClaim | None = None
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
        options, start, processor = self._options, self._options.start, self._processor
        router = router_for(options.events)
        source = await processor.source()
        self._router = router
        self._claim = claim = SessionClaim(
            source=source, since=processor.since, deliver=self._deliver, on_consumer_end=self._on_consumer_end
        )
        router.add(claim)
        try:
            self._started = await processor.begin()
        except BaseException:
            router.remove(claim)
            await router.release()
            raise
        now = self._clock.now()
        self._polled = PolledSession(
            client=options.client,
            name=start.name,
            since=now,
            latest_end=now + longest_of(start),
            poll_interval=options.poll_interval,
            on_end=self._on_status,
            on_failure=self._on_poll_failure,
        )
        router.poll(self._polled)
        claim.since = processor.since
        router.started(claim, self._started.session_id)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        router, claim = self._router, self._claim
        if router is None or claim is None:
            return
        self._is_drained = True
        try:
            if not self._is_ended and (end := await self._processor.end(error)) is not None:
                self._on_status(*end)
        finally:
            await self._leave(router, claim, kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    @overload
    async def __anext__(self: "Session[LabelDetectionStart]") -> StreamProcessorEvent: ...

    @overload
    async def __anext__(self: "Session[FaceSearchStart]") -> FaceSearchRecord: ...

    async def __anext__(self) -> SessionEvent:
        if self._started is None:
            raise ConfigurationError("enter the session first: async with Session(...) as session")
        current, self._current = self._current, None
        if current is not None:
            await current.ack()
        while not (self._queue or self._is_drained):
            await self._news()
        if self._failure is not None:
            raise copy_error(self._failure)
        if not self._queue:
            raise StopAsyncIteration
        self._current = self._queue.popleft()
        return self._current.event

    @property
    def started(self) -> StartedSession:
        """The session that was started.

        Raises:
            ConfigurationError: the session is not started.
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

    async def _leave(
        self,
        router: EventRouter,
        claim: SessionClaim,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After the stop: without the claim, a record that is released here would be acknowledged as unclaimed.
        router.remove(claim)
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
            if self._claim is not None and self._claim.session_id is not None:
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

    def _on_poll_failure(self, failure: ConfigurationError) -> None:
        if not self._is_ended:  # after the end, only late events are awaited, which the consumer receives
            self._on_consumer_end(failure)

    def _on_consumer_end(self, failure: Exception | None) -> None:
        self._failure, self._is_drained = failure, True
        self._wake()

    def _wake(self) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.set_result(None)
