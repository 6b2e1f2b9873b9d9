"""Observe the sessions of a fleet: which have ended, and which exist at the beginning."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, runtime_checkable

import attrs

from aiorekostream.client import Client
from aiorekostream.client.poller import OBSERVE_TIMEOUT
from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import WaitTimeoutError
from aiorekostream.fleet.sessions import SessionEnd

__all__ = ["NotifyingMonitor", "PolledSessions", "SessionMonitor", "ask"]

_log = logging.getLogger("aiorekostream")


# The processors that the error of a failed poll names.
_SHOWN = 3


class SessionMonitor(Protocol):
    """Report which sessions have ended; implement it to learn of ends in another way than by polling."""

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        """Return those of these processors that have no session now; a name stands for an end without details.

        The fleet asks every ``poll_interval`` while a request waits for a session to end, or ``session_ends`` is
        iterated. An exception is logged, and the fleet asks again later.
        """
        ...


@runtime_checkable
class NotifyingMonitor(SessionMonitor, Protocol):
    """A ``SessionMonitor`` that also reports ends as they happen, without polls, such as ``results.NotifiedSessions``.

    The fleet asks ``ended`` only about sessions that are overdue by their stop selector, that have no id, or that a
    request for the same processor waits to know about.
    """

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        """Call a function with the end of each session from now on, on the event loop of the fleet.

        Args:
            on_end: a plain function of an end, whose ``session`` has the id of the session. It returns whether the
                session is the fleet's. Calls with ends of other sessions, and repeated calls, have no effect.
        """
        ...


async def ask(monitor: SessionMonitor, names: Collection[str]) -> list[SessionEnd] | None:
    """Return the sessions that have ended; ``None`` where the monitor has failed."""
    try:
        ended = await monitor.ended(names)
        return [each if isinstance(each, SessionEnd) else SessionEnd(each) for each in ended]
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        failure: BaseException = error  # raised by the monitor itself
    except Exception as error:  # noqa: BLE001 - the monitor may be the user's code; the next poll may succeed
        failure = error
    _log.warning("could not poll for ended sessions: %r", failure)
    return None


@attrs.frozen
class PolledSessions:
    """Poll through the client's poller, which the waits and all fleets of the client share."""

    client: Client

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        """Return the processors that were seen at rest, or not to exist.

        Raises:
            WaitTimeoutError: the service showed none of them.
        """
        seen = await self.client.poller.observe(names)
        if names and not seen:
            some = ", ".join(sorted(names)[:_SHOWN])
            raise WaitTimeoutError(name=some, wanted="observed", status=None, seconds=OBSERVE_TIMEOUT)
        return [
            SessionEnd(name, each.status, status_message=each.message)
            for name, each in seen.items()
            if each.status is None or each.status in WITHOUT_SESSION
        ]
