"""Wait until one session has finished: by its notification or by the processor's status, whichever comes first."""

import asyncio
from typing import Protocol

import attrs

from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import SHOWN_AFTER, WaitCondition, Waiter
from aiorekostream.client.wait_errors import failure_error
from aiorekostream.domain.fields import Duration
from aiorekostream.domain.responses import StartedSession, StreamProcessorSummary
from aiorekostream.domain.status import Status
from aiorekostream.errors import InvalidRequestError, StreamProcessorFailedError, ValidationIssue

__all__ = ["SessionEvents", "until_finished"]

# Seconds that a notification may take longer than the status. UNCERTAIN: SNS promises no time.
_NOTIFICATION_DELAY = 5.0
_NEVER_STARTED = "The session has not begun, or it was over at once and its notifications were lost: start it again"


class SessionEvents(Protocol):
    """The sessions whose notifications were received; ``results.SessionRouter`` is one."""

    def has_event_of(self, session_id: str) -> bool:
        """Return whether an event of a session was received lately.

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


async def until_finished(
    poller: Poller, session: str | StartedSession, *, events: SessionEvents | None, timeout: Duration | None
) -> StreamProcessorSummary:
    """Wait until a session has finished. See ``Client.wait_until_finished``."""
    if not isinstance(session, StartedSession):
        if events is not None:
            expected = "left out, or given with a StartedSession: a name does not identify a session"
            raise InvalidRequestError([ValidationIssue(("events",), events, expected)])
        return await poller.until(WaitCondition.FINISHED, session, timeout=timeout)
    name, session_id = session.name, session.session_id
    if name is None:
        raise InvalidRequestError([ValidationIssue(("name",), session, "a session that a client has started")])
    if events is None or session_id is None:
        return await poller.until(WaitCondition.FINISHED, name, timeout=timeout)
    deadline = poller.clock.now() + poller.seconds(WaitCondition.FINISHED, timeout)
    return await _NotifiedWait(poller, name, session_id, events, deadline).run()


@attrs.frozen(eq=False, repr=False)
class _NotifiedWait:
    """Wait for one session whose notifications are received.

    A processor at rest alone proves nothing: its status may be that from before the start. The session has begun if
    the processor was seen at work, or if any event of the session came.

    Attributes:
        poller: polls the status.
        name: the processor.
        session_id: the session.
        events: receives the notifications.
        deadline: when the wait is over, on the clock of the poller.
    """

    poller: Poller
    name: str
    session_id: str
    events: SessionEvents
    deadline: float

    async def run(self) -> StreamProcessorSummary:
        """Wait for the notification or the status, whichever is first."""
        notified = asyncio.ensure_future(self.events.completed(self.session_id))
        polled = asyncio.ensure_future(self._polled())
        try:
            await asyncio.wait({notified, polled}, return_when=asyncio.FIRST_COMPLETED)
            if not notified.done():
                return polled.result()
            notified.result()
        finally:
            for task in (notified, polled):
                task.cancel()
            await asyncio.gather(notified, polled, return_exceptions=True)
        return await self._shown()

    async def _polled(self) -> StreamProcessorSummary:
        """Wait until the status shows the end of the session."""
        waiter = await self._rest()
        begun_by = self.poller.clock.now() + _NOTIFICATION_DELAY
        while waiter.starting_since is None and not self.events.has_event_of(self.session_id):
            if self.poller.clock.now() >= begun_by or self._left <= SHOWN_AFTER:
                message = f"it is {waiter.status}, was not seen STARTING, and sent no notification"
                raise StreamProcessorFailedError(name=self.name, status_message=message, hint=_NEVER_STARTED)
            waiter = await self._rest()  # which takes a second for a processor at rest; perhaps it begins late
        return waiter.summary

    async def _rest(self) -> Waiter:
        return await self.poller.wait(WaitCondition.FINISHED, self.name, timeout=self._left)

    @property
    def _left(self) -> float:
        return max(0.0, self.deadline - self.poller.clock.now())

    async def _shown(self) -> StreamProcessorSummary:
        """Poll once after the notification, which does not say whether the session has FAILED."""
        seen = (await self.poller.observe([self.name], timeout=self._left)).get(self.name)
        status = None if seen is None else seen.status
        if seen is not None and status is Status.FAILED:
            raise failure_error(self.name, seen)
        return StreamProcessorSummary(self.name, status or Status.STOPPED)
