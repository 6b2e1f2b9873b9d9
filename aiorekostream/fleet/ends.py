"""How a fleet learns that sessions have ended, and which there are to begin with: by listing the processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.status import Status
from aiorekostream.errors import RekostreamError, ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable

    from aiorekostream.domain.enums import ProcessorKind

__all__ = ["AT_REST", "Ends", "ListedEnds", "under_way"]

AT_REST = frozenset({Status.STOPPED, Status.FAILED, Status.UPDATING})
"""The statuses in which a processor has no session."""


class Ends(Protocol):
    """Tells which sessions have ended; give a fleet your own if you hear of ends in another way."""

    async def ended(self, names: Collection[str]) -> Iterable[str]:
        """Those of these processors that have no session under way now.

        It is called when a request waits for a session to end, every few seconds. An exception is written to the log,
        and the fleet asks again later.
        """
        ...


@attrs.frozen
class ListedEnds:
    """One sweep over ListStreamProcessors, up to 1000 processors a page, however many are asked about.

    A list that changes while its pages are read may skip an entry, so those that it does not name are described.
    """

    client: Client

    async def ended(self, names: Collection[str]) -> Iterable[str]:
        """Those that are at rest, and those that are not there."""
        over: set[str] = set()
        unseen = set(names)
        async for processor in self.client.list_stream_processors():
            if processor.name in unseen:
                unseen.discard(processor.name)
                if processor.status in AT_REST:
                    over.add(processor.name)
        for name in unseen:
            if await self._is_over(name):
                over.add(name)
        return over

    async def _is_over(self, name: str) -> bool:
        try:
            return (await self.client.describe_stream_processor(name)).status in AT_REST
        except ResourceNotFoundError:
            return True
        except RekostreamError:
            return False  # so far nothing is known of it


async def under_way(client: Client) -> AsyncIterator[tuple[str, ProcessorKind]]:
    """The processors that have a session under way, with their kinds.

    A list does not tell kinds, so each that is not at rest is described.
    """
    busy = [item.name async for item in client.list_stream_processors() if item.status not in AT_REST]
    for name in busy:
        try:
            found = await client.describe_stream_processor(name)
        except ResourceNotFoundError:
            continue
        if found.kind is not None and found.status not in AT_REST:
            yield name, found.kind
