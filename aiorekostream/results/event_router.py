"""Route the events of one consumer to the sessions that share it, with one task for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
from typing import TypeAlias

import attrs

from aiorekostream.client.poller import Poller
from aiorekostream.domain.labels import SessionCompleted
from aiorekostream.errors import ConfigurationError, copy_error
from aiorekostream.results.claims import ClaimBook, EventDelivery, ReceivedEvent, SessionClaim
from aiorekostream.results.session_rules import SessionEvent, completion_of, is_for_other_hosts, keys_of
from aiorekostream.results.status_polls import PolledSession, StatusPolls

__all__ = ["EventRouter", "EventSource", "UnclaimedHandler", "router_of"]

EventSource: TypeAlias = AsyncIterable[EventDelivery]
UnclaimedHandler: TypeAlias = Callable[[SessionEvent], Awaitable[object]]
_log = logging.getLogger("aiorekostream")

# Sessions whose completions are remembered: a wait may begin after the end of its session.
_REMEMBERED = 5_000
# The longest time until a released event is delivered again, in seconds. It is released at once at first, so that it
# reaches the host of its session in time, and doubles from one second on, so that an event without a session is not
# received over and over.
_MOST_DELAY = 60.0
_MOST_DOUBLINGS = 6

# The routers that run, by the identity of their consumer: one for each.
_running: dict[int, EventRouter] = {}


@attrs.define(eq=False)
class EventRouter:
    """Route the events of a consumer.

    It reads the consumer while it is held: by sessions, by waits, and by the block of a ``SessionRouter``.
    Invariant: every delivery is given to a session, held for one that is starting, or settled.

    Attributes:
        consumer: the consumer.
        on_unclaimed: handles the events that no session claims; without it, they are released if other hosts may have
            their session, and acknowledged otherwise.
        unraised: the failure of the consumer, where there was no session or wait to raise it.
        claims: the claims of the sessions.
    """

    consumer: EventSource
    on_unclaimed: UnclaimedHandler | None = None
    unraised: Exception | None = attrs.field(default=None, init=False)
    claims: ClaimBook = attrs.field(factory=ClaimBook, init=False)
    _holds: int = attrs.field(default=0, init=False)
    _reader: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set[asyncio.Task[None]], init=False)
    _is_over: bool = attrs.field(default=False, init=False)
    _failure: Exception | None = attrs.field(default=None, init=False)
    _seen: dict[str, SessionCompleted | None] = attrs.field(factory=dict[str, SessionCompleted | None], init=False)
    _waits: dict[str, set[asyncio.Future[SessionCompleted]]] = attrs.field(
        factory=dict[str, set[asyncio.Future[SessionCompleted]]], init=False
    )
    _listeners: list[Callable[[SessionCompleted], bool]] = attrs.field(
        factory=list[Callable[[SessionCompleted], bool]], init=False
    )
    _polls: dict[Poller, StatusPolls] = attrs.field(factory=dict[Poller, StatusPolls], init=False)

    # ------------------------------------------------------------------------------------------------------ the reading

    def hold(self) -> None:
        """Read the consumer from now on, until ``release`` was called as often.

        Raises:
            ConfigurationError: another router reads the consumer, or the consumer has ended.
            RekostreamError: the failure of the consumer.
        """
        if self._is_over:
            raise self._end_error()
        if _running.setdefault(id(self.consumer), self) is not self:
            raise ConfigurationError("a consumer has one router: enter the router before the sessions of its consumer")
        self._holds += 1
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._read(), name="aiorekostream routes events")

    async def release(self, *, abort: bool = False) -> None:
        """Undo a ``hold``. The last one stops the reading, and waits until what was read is settled.

        Args:
            abort: whether the handlers of unclaimed events are cancelled rather than waited for.
        """
        self._holds -= 1
        if self._holds or self._reader is None:
            return
        reader, self._reader = self._reader, None
        del _running[id(self.consumer)]
        self._is_over, self._failure = False, None
        reader.cancel()
        try:
            if abort:
                self._cancel_handlers()
            await asyncio.wait([reader, *self._tasks])
        except asyncio.CancelledError:
            self._cancel_handlers()
            raise

    async def wait(self) -> None:
        """See ``SessionRouter.wait``."""
        if self._reader is not None:
            await asyncio.wait([self._reader])
        if self._failure is not None:
            self.unraised = None
            raise copy_error(self._failure)

    # --------------------------------------------------------------------------------------------------------- sessions

    def add(self, claim: SessionClaim) -> None:
        """Claim the events of a session whose start is about to be sent. See ``hold``."""
        self.hold()
        self.claims.add(claim)

    def started(self, claim: SessionClaim, session_id: str | None) -> None:
        """Record the answer to a start."""
        self._route(self.claims.started(claim, session_id))

    def remove(self, claim: SessionClaim) -> None:
        """Give a session no more events; ``release`` follows."""
        self._route(self.claims.remove(claim))

    def poll(self, session: PolledSession) -> None:
        """Poll the status of a session, together with the others that were started with its client or its views."""
        self._polls.setdefault(session.client.poller, StatusPolls(session.client)).add(session)

    def stop_polling(self, session: PolledSession) -> None:
        """Stop polling a session; has no effect where its end was seen."""
        polls = self._polls.get(session.client.poller)
        if polls is not None:
            polls.remove(session)
            if polls.is_idle:
                del self._polls[session.client.poller]

    # ------------------------------------------------------------------------------------------------------------- ends

    def has_event_of(self, session_id: str) -> bool:
        """Return whether an event of a session was received; the last 5,000 sessions are remembered."""
        return session_id in self._seen

    async def completed(self, session_id: str) -> SessionCompleted:
        """Wait for the ``SessionCompleted`` of a session; one that was received before counts. See ``hold``."""
        if (known := self._seen.get(session_id)) is not None:
            return known
        self.hold()
        wait: asyncio.Future[SessionCompleted] = asyncio.get_running_loop().create_future()
        waits = self._waits.setdefault(session_id, set())
        waits.add(wait)
        try:
            return await wait
        finally:
            waits.discard(wait)
            if not waits:
                self._waits.pop(session_id, None)
            await self.release()

    def listen(self, listener: Callable[[SessionCompleted], bool]) -> None:
        """Call a function with each ``SessionCompleted``; it returns whether that is of a session it waits for."""
        self._listeners.append(listener)

    # ---------------------------------------------------------------------------------------------------------- details

    async def _read(self) -> None:
        failure: Exception | None = None
        try:
            async for delivery in self.consumer:
                self._receive(delivery)
        except asyncio.CancelledError:
            failure = ConfigurationError("the reading of the consumer was cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - the sessions raise it
            failure = error
        finally:
            if self._holds:
                self._end(failure)

    def _receive(self, delivery: EventDelivery) -> None:
        if delivery.is_malformed:
            self._spawn(delivery.nack())  # the consumer has reported it, and the queue's redrive policy moves it
            return
        event, keys = delivery.event, keys_of(delivery.event)
        is_awaited = self._note(keys.session, completion_of(event))
        self._route([ReceivedEvent(delivery, event, keys, self.claims.next_number(), is_awaited)])

    def _route(self, received: Iterable[ReceivedEvent]) -> None:
        for each in received:
            if (claim := self.claims.find(each.keys)) is not None:
                claim.deliver(each.delivery)
            elif not self.claims.hold(each):
                self._spawn(self._settle_unclaimed(each))

    async def _settle_unclaimed(self, received: ReceivedEvent) -> None:
        delivery = received.delivery
        if self.on_unclaimed is not None:
            async with delivery:
                await self.on_unclaimed(received.event)
        elif received.is_awaited:
            await delivery.ack()
        elif not is_for_other_hosts(received.event):
            if delivery.receive_count > 1:
                _log.warning("%s is acknowledged, which a session has released and no session claims", delivery.id)
            await delivery.ack()
        else:
            await delivery.nack(_release_delay(delivery.receive_count))

    def _note(self, session_id: str | None, completed: SessionCompleted | None) -> bool:
        """Remember the session of an event; return whether a wait or a fleet needs the event."""
        if session_id is None:
            return False
        earlier = self._seen.pop(session_id, None)
        self._seen[session_id] = completed or earlier
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if completed is None:
            return False
        waits = self._waits.get(session_id, ())
        for wait in waits:
            if not wait.done():
                wait.set_result(completed)
        heard = [listener(completed) for listener in self._listeners]
        return any(heard) or bool(waits)

    def _end(self, failure: Exception | None) -> None:
        self._is_over, self._failure = True, failure
        claims, waits = self.claims.claims(), [wait for waits in self._waits.values() for wait in waits]
        self.unraised = None if claims or waits else failure
        if failure is not None:
            _log.error("no more events are routed, since the consumer has failed: %r", failure)
        for claim in claims:
            claim.on_consumer_end(failure)
        for wait in waits:
            if not wait.done():
                wait.set_exception(self._end_error())

    def _end_error(self) -> Exception:
        # Each caller raises an error with a traceback of its own.
        return ConfigurationError("the consumer has ended") if self._failure is None else copy_error(self._failure)

    def _cancel_handlers(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _spawn(self, settlement: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(settlement)
        self._tasks.add(task)
        task.add_done_callback(self._on_settled)

    def _on_settled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("an event that no session claims was not settled", exc_info=error)


def router_of(consumer: EventSource) -> EventRouter:
    """Return the router that reads a consumer, or a new one."""
    return _running.get(id(consumer)) or EventRouter(consumer)


def _release_delay(receive_count: int) -> float:
    return min(_MOST_DELAY, float(2 ** min(receive_count - 2, _MOST_DOUBLINGS))) if receive_count > 1 else 0.0
