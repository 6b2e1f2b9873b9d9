"""Remember which events were acknowledged, so that a second copy of one is not handled again."""

from collections.abc import Collection, Sequence
from typing import Protocol

from aiorekostream.domain.fields import whole_number

__all__ = ["EventIds", "MemoryEventIds"]


class EventIds(Protocol):
    """Store the ids of acknowledged events.

    A consumer looks up the id of an event before it delivers it, and adds it before it deletes the message.

    With a store that outlives the process, or that several hosts share, an acknowledged event is not handled again
    after a crash, nor by another host.
    """

    async def known(self, event_ids: Sequence[str]) -> Collection[str]:
        """Return those of the ids that were added.

        Args:
            event_ids: at most 10 ids.
        """
        ...

    async def add(self, event_ids: Sequence[str]) -> None:
        """Add ids, so that a later ``known`` returns them.

        Args:
            event_ids: at most 10 ids.
        """
        ...


class MemoryEventIds:
    """Remember the latest ids in memory. Consumers of one process may share it.

    Args:
        most: the number of ids that are remembered, at least 1; the oldest are forgotten. About 150 bytes each.

    Raises:
        InvalidRequestError: the number is out of its range.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = whole_number(most, least=1)
        self._ids: dict[str, None] = {}  # in the order of their addition

    async def known(self, event_ids: Sequence[str]) -> Collection[str]:
        """See ``EventIds.known``."""
        return [event_id for event_id in event_ids if event_id in self._ids]

    async def add(self, event_ids: Sequence[str]) -> None:
        """See ``EventIds.add``."""
        for event_id in event_ids:
            self._ids.pop(event_id, None)
            self._ids[event_id] = None
        while len(self._ids) > self._most:
            del self._ids[next(iter(self._ids))]
