"""Share one consumer among sessions, waits and fleets, and decide about the events that none of them claims."""

from collections.abc import AsyncIterable, Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.domain.faces import FaceSearchRecord
from aiorekostream.domain.labels import SessionCompleted, StreamProcessorEvent
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.results.arguments import checked_source
from aiorekostream.results.delivery import Delivery
from aiorekostream.results.event_router import EventRouter, EventSource, UnclaimedHandler, router_of
from aiorekostream.results.session_rules import SessionEvent

__all__ = ["AnyRouter", "SessionRouter", "router_for"]

_EventT = TypeVar("_EventT", bound=SessionEvent)


def _on_unclaimed(value: UnclaimedHandler | None) -> UnclaimedHandler | None:
    if value is not None and not callable(value):
        reject(value, "an async function of an event, or None")
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class _RouterOptions(Validated):
    consumer: EventSource = attrs.field(converter=checked_source)
    on_unclaimed: UnclaimedHandler | None = attrs.field(converter=_on_unclaimed)


class SessionRouter(Generic[_EventT]):
    """Share one consumer among any number of sessions, waits and fleets, and handle the events that they do not claim.

    An async context manager, which reads the consumer from the beginning of its block to the end::

        async with (
            SqsConsumer(queue_url) as consumer,
            SessionRouter(consumer, on_unclaimed=handle) as router,
            Session(client, start, events=router) as session,
        ):
            async for event in session: ...

    An event is unclaimed if its session was not started by a ``Session`` of this process, or if the block of that
    session was left. An event whose start is not answered yet is held until then. With ``on_unclaimed``, an unclaimed
    event is acknowledged when the function returns, and released when the function raises. Without it, the event is
    released for the consumers of other hosts: at once, then after 1, 2, 4 and up to 60 seconds, until the queue's
    redrive policy moves it. A malformed message is left to the redrive policy.

    A record of a face search is unclaimed if it is of another video stream, or of an earlier session. Each consumer of
    a data stream reads all records, so none is left to other hosts: without ``on_unclaimed``, an unclaimed record is
    acknowledged, and does not hold the checkpoint. A record whose ``on_unclaimed`` raises is delivered again after a
    delay, and holds the checkpoint until the function returns.

    Where sessions have the same consumer and no router, they share one without ``on_unclaimed``, which reads the
    consumer only as long as there are sessions.
    """

    def __init__(
        self,
        consumer: AsyncIterable[Delivery[_EventT]],
        *,
        on_unclaimed: Callable[[_EventT], Awaitable[object]] | None = None,
    ) -> None:
        """Set up a router; nothing is read yet.

        Args:
            consumer: an entered consumer of events, ``SqsConsumer`` or ``KinesisConsumer``, or another async iterator
                of ``Delivery``. Its limit on deliveries that are not settled, such as ``max_in_flight``, bounds the
                memory of the router and of the sessions, so it should exceed the number of events that are handled at
                a time.
            on_unclaimed: an async function that handles an event that no session claims. Several calls may be under
                way at a time.

        Raises:
            InvalidRequestError: the consumer is no async iterator, or ``on_unclaimed`` is not callable; all issues at
                once.
        """
        # A consumer of one type of event yields no other, so its function is given no other.
        handler = cast("UnclaimedHandler | None", on_unclaimed)
        options = _RouterOptions(consumer=consumer, on_unclaimed=handler)
        self._router = EventRouter(options.consumer, options.on_unclaimed)

    async def __aenter__(self) -> Self:
        self._router.hold()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._router.release(abort=error is not None)
        failure, self._router.unraised = self._router.unraised, None
        if failure is not None and error is None:
            raise failure

    @property
    def event_router(self) -> EventRouter:
        """What routes the events; for code that builds on a router."""
        return self._router

    def has_event_of(self, session_id: str) -> bool:
        """Return whether an event of a session was received. The last 5,000 sessions are remembered.

        Args:
            session_id: the id of the session, as in ``StartedSession``.
        """
        return self._router.has_event_of(session_id)

    async def wait(self) -> None:
        """Wait until the consumer has ended: it was stopped, or it has failed.

        Without it, a failure is raised only at the end of the block where no ``Session`` is there to raise it.

        Raises:
            RekostreamError: the failure of the consumer.
        """
        await self._router.wait()

    async def completed(self: "SessionRouter[StreamProcessorEvent]", session_id: str) -> SessionCompleted:
        """Wait for the ``SessionCompleted`` of a session, however long that takes; one that was received before counts.

        It waits for the notification alone, which may be lost: see ``Client.wait_until_finished``.

        Args:
            session_id: the id of the session, as in ``StartedSession``.

        Raises:
            ConfigurationError: the consumer has ended.
            RekostreamError: the failure of the consumer.
        """
        return await self._router.completed(session_id)


AnyRouter: TypeAlias = SessionRouter[StreamProcessorEvent] | SessionRouter[FaceSearchRecord]


def router_for(events: EventSource | AnyRouter) -> EventRouter:
    """Return what routes the events of a consumer or router."""
    return events.event_router if isinstance(events, SessionRouter) else router_of(events)
