"""Send starts, and poll for the ends of sessions that they wait for."""

import asyncio
import logging
import math
import weakref

import attrs

from aiorekostream.client import reconcile
from aiorekostream.client.wait_conditions import SHOWN_AFTER
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.responses import StreamProcessor
from aiorekostream.domain.status import WITHOUT_SESSION, Status
from aiorekostream.errors import LimitExceededError, RekostreamError, ResourceInUseError, ServiceQuotaExceededError
from aiorekostream.fleet.events import FleetEventType
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.monitor import NotifiedEnds, PolledSessions, ask
from aiorekostream.fleet.options import FleetOptions
from aiorekostream.fleet.outcomes import AlreadyRunning, Outcome, Started, Unknown
from aiorekostream.fleet.sessions import SessionEnd, SessionEnds, SessionSnapshot, snapshot
from aiorekostream.fleet.slot_sharing import SlotSharing
from aiorekostream.fleet.slots import SessionSlot, SessionSlots
from aiorekostream.fleet.start_queue import QueuedStart, StartQueue
from aiorekostream.operations import START
from aiorekostream.rate_limiting.port import Permit

__all__ = ["Starter"]

_log = logging.getLogger("aiorekostream")


class Starter(Executor[StartRequest]):
    """Carry out starts for all runs of a fleet."""

    def __init__(self, options: FleetOptions) -> None:
        slots = SessionSlots(retry_interval=options.poll_interval)
        self.queue: StartQueue = StartQueue(
            slots,
            when_busy=options.when_busy,
            longest=options.client.pipeline.limits.max_duration_in_seconds,
            poll_interval=options.poll_interval,
            on_session_end=self._on_session_end,
        )
        super().__init__(options, START.name, self.queue, slots)
        monitor = options.session_monitor
        if monitor is None:
            monitor = PolledSessions(options.client)
        self._notified = NotifiedEnds(monitor=monitor, slots=slots, session_ended=self.session_ended)
        self._sharing = SlotSharing(
            shared=options.slots,
            pipeline=self._pipeline,
            queue=self.queue,
            on_change=self._changed,
            fail=self._on_failure,
        )
        self._poll: asyncio.Task[None] | None = None
        self._polled_at = self._seen_at = self._synced_at = -math.inf
        self._iterators: weakref.WeakSet[SessionEnds] = weakref.WeakSet()
        self._reports: set[asyncio.Task[StreamProcessor | None]] = set()

    async def _call(self, request: QueuedStart, permit: Permit | None) -> Outcome | None:
        if self.slots.leases is not None and not await self._sharing.reserve(request, permit):
            return None
        start = request.request
        session = await reconcile.call(self._pipeline, START, start, permit=permit, trace=request.trace)
        return Started(start, session)

    def _outcome_of(self, request: QueuedStart, error: RekostreamError) -> Outcome:
        if isinstance(error, ResourceInUseError):
            return AlreadyRunning(request.request)
        outcome = super()._outcome_of(request, error)
        if request.stopped and request.trace.lost and not isinstance(outcome, Unknown):
            # A processor at rest proves nothing: the stop may have ended the session that this start began.
            reason = f"the response was lost ({error}), and the processor was stopped meanwhile"
            return self._unknown(request, request.trace, reason)
        return outcome

    def _goes_back(self, request: QueuedStart, error: RekostreamError, permit: Permit | None) -> bool:
        # UNCERTAIN: AWS documents the limit on sessions and not how a start is refused for it. Neither code is modelled
        # for StartStreamProcessor, and no other limit stands in its way.
        if isinstance(error, LimitExceededError | ServiceQuotaExceededError) and not request.trace.lost:
            running, limit = self.slots.count(request.kind) - 1, self.slots.limits.get(request.kind)  # without its own
            extra = {"operation": START.name, "processor": request.name, "running": running, "limit": limit}
            message = "%s waits for a session to end: its start was refused (%s: %s); known sessions: %d, limit: %s"
            _log.info(message, request.name, error.code, error.message, running, limit or "not known", extra=extra)
            self.queue.reject_for_capacity(request, self._pipeline.clock.now())
            return True
        return super()._goes_back(request, error, permit)

    def _on_complete(self, request: QueuedStart, outcome: Outcome) -> None:
        super()._on_complete(request, outcome)
        if self._notified.early:
            self._notified.start_completed(request.name)

    # --------------------------------------------------------------------------------------------------------- sessions

    def on_open(self) -> None:
        """Apply the limits of the Region, once the client is open. A client never changes its Region."""
        if not self.slots.limits:
            self._sharing.open()

    def mark_stopping(self, name: str, slot: SessionSlot | None) -> None:
        """See ``StartQueue.mark_stopping``."""
        self.queue.mark_stopping(name, self._pipeline.clock.now(), slot)
        self._changed()

    def session_ended(self, end: SessionEnd, slot: SessionSlot | None) -> None:
        """Record that a processor was seen at rest, which had this slot when that was asked."""
        if slot is not None and slot.since <= self._pipeline.clock.now():
            self.queue.session_ended(end, slot)
            self._changed()

    async def observe(
        self, name: str, kind: ProcessorKind | None, *, shown_after: float = SHOWN_AFTER
    ) -> Status | None:
        """Poll a processor, and record what that shows of its session.

        Args:
            name: the processor.
            kind: its kind, to count a session of another client; ``None`` to count none.
            shown_after: seconds for which a poll may not show a start.

        Returns:
            Its status; ``None`` where that is not known: the service does not show it in time, there is no such
            processor, or the poll may be older than a start.
        """
        slot, asked_at = self.slots.get(name), self._pipeline.clock.now()
        seen = (await self.client.poller.observe([name])).get(name)
        if seen is None:
            return None
        if seen.status is None or seen.status in WITHOUT_SESSION:
            present = self.slots.get(name)
            if present is not None and (present is not slot or present.since >= asked_at - shown_after):
                return None
            self.session_ended(SessionEnd(name, seen.status, status_message=seen.message), slot)
        elif kind is not None:
            self.queue.track_external(name, kind, self._pipeline.clock.now())
            self._changed()
        return seen.status

    def session_ends(self) -> SessionEnds:
        """See ``Fleet.session_ends``."""
        ends = SessionEnds(self._changed)
        self._iterators.add(ends)
        self._changed()
        return ends

    def snapshot(self) -> SessionSnapshot:
        """See ``Fleet.sessions``."""
        clock = self._pipeline.clock
        self.queue.advance(clock.now())  # sessions may have ended since the last change
        self._changed()
        return snapshot(self.slots, clock.now(), clock.wall(), self._seen_at)

    async def sync(self) -> None:
        """See ``Fleet.sync_sessions``."""
        clock, queue = self._pipeline.clock, self.queue
        if self._options.slots is not None:
            await self._pipeline.open()
            self.on_open()
        queue.advance(began := clock.now())  # sessions may have ended since the last poll
        await self._sharing.list_sessions(self.client, self._asked())
        self._seen_at, self._polled_at = began, clock.now()
        queue.mark_polled(began, self._polled_at)
        self._changed()

    async def end_polls(self) -> None:
        """Stop polling, and end the iterations of ``session_ends`` after what was seen."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in (self._poll, *self._reports) if task is not None and task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            self._close_iterators()

    def _close_iterators(self, failure: Exception | None = None) -> None:
        for ends in tuple(self._iterators):
            ends.close(failure)
        self._iterators.clear()
        self._changed()

    # ------------------------------------------------------------------------------------------------------------ polls

    def _asked(self) -> dict[str, SessionSlot]:
        return self.slots.begun_before(self._pipeline.clock.now() - SHOWN_AFTER)

    async def _poll_sessions(self) -> None:
        if (failure := await self.client.poller.failure()) is not None:
            self._poll = None
            self._on_failure(failure)
            self._close_iterators(failure)
            return
        is_listed = False
        if self._sharing.needs_sync:
            self._synced_at = self._pipeline.clock.now()
            is_listed = await self._sharing.sync(self.sync)
        if not is_listed:
            await self._poll_ends()
        self._poll = None
        self._changed()

    async def _poll_ends(self) -> None:
        begun, began = self._asked(), self._pipeline.clock.now()
        asked = self._notified.unreported(begun, self.queue.unpolled, began)
        others = await self._sharing.others(sweep=self._options.poll_interval)
        if others is None and not self._polls_own:
            self._polled_at = self._pipeline.clock.now()  # another host polls
            return
        others = others or {}
        names = asked.keys() | others.keys()
        ended = await ask(self._notified.monitor, names, self._pipeline.clock) if names else ()
        now = self._polled_at = self._pipeline.clock.now()
        if ended is None:
            self.queue.mark_poll_failed(now)
            return
        self._seen_at = began if asked else self._seen_at
        for end in ended:
            self._sharing.record_end(end, asked, others)
        self.queue.mark_polled(began if len(asked) == len(begun) else -math.inf, now)

    def _on_session_end(self, end: SessionEnd) -> None:
        if end.status is not Status.FAILED or end.status_message is not None:
            self._report(end)
            return

        def on_described(task: asyncio.Task[StreamProcessor | None]) -> None:
            self._reports.discard(task)
            found = None if task.cancelled() else task.result()
            is_the_same = found is not None and found.status is Status.FAILED
            self._report(attrs.evolve(end, status_message=found.status_message) if found and is_the_same else end)

        # A list has no StatusMessage. The callback reports the end: it is called after a cancellation, too.
        describing = asyncio.get_running_loop().create_task(self._describe(end.name), name="aiorekostream describes")
        self._reports.add(describing)
        describing.add_done_callback(on_described)

    def _report(self, end: SessionEnd) -> None:
        if end.status is Status.FAILED:
            extra = {"processor": end.name, "status_message": end.status_message}
            _log.warning("the session of %s is FAILED: %s", end.name, end.status_message or "no reason", extra=extra)
        for ends in tuple(self._iterators):
            ends.add(end)
        self.notify(FleetEventType.SESSION_ENDED, end.name, session_end=end)

    # ------------------------------------------------------------------------------------------------------------- time

    @property
    def _is_awaited(self) -> bool:
        """Whether the end of a session matters although no request is pending."""
        return len(self._iterators) > 0 and len(self.slots) > 0

    @property
    def _next_moment(self) -> float:
        if not self.queue.pending and not self._is_awaited:
            return math.inf
        return min(self.queue.next_moment, self._next_poll)

    @property
    def _polls_own(self) -> bool:
        """Whether the fleet's own sessions are to be polled, whichever host polls for the shared slots."""
        is_watched = self._options.on_event is not None and self.queue.pending > 0 and len(self.slots) > 0
        return self.queue.waits_for_own_session or is_watched or self._is_awaited

    @property
    def _next_poll(self) -> float:
        if self._poll is not None and not self._poll.done():
            return math.inf
        if self.slots.leases is not None and self.queue.pending and self._sharing.needs_sync:
            return self._synced_at + self._options.poll_interval
        wanted = self.queue.waits_for_session_end or self._polls_own
        return self._polled_at + self._options.poll_interval if wanted else math.inf

    def _update(self) -> None:
        if self.slots.leases is not None:
            self._sharing.update()
        if self._poll is not None and self._poll.get_loop() is not self._loop:
            self._poll = None
        if self._poll is not None and not self.queue.pending and not self._is_awaited:
            self._poll.cancel()
            self._poll = None
        super()._update()

    def _advance(self, now: float) -> None:
        super()._advance(now)
        if self._next_poll <= now:
            self._poll = asyncio.get_running_loop().create_task(self._poll_sessions(), name="aiorekostream polls")
