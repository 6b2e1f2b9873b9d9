"""Starts, and the polls for ended sessions that they wait for."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from aiorekostream.client import reconcile
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import (
    LimitExceededError,
    RekostreamError,
    ResourceInUseError,
    ServiceQuotaExceededError,
)
from aiorekostream.fleet.events import FleetEventType
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.outcomes import AlreadyRunning, Outcome, Started, Unknown
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.fleet.start_queue import QueuedStart, StartQueue
from aiorekostream.operations import START

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiorekostream.fleet.monitor import SessionMonitor
    from aiorekostream.fleet.options import FleetOptions
    from aiorekostream.fleet.slots import SessionSlot
    from aiorekostream.rate_limiting.port import Permit

__all__ = ["Starter"]

_log = logging.getLogger("aiorekostream")

# A start that was just answered may still be listed as STOPPED, in seconds. UNCERTAIN: AWS does not say how long.
_SHOWN_AFTER = 1.0


class Starter(Executor[StartRequest]):
    """Carry out starts for all runs of a fleet."""

    def __init__(self, options: FleetOptions, monitor: SessionMonitor) -> None:
        self.slots = SessionSlots(retry_interval=options.poll_interval)
        self.queue = StartQueue(
            self.slots,
            when_busy=options.when_busy,
            longest=options.client.pipeline.limits.max_duration_in_seconds,
            poll_interval=options.poll_interval,
            on_session_end=lambda name: self.notify(FleetEventType.SESSION_ENDED, name),
        )
        super().__init__(options, START.name, self.queue, self.slots)
        self._monitor = monitor
        self._region: str | None = None
        self._poll: asyncio.Task[None] | None = None
        self._polled_at = -math.inf

    async def _call(self, request: QueuedStart, permit: Permit | None) -> Outcome:
        start = request.request
        session = await reconcile.start(
            self._pipeline, start, permit=permit, trace=request.trace, retries_throttled=False
        )
        return Started(start, session)

    def _outcome_of(self, request: QueuedStart, error: RekostreamError) -> Outcome:
        if isinstance(error, ResourceInUseError):
            return AlreadyRunning(request.request)
        outcome = super()._outcome_of(request, error)
        if request.stopped and request.trace.lost and not isinstance(outcome, Unknown):
            # A processor at rest proves nothing: the stop may have ended the session that this start began.
            reason = f"the response was lost ({error}), and the processor was stopped meanwhile"
            return Unknown(request.request, self._unknown_error(request, reason))
        return outcome

    def _goes_back(self, request: QueuedStart, error: RekostreamError, permit: Permit | None) -> bool:
        # UNCERTAIN: AWS documents the limit on sessions and not how a start is refused for it. Neither code is modelled
        # for StartStreamProcessor, and no other limit stands in its way.
        if isinstance(error, LimitExceededError | ServiceQuotaExceededError) and not request.trace.lost:
            self.queue.reject_for_capacity(request, self._pipeline.clock.now())
            return True
        return super()._goes_back(request, error, permit)

    # --------------------------------------------------------------------------------------------------------- sessions

    def _on_open(self) -> None:
        limits, region = self._pipeline.limits, self._pipeline.transport.region or ""
        if region == self._region:
            return
        self._region = region
        by_kind = {
            ProcessorKind.FACE_SEARCH: limits.concurrent_face_search,
            ProcessorKind.LABEL_DETECTION: limits.concurrent_label_detection,
        }
        self.slots.limits = {kind: by_region[region] for kind, by_region in by_kind.items() if region in by_region}

    def mark_stopping(self, name: str, slot: SessionSlot | None) -> None:
        """See ``StartQueue.mark_stopping``."""
        self.queue.mark_stopping(name, self._pipeline.clock.now(), slot)
        self._changed()

    def session_ended(self, name: str, slot: SessionSlot | None) -> None:
        """Record that a processor was seen at rest, which had this slot when that was asked."""
        if slot is not None and slot.since <= self._pipeline.clock.now():
            self.queue.session_ended(name, slot)
            self._changed()

    async def _poll_sessions(self) -> None:
        asked = self.slots.begun_before(self._pipeline.clock.now() - _SHOWN_AFTER)
        ended = await self._ended(asked.keys()) if asked else set[str]()
        now = self._polled_at = self._pipeline.clock.now()
        if ended is None:
            self.queue.mark_poll_failed(now)
        else:
            for name in ended & asked.keys():
                self.queue.session_ended(name, asked[name])
            self.queue.mark_polled(now)
        self._poll = None
        self._changed()

    async def _ended(self, names: Collection[str]) -> set[str] | None:
        """The processors whose sessions have ended; ``None`` where the monitor has failed."""
        try:
            return set(await self._monitor.ended(names))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            failure: BaseException = error  # raised by the monitor itself
        except Exception as error:  # noqa: BLE001 - the monitor may be the user's code; the next poll may succeed
            failure = error
        _log.warning("could not poll for ended sessions: %r", failure)
        return None

    # ------------------------------------------------------------------------------------------------------------- time

    @property
    def _next_moment(self) -> float:
        return min(super()._next_moment, self._next_poll)

    @property
    def _next_poll(self) -> float:
        if not self.queue.pending or (self._poll is not None and not self._poll.done()):
            return math.inf
        is_watched = self._options.on_event is not None and len(self.slots) > 0
        wanted = self.queue.waits_for_session_end or is_watched
        return self._polled_at + self._options.poll_interval if wanted else math.inf

    def _update(self) -> None:
        if self._poll is not None and (not self.queue.pending or self._poll.get_loop() is not self._loop):
            if self._poll.get_loop() is self._loop:
                self._poll.cancel()
            self._poll = None
        super()._update()

    def _advance(self, now: float) -> None:
        super()._advance(now)
        if self._next_poll <= now:
            self._poll = asyncio.get_running_loop().create_task(self._poll_sessions(), name="aiorekostream polls")
