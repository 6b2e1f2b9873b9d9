"""List the sessions of an account, and bring what a fleet and its shared slots know up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.client import Client
from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import ResourceNotFoundError
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slot_leases import SharedSession
from aiorekostream.fleet.slot_sharing import SlotSharing
from aiorekostream.fleet.slots import SessionSlot
from aiorekostream.fleet.start_queue import StartQueue

if TYPE_CHECKING:
    from aiorekostream.domain.enums import ProcessorKind
    from aiorekostream.domain.responses import StartedSession

__all__ = ["list_sessions"]


async def list_sessions(
    client: Client, queue: StartQueue, own: Mapping[str, SessionSlot], sharing: SlotSharing | None
) -> None:
    """List the processors, and describe those whose session is not clear.

    Args:
        client: makes the calls.
        queue: has the sessions of the fleet.
        own: the sessions of the fleet that a list shows.
        sharing: has the sessions of other hosts; ``None`` without shared slots.
    """
    listing = _Listing(client, queue, own, sharing)
    if sharing is not None:
        listing.others = {name: each for name, each in (await sharing.sessions()).items() if name not in own}
    await listing.run()
    if sharing is not None:
        sharing.confirm_sync()


@attrs.define
class _Listing:
    """One sweep over the account; see ``list_sessions``."""

    client: Client
    queue: StartQueue
    own: Mapping[str, SessionSlot]
    sharing: SlotSharing | None
    others: Mapping[str, SharedSession] = attrs.field(factory=dict[str, "SharedSession"], init=False)

    async def run(self) -> None:
        # A list does not contain kinds, and may skip a processor: only Describe shows that there is none.
        unclear = dict.fromkeys([*self.own, *self.others])
        async for item in self.client.list_stream_processors():
            if item.status in WITHOUT_SESSION:
                if item.name in unclear:
                    del unclear[item.name]
                    self._ended(SessionEnd(item.name, item.status))
            elif (other := self.others.get(item.name)) is not None:
                unclear.pop(item.name, None)  # a list that changes may show a processor twice
                self._track(item.name, other.kind, other.session)
            else:
                unclear[item.name] = None
        for name in unclear:
            await self._describe(name)

    async def _describe(self, name: str) -> None:
        end, kind = SessionEnd(name), None
        with contextlib.suppress(ResourceNotFoundError):
            found = await self.client.describe_stream_processor(name)
            end, kind = SessionEnd(name, found.status, status_message=found.status_message), found.kind
        if end.status is None or end.status in WITHOUT_SESSION:
            self._ended(end)
        elif kind is not None:
            self._track(name, kind)

    def _track(self, name: str, kind: ProcessorKind, session: StartedSession | None = None) -> None:
        self.queue.track_external(name, kind, self.client.pipeline.clock.now(), session)

    def _ended(self, end: SessionEnd) -> None:
        if end.name in self.own:
            self.queue.session_ended(end, self.own[end.name])
        elif self.sharing is not None and end.name in self.others:
            self.sharing.end(self.others[end.name], end.status)
