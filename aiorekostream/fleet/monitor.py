"""Observe the sessions of a fleet: which have ended, and which exist at the beginning."""

from collections.abc import Collection, Iterable
from typing import Protocol

import attrs

from aiorekostream.client import Client
from aiorekostream.client.poller import OBSERVE_TIMEOUT
from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import WaitTimeoutError
from aiorekostream.fleet.sessions import SessionEnd

__all__ = ["PolledSessions", "SessionMonitor"]


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
