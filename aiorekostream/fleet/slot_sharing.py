"""Bring the sessions that a fleet knows together with those of the account and of the hosts that share its slots."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import attrs

from aiorekostream.client import Client
from aiorekostream.client.wait_conditions import SHOWN_AFTER
from aiorekostream.clock import Clock
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import WITHOUT_SESSION, Status
from aiorekostream.errors import ResourceNotFoundError
from aiorekostream.fleet.guarded_leases import GuardedLeases
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slot_leases import Reservation, SharedSession, SlotLeases, SlotListener
from aiorekostream.fleet.slots import MARGIN, MAX_PROCESSORS, SessionSlot, limits_of_region
from aiorekostream.fleet.start_queue import QueuedStart, StartQueue, longest_session
from aiorekostream.limits import Scope
from aiorekostream.operations import START
from aiorekostream.pipeline import Pipeline, cancel_permit
from aiorekostream.rate_limiting.port import Permit

__all__ = ["SharedSessionSlots", "SlotSharing"]

_log = logging.getLogger("aiorekostream")

# Seconds. A fleet leases the slots that it can use within this time at the rate of the quota, and one at least.
_LEASE_SECONDS = 0.3
# The slots that a fleet leases at once where nothing limits the rate.
_UNLIMITED_BATCH = 20
# Seconds until a start is tried again whose processor another host is starting.
_BUSY_PAUSE = 0.5
# Seconds for which one host has to list the sessions of the account before another one may begin as well. With 200
# sessions at ten DescribeStreamProcessor a second it takes 20 seconds.
_SYNC_SECONDS = 30.0


class SharedSessionSlots(Protocol):
    """Share session slots among the fleets of many hosts; implement it to share them in another way."""

    def open(
        self, scope: Scope, *, limits: Mapping[ProcessorKind, int], clock: Clock, listener: SlotListener
    ) -> SlotLeases:
        """Return the slots of one account and Region for one fleet; nothing is sent yet.

        Args:
            scope: the endpoint, Region and account.
            limits: the most sessions at once, by kind.
            clock: the client's clock.
            listener: the fleet; its methods are called on the event loop of the call that caused them.
        """
        ...


@attrs.define(eq=False, kw_only=True)
class SlotSharing:
    """Lease shared slots for the starts of a fleet, and report the sessions of other hosts to the fleet.

    Attributes:
        shared: the slots that many hosts share; ``None`` where this fleet alone counts the sessions.
        pipeline: has the scope, the clock and the timeout of a call.
        queue: the starts, and the sessions that the fleet knows.
        on_change: see ``SlotListener``.
        fail: ends the queued requests with an error.
    """

    shared: SharedSessionSlots | None
    pipeline: Pipeline
    queue: StartQueue
    on_change: Callable[[], None]
    fail: Callable[[BaseException], None]
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False)

    def on_end(self, name: str, status: Status | None) -> None:
        """See ``SlotListener``."""
        slot = self.queue.slots.get(name)
        if slot is not None and math.isfinite(slot.since):
            self.queue.session_ended(SessionEnd(name, status), slot)
            self.on_change()

    def on_mistake(self, error: Exception) -> None:
        """See ``SlotListener``."""
        self.fail(error)

    # ----------------------------------------------------------------------------------------------------------- leases

    def open(self) -> None:
        """Apply the limits of the Region, or share the slots of the account and Region from the running event loop."""
        pipeline, slots, loop = self.pipeline, self.queue.slots, asyncio.get_running_loop()
        limits = limits_of_region(pipeline.limits, pipeline.transport.region or "")
        if self.shared is None:
            slots.limits = limits
        elif loop is not self._loop:
            self._loop = loop
            most = {kind: limits.get(kind, MAX_PROCESSORS) for kind in ProcessorKind}
            leases = self.shared.open(pipeline.transport.scope, limits=most, clock=pipeline.clock, listener=self)
            guarded = GuardedLeases(
                leases=leases,
                clock=pipeline.clock,
                timeout=pipeline.total_timeout,
                on_failure=self._on_failure,
            )
            slots.share(guarded, pipeline.clock.now())
            self.on_change()

    def update(self) -> None:
        """Lease the slots that the queue wants."""
        leases = self.queue.slots.leases
        if leases is not None and asyncio.get_running_loop() is self._loop:
            quota = self.pipeline.quota(START.name)
            batch = _UNLIMITED_BATCH if quota is None else math.ceil(quota.rate * _LEASE_SECONDS)
            leases.request({kind: min(count, batch) for kind, count in self.queue.wanted_slots().items()})

    def _on_failure(self, error: BaseException) -> None:
        # Only while requests wait for a slot: ending them asks the slots again.
        if self.queue.wanted_slots():
            self.fail(error)
        else:
            _log.warning("the shared slots failed: %r", error)

    async def reserve(self, request: QueuedStart, permit: Permit | None) -> bool:
        """Reserve the slot of a dispatched start; one that gets none is put back in the queue, and its permit too."""
        leases, kind = self.queue.slots.leases, request.kind
        if leases is None or kind is None:
            return True
        is_reserved, delay = False, 0.0
        seconds, session = self.pipeline.total_timeout, longest_session(request.request) + MARGIN
        try:
            result = await leases.reserve(request.name, kind, call=seconds, session=session)
            is_reserved = result is Reservation.RESERVED and request.deadline > self.pipeline.clock.now()
            delay = _BUSY_PAUSE if result is Reservation.BUSY else 0.0
        except Exception:  # noqa: BLE001 - the slots may be the user's code, and every request must get an outcome
            _log.exception("reserving the slot of %s failed in an unexpected way", request.name)
            delay = _BUSY_PAUSE
        finally:
            if not is_reserved:
                cancel_permit(permit, START.name)
        if not is_reserved:
            self.queue.requeue(request, self.pipeline.clock.now(), delay=delay)
        return is_reserved

    # --------------------------------------------------------------------------------------------------------- sessions

    @property
    def needs_sync(self) -> bool:
        """Whether the sessions of the account must be listed before a slot is leased."""
        leases = self.queue.slots.leases
        return leases is not None and leases.needs_sync

    async def sync(self, sync_sessions: Callable[[], Awaitable[None]]) -> bool:
        """List the sessions of the account for all hosts; false if another host does, or it failed."""
        leases = self.queue.slots.leases
        try:
            if leases is None or await leases.sessions(sweep=_SYNC_SECONDS) is None:
                return False
            await sync_sessions()
        except Exception as error:  # noqa: BLE001 - the transport may be the user's code; the next attempt may succeed
            _log.warning("could not list the sessions of the account, which the shared slots wait for: %r", error)
            return False
        return True

    async def others(self, *, sweep: float = 0.0) -> dict[str, SharedSession] | None:
        """Return the sessions that other hosts alone know, by processor, less those that polls may not show yet.

        Args:
            sweep: see ``SlotLeases.sessions``.

        Returns:
            The sessions; ``None`` if another host polls.
        """
        slots = self.queue.slots
        if slots.leases is None:
            return {}
        if (sessions := await slots.leases.sessions(sweep=sweep)) is None:
            return None
        return {
            each.name: each
            for each in sessions
            if not each.is_reserved and each.age >= SHOWN_AFTER and each.name not in slots
        }

    async def list_sessions(self, client: Client, own: Mapping[str, SessionSlot]) -> None:
        """List the processors, and describe those whose session is not clear.

        Args:
            client: makes the calls.
            own: the sessions of the fleet that a list shows.
        """
        clock, queue = self.pipeline.clock, self.queue
        others = await self.others() or {}
        # A list does not contain kinds, and may skip a processor: only Describe shows that there is none.
        unclear = dict.fromkeys([*own, *others])
        async for item in client.list_stream_processors():
            if item.status in WITHOUT_SESSION:
                if item.name in unclear:
                    del unclear[item.name]
                    self.record_end(SessionEnd(item.name, item.status), own, others)
            elif (other := others.get(item.name)) is not None:
                unclear.pop(item.name, None)  # a list that changes may show a processor twice
                queue.track_external(item.name, other.kind, clock.now(), other.session)
            else:
                unclear[item.name] = None
        for name in unclear:
            end, kind = await _describe(client, name)
            if end.status is None or end.status in WITHOUT_SESSION:
                self.record_end(end, own, others)
            elif kind is not None:
                queue.track_external(name, kind, clock.now())
        if queue.slots.leases is not None:
            queue.slots.leases.confirm_sync()

    def record_end(self, end: SessionEnd, own: Mapping[str, SessionSlot], others: Mapping[str, SharedSession]) -> None:
        """Record an end that a poll has shown, for the fleet's own session or for that of another client or host.

        Args:
            end: the end.
            own: the polled sessions of the fleet.
            others: the polled sessions of other hosts.
        """
        leases = self.queue.slots.leases
        if end.name in own:
            self.queue.session_ended(end, own[end.name])
        elif leases is not None and end.name in others:
            leases.end(others[end.name], end.status)


async def _describe(client: Client, name: str) -> tuple[SessionEnd, ProcessorKind | None]:
    """Describe a processor: the end of its session, if it has ended, and its kind, if there is one."""
    try:
        found = await client.describe_stream_processor(name)
    except ResourceNotFoundError:
        return SessionEnd(name), None
    return SessionEnd(name, found.status, status_message=found.status_message), found.kind
