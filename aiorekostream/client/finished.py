"""Wait until one session has finished: by its notification or by the processor's status, whichever comes first."""

import asyncio
from typing import Protocol, cast

import attrs

from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition, Waiter
from aiorekostream.client.wait_errors import failure_error, never_started_error
from aiorekostream.clock import Clock
from aiorekostream.domain.fields import Duration
from aiorekostream.domain.responses import StartedSession, StreamProcessorSummary
from aiorekostream.domain.status import ACTIVE, Status
from aiorekostream.errors import InvalidRequestError, ValidationIssue

__all__ = ["FinishedWait", "SessionEvents", "session_to_wait_for"]

# Seconds that a notification may take longer than the status. UNCERTAIN: SNS promises no time.
_NOTIFICATION_DELAY = 5.0
# Seconds between the polls of that time: they show a session that has begun late.
_POLL_PAUSE = 1.0


class SessionEvents(Protocol):
    """The sessions whose notifications were received; ``results.SessionRouter`` is one."""

    def has_event_of(self, session_id: str) -> bool:
        """Whether an event of a session was received lately.

        Args:
            session_id: the id of the session, as in ``StartedSession``.
        """
        ...

    async def completed(self, session_id: str) -> object:
        """Wait for the ``SessionCompleted`` of a session; one that was received lately counts.

        Args:
            session_id: the id of the session, as in ``StartedSession``.

        Returns:
            Any value, such as the event: the wait does not use it.

        Raises:
            RekostreamError: no more events can be received.
        """
        ...


def session_to_wait_for(session: str | StartedSession, events: SessionEvents | None) -> tuple[str, str | None]:
    """Return the name of the processor, and the id of the session where its events are to be awaited.

    Raises:
        InvalidRequestError: the session has no name, or there are events for a name alone.
    """
    if not isinstance(session, StartedSession):
        if events is not None:
            expected = "left out, or given with a StartedSession: a name does not identify a session"
            raise InvalidRequestError([ValidationIssue(("events",), events, expected)])
        return session, None
    if session.name is None:
        raise InvalidRequestError([ValidationIssue(("name",), session, "a session that a client has started")])
    return session.name, None if events is None else session.session_id


@attrs.define(eq=False, repr=False, kw_only=True)
class FinishedWait:
    """Wait for one session whose notifications are received.

    A processor at rest alone proves nothing: its status may be that from before the start. The session has begun if
    the processor was seen at work, or if any event of the session came.

    Attributes:
        poller: polls the status.
        clock: measures the time.
        name: the processor.
        session_id: the session.
        events: receives the notifications.
    """

    poller: Poller
    clock: Clock
    name: str
    session_id: str
    events: SessionEvents

    async def run(self, timeout: Duration | None) -> StreamProcessorSummary:
        """Wait. See ``Client.wait_until_finished``."""
        deadline = self.clock.now() + self.poller.seconds(WaitCondition.FINISHED, timeout)
        notified = asyncio.ensure_future(self.events.completed(self.session_id))
        polled = asyncio.ensure_future(self._polled(deadline))
        try:
            await asyncio.wait({notified, polled}, return_when=asyncio.FIRST_COMPLETED)
            if not notified.done():
                return StreamProcessorSummary(self.name, polled.result())
            notified.result()
        finally:
            for task in (notified, polled):
                task.cancel()
            await asyncio.gather(notified, polled, return_exceptions=True)
        return await self._shown(deadline)

    async def _polled(self, deadline: float) -> Status:
        """Wait until the status shows the end of the session."""
        waiter = await self._rest(deadline)
        if waiter.starting_since is None and not self._has_event:
            if await self._begins_late(deadline):
                waiter = await self._rest(deadline)
            elif not self._has_event:
                raise never_started_error(waiter)
        return cast("Status", waiter.observation.status)

    async def _rest(self, deadline: float) -> Waiter:
        timeout = max(0.0, deadline - self.clock.now())
        return await self.poller.wait(WaitCondition.FINISHED, self.name, timeout=timeout)

    async def _begins_late(self, deadline: float) -> bool:
        """Tell whether a processor at rest is seen at work within the time that a notification may take."""
        until = min(deadline, self.clock.now() + _NOTIFICATION_DELAY)
        while self.clock.now() < until and not self._has_event:
            await self.clock.sleep(_POLL_PAUSE)
            seen = (await self.poller.observe([self.name])).get(self.name)
            if seen is not None and seen.status in ACTIVE:
                return True
        return False

    @property
    def _has_event(self) -> bool:
        return self.events.has_event_of(self.session_id)

    async def _shown(self, deadline: float) -> StreamProcessorSummary:
        """Poll once after the notification, which does not say whether the session has FAILED."""
        left = max(0.0, deadline - self.clock.now())
        seen = (await self.poller.observe([self.name], timeout=left)).get(self.name)
        status = None if seen is None else seen.status
        if seen is not None and status is Status.FAILED:
            raise failure_error(self.name, seen)
        return StreamProcessorSummary(self.name, status or Status.STOPPED)
