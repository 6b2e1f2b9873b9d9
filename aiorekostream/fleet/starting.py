"""Starts: the queue, the scheduler and the calls, and the polls for ended sessions that they wait for."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

from aiorekostream.client import reconcile
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.errors import (
    CallError,
    LimitExceededError,
    RekostreamError,
    RequestCancelledError,
    ResourceInUseError,
    ServiceQuotaExceededError,
)
from aiorekostream.fleet.calls import (
    after_unexpected_error,
    failure_of,
    log_failure,
    most_in_flight,
    throttle_delay,
    unknown_error,
)
from aiorekostream.fleet.events import FleetEvent, FleetEventType, notify
from aiorekostream.fleet.outcomes import AlreadyRunning, Failed, Started, StartOutcome, Unknown
from aiorekostream.fleet.queue import QueuedRequest, RequestState, StartQueue
from aiorekostream.fleet.scheduler import Scheduler
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.operations import START
from aiorekostream.retry.classify import is_throttling

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiorekostream.clock import TimerHandle
    from aiorekostream.fleet.monitor import SessionMonitor
    from aiorekostream.fleet.options import FleetOptions
    from aiorekostream.fleet.outcomes import Outcome
    from aiorekostream.fleet.slots import SessionSlot
    from aiorekostream.pipeline import CallEvent
    from aiorekostream.rate_limiting.port import Permit

__all__ = ["Starter"]

_log = logging.getLogger("aiorekostream")

# A start that was just answered may still be listed as STOPPED, in seconds. UNCERTAIN: AWS does not say how long.
_SHOWN_AFTER = 1.0


class Starter:
    """Carry out starts for all runs of a fleet."""

    def __init__(self, options: FleetOptions, monitor: SessionMonitor) -> None:
        pipeline = options.client.pipeline
        self._pipeline = pipeline
        self._options = options
        self._monitor = monitor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None
        self._timer_at = math.inf
        self._poll: asyncio.Task[None] | None = None
        self._polled_at = -math.inf
        self.queue: StartQueue = StartQueue(
            SessionSlots(retry_interval=options.poll_interval),
            when_busy=options.when_busy,
            longest=pipeline.limits.max_duration_in_seconds,
            poll_interval=options.poll_interval,
            on_complete=self._on_complete,
            on_session_end=lambda name: self.notify(FleetEventType.SESSION_ENDED, name),
        )
        self._scheduler: Scheduler[QueuedRequest] = Scheduler(
            pipeline=pipeline,
            operation=START.name,
            queue=self.queue,
            send=self._send,
            abort=self.abort,
            on_open=self._set_limits,
            on_failure=self._on_failure,
            max_in_flight=options.max_in_flight or most_in_flight(pipeline, START.name),
        )

    # --------------------------------------------------------------------------------------------------------- requests

    def add(self, request: QueuedRequest) -> None:
        """Take a request; its callback gets its outcome."""
        if self._options.on_event is not None:
            request.trace.on_event = lambda event: self._on_call_event(event, request.name)
        self.queue.add(request, self._pipeline.clock.now())
        if request.state is not RequestState.COMPLETED:
            self.notify(FleetEventType.QUEUED, request.name)
        self.update()

    def cancel(self, request: QueuedRequest) -> None:
        """Cancel a request. A call that was sent gets its true outcome; one that was not is interrupted."""
        self.queue.cancel(request)
        if request.state is RequestState.DISPATCHED and not request.trace.may_be_applied:
            self.abort(request)
        self.update()

    def abort(self, request: QueuedRequest) -> None:
        """Give a request an outcome now, whatever its call is doing."""
        if request.state is RequestState.DISPATCHED:
            self._scheduler.abandon(request)
            outcome: StartOutcome = (
                Unknown(request.request, unknown_error(self._pipeline, START.name, request.trace))
                if request.trace.may_be_applied
                else Failed(request.request, RequestCancelledError(name=request.name))
            )
            self.queue.complete(request, outcome, self._pipeline.clock.now())
        else:
            self.queue.cancel(request)
        self.update()

    async def aclose(self) -> None:
        """Cancel every request, and wait for the outcomes of those in flight."""
        for request in self.queue.requests():
            self.cancel(request)
        await self._scheduler.join()

    async def _send(self, request: QueuedRequest, permit: Permit | None) -> None:
        try:
            outcome = await self._call(request, permit)
        except asyncio.CancelledError:
            if request.state is RequestState.DISPATCHED:  # by a program that cancels every task
                self.abort(request)
            raise
        if outcome is not None and request.state is RequestState.DISPATCHED:
            self.queue.complete(request, outcome, self._pipeline.clock.now())
        self.update()

    async def _call(self, request: QueuedRequest, permit: Permit | None) -> StartOutcome | None:
        """Make the call of a request; ``None`` where the request went back to the queue."""
        start, trace = request.request, request.trace
        try:
            session = await reconcile.start(self._pipeline, start, permit=permit, trace=trace, retries_throttled=False)
        except RekostreamError as error:
            if request.state is RequestState.DISPATCHED and self._goes_back(request, error, permit):
                return None
            return self._outcome_of(request, error)
        except Exception as error:  # noqa: BLE001 - an error in one call must not harm the other requests
            _log.exception("the start of %s failed in an unexpected way", request.name)
            return after_unexpected_error(self._pipeline, START.name, start, trace, error)
        return Started(start, session)

    def _outcome_of(self, request: QueuedRequest, error: RekostreamError) -> StartOutcome:
        """The outcome of a start whose call has failed for good."""
        if isinstance(error, ResourceInUseError):
            return AlreadyRunning(request.request)
        if isinstance(error, CallError) and not error.retry_safe:
            return Unknown(request.request, error)
        if request.stopped and request.trace.lost:
            # A processor at rest proves nothing: the stop may have ended the session that this start began.
            reason = f"the response was lost ({error}), and the processor was stopped meanwhile"
            return Unknown(request.request, unknown_error(self._pipeline, START.name, request.trace, reason))
        return Failed(request.request, error)

    def _goes_back(self, request: QueuedRequest, error: RekostreamError, permit: Permit | None) -> bool:
        """Put a start that was certainly not applied back in the queue, where that may help."""
        now = self._pipeline.clock.now()
        if request.trace.lost:
            return False
        # UNCERTAIN: AWS documents the limit on sessions and not how a start is refused for it. Neither code is modelled
        # for StartStreamProcessor, and no other limit stands in its way.
        if isinstance(error, LimitExceededError | ServiceQuotaExceededError):
            self.queue.reject_for_capacity(request, now)
            return True
        if is_throttling(error) and request.trace.attempts < self._pipeline.retry.max_attempts:
            delay = throttle_delay(self._pipeline, error, request.trace, is_limited=permit is not None)
            self.queue.requeue(request, now, delay=delay)
            if request.state is not RequestState.COMPLETED:
                self.notify(FleetEventType.RETRIED, request.name)
            return True
        return False

    def _on_complete(self, request: QueuedRequest, outcome: StartOutcome) -> None:
        kind = FleetEventType.STARTED if isinstance(outcome, Started) else FleetEventType.COMPLETED
        self.notify(kind, request.name, outcome)

    def _on_failure(self, error: BaseException) -> None:
        """End the requests that wait when none can be dispatched."""
        log_failure(error)
        self.queue.fail_queued(lambda request: failure_of(error, request.name))
        self.update()

    # --------------------------------------------------------------------------------------------------------- sessions

    def _set_limits(self) -> None:
        limits, region = self._pipeline.limits, self._pipeline.transport.region or ""
        by_kind = {
            ProcessorKind.FACE_SEARCH: limits.concurrent_face_search,
            ProcessorKind.LABEL_DETECTION: limits.concurrent_label_detection,
        }
        self.queue.slots.limits = {
            kind: by_region[region] for kind, by_region in by_kind.items() if region in by_region
        }

    def mark_stopping(self, name: str, slot: SessionSlot | None) -> None:
        """See ``StartQueue.mark_stopping``."""
        self.queue.mark_stopping(name, self._pipeline.clock.now(), slot)
        self.update()

    def session_ended(self, name: str, slot: SessionSlot | None) -> None:
        """Record that a processor was seen at rest, which had this slot when that was asked."""
        if slot is not None and slot.since <= self._pipeline.clock.now():
            self.queue.session_ended(name, slot)
            self.update()

    async def _poll_sessions(self) -> None:
        asked = self.queue.slots.begun_before(self._pipeline.clock.now() - _SHOWN_AFTER)
        ended = await self._ended(asked.keys()) if asked else set[str]()
        now = self._polled_at = self._pipeline.clock.now()
        if ended is None:
            self.queue.mark_poll_failed(now)
        else:
            for name in ended & asked.keys():
                self.queue.session_ended(name, asked[name])
            self.queue.mark_polled(now)
        self._poll = None
        self.update()

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

    def update(self) -> None:
        """Act on a change: let the scheduler check again, and set the timer for what is due next."""
        self._scheduler.update()
        if (loop := asyncio.get_running_loop()) is not self._loop:
            # What an earlier event loop was to do, it does no more.
            self._loop, self._timer, self._timer_at, self._poll = loop, None, math.inf, None
        moment = min(self.queue.next_moment, self._next_poll) if self.queue.pending else math.inf
        if not self.queue.pending and self._poll is not None:
            self._poll.cancel()
            self._poll = None
        if moment == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = moment
        self._timer = None if moment == math.inf else self._pipeline.clock.call_at(moment, self._on_timer)

    @property
    def _next_poll(self) -> float:
        if self._poll is not None and not self._poll.done():  # it is done where the program has cancelled it
            return math.inf
        is_watched = self._options.on_event is not None and len(self.queue.slots) > 0
        wanted = self.queue.waits_for_session_end or is_watched
        return self._polled_at + self._options.poll_interval if wanted else math.inf

    def _on_timer(self) -> None:
        # Event loops fire timers up to their clock's resolution early: what the timer was set for is due.
        now = max(self._pipeline.clock.now(), self._timer_at)
        self._timer, self._timer_at = None, math.inf
        self.queue.advance(now)
        if self._next_poll <= now:
            self._poll = asyncio.get_running_loop().create_task(self._poll_sessions(), name="aiorekostream polls")
        self.update()

    # ----------------------------------------------------------------------------------------------------------- events

    def notify(self, kind: FleetEventType, name: str, outcome: Outcome | None = None) -> None:
        """Report an event."""
        if (listener := self._options.on_event) is not None:
            queue = self.queue
            notify(
                listener,
                FleetEvent(
                    type=kind,
                    name=name,
                    queued=queue.queued,
                    in_flight=queue.in_flight,
                    running=len(queue.slots),
                    outcome=outcome,
                ),
            )

    def _on_call_event(self, event: CallEvent, name: str) -> None:
        self.notify(FleetEventType(event.value), name)
