"""Tell a fleet by notifications which of its sessions have ended."""

from collections.abc import Callable, Collection, Iterable

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.labels import SessionCompleted, StreamProcessorEvent
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.fleet import SessionEnd
from aiorekostream.fleet.monitor import PolledSessions
from aiorekostream.results.arguments import checked_client
from aiorekostream.results.session_router import SessionRouter

__all__ = ["NotifiedSessions"]


def _router(value: SessionRouter[StreamProcessorEvent]) -> SessionRouter[StreamProcessorEvent]:
    if not isinstance(value, SessionRouter):
        reject(value, "a SessionRouter")
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class _MonitorOptions(Validated):
    client: Client = attrs.field(converter=checked_client)
    router: SessionRouter[StreamProcessorEvent] = attrs.field(converter=_router)


class NotifiedSessions:
    """A ``SessionMonitor`` that reports the ends of sessions by their notifications, and otherwise polls.

    It belongs to one fleet::

        async with (
            SessionRouter(consumer, on_unclaimed=handle) as router,
            Fleet(client, session_monitor=NotifiedSessions(client, router)) as fleet,
        ): ...

    The slot of a session is freed when its ``SessionCompleted`` arrives. The fleet polls a session only if it is
    overdue by its stop selector, if its notification could not be recognized (a face search, or a start that was
    reconciled), or before it shares the session or rejects a request because of it. The router must be entered: it
    receives nothing otherwise. Where no ``Session`` claims the event and the router has no ``on_unclaimed``, the
    ``SessionCompleted`` is acknowledged here. Other events of the fleet's sessions are unclaimed.
    """

    def __init__(self, client: Client, router: SessionRouter[StreamProcessorEvent]) -> None:
        """Set up a monitor; nothing is sent yet.

        Args:
            client: polls; the client of the fleet.
            router: an entered router over the consumer that receives the notifications.

        Raises:
            InvalidRequestError: arguments are no client or no router; all issues at once.
        """
        options = _MonitorOptions(client=client, router=router)
        self._polled = PolledSessions(options.client)
        self._router = options.router.event_router

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        """Poll. See ``SessionMonitor.ended``.

        Args:
            names: the processors.

        Raises:
            WaitTimeoutError: the service showed none of them.
        """
        return await self._polled.ended(names)

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        """Report the end of each session whose notification arrives. See ``NotifyingMonitor.listen``.

        Args:
            on_end: a plain function of an end, which returns whether it was expected.
        """

        def on_completed(event: SessionCompleted) -> bool:
            name = event.processor_name
            if name is None:
                return False
            return on_end(SessionEnd(name, session=StartedSession(event.session_id, name=name)))

        self._router.listen(on_completed)
