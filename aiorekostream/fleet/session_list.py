"""List the sessions of an account, and bring what a fleet and its shared slots know up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorekostream.domain.status import WITHOUT_SESSION
from aiorekostream.errors import ResourceNotFoundError
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slot_sharing import shown_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.client import Client
    from aiorekostream.domain.enums import ProcessorKind
    from aiorekostream.fleet.slot_leases import SharedSession
    from aiorekostream.fleet.slots import SessionSlot
    from aiorekostream.fleet.start_queue import StartQueue

__all__ = ["list_sessions"]


async def list_sessions(client: Client, queue: StartQueue, own: Mapping[str, SessionSlot]) -> None:
    """List the processors, and describe those whose session is not clear.

    Args:
        client: makes the calls.
        queue: has the sessions of the fleet, and the slots that many hosts share.
        own: the sessions of the fleet that a list shows.
    """
    clock, leases = client.pipeline.clock, queue.slots.leases
    shared = None if leases is None else await shown_sessions(leases)
    others = {name: each for name, each in (shared or {}).items() if name not in own}
    # A list does not contain kinds, and may skip a processor: only Describe shows that there is none.
    unclear = dict.fromkeys([*own, *others])
    async for item in client.list_stream_processors():
        if item.status in WITHOUT_SESSION:
            if item.name in unclear:
                del unclear[item.name]
                _record_end(SessionEnd(item.name, item.status), queue, own, others)
        elif (other := others.get(item.name)) is not None:
            unclear.pop(item.name, None)  # a list that changes may show a processor twice
            queue.track_external(item.name, other.kind, clock.now(), other.session)
        else:
            unclear[item.name] = None
    for name in unclear:
        end, kind = await _describe(client, name)
        if end.status is None or end.status in WITHOUT_SESSION:
            _record_end(end, queue, own, others)
        elif kind is not None:
            queue.track_external(name, kind, clock.now())
    if leases is not None:
        leases.confirm_sync()


async def _describe(client: Client, name: str) -> tuple[SessionEnd, ProcessorKind | None]:
    """Describe a processor: the end of its session, if it has ended, and its kind, if there is one."""
    try:
        found = await client.describe_stream_processor(name)
    except ResourceNotFoundError:
        return SessionEnd(name), None
    return SessionEnd(name, found.status, status_message=found.status_message), found.kind


def _record_end(
    end: SessionEnd, queue: StartQueue, own: Mapping[str, SessionSlot], others: Mapping[str, SharedSession]
) -> None:
    if end.name in own:
        queue.session_ended(end, own[end.name])
    elif queue.slots.leases is not None and end.name in others:
        queue.slots.leases.end(others[end.name], end.status)
