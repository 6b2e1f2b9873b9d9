"""Observe the sessions of a fleet: which have ended, and which exist at the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.client import Client
from aiorekostream.client.poller import OBSERVE_TIMEOUT
from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import ResourceNotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable

    from aiorekostream.domain.enums import ProcessorKind

__all__ = ["PolledSessions", "SessionMonitor", "active_sessions"]


# The processors that the error of a failed poll names.
_SHOWN = 3


class SessionMonitor(Protocol):
    """Report which sessions have ended; implement it to learn of ends in another way than by polling."""

    async def ended(self, names: Collection[str]) -> Iterable[str]:
        """Return those of these processors that have no session now.

        The fleet asks every ``poll_interval`` while a request waits for a session to end. An exception is logged, and
        the fleet asks again later.
        """
        ...


@attrs.frozen
class PolledSessions:
    """Poll through the client's poller, which the waits and all fleets of the client share."""

    client: Client

    async def ended(self, names: Collection[str]) -> Iterable[str]:
        """Return the processors that were seen at rest, or not to exist.

        Raises:
            WaitTimeoutError: the service showed none of them.
        """
        seen = await self.client.poller.observe(names)
        if names and not seen:
            some = ", ".join(sorted(names)[:_SHOWN])
            raise WaitTimeoutError(name=some, wanted="observed", status=None, seconds=OBSERVE_TIMEOUT)
        return [name for name, each in seen.items() if each.status is None or each.status in WITHOUT_SESSION]


async def active_sessions(client: Client) -> AsyncIterator[tuple[str, ProcessorKind]]:
    """List the processors that have a session under way, with their kinds.

    A list does not contain kinds, so each of them is described.
    """
    busy = [item.name async for item in client.list_stream_processors() if item.status not in WITHOUT_SESSION]
    for name in busy:
        try:
            found = await client.describe_stream_processor(name)
        except ResourceNotFoundError:
            continue
        if found.kind is not None and found.status not in WITHOUT_SESSION:
            yield name, found.kind
