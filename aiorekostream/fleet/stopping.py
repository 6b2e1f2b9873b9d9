"""Stops: deduplicated by name, in order, at the rate of their own quota; a stop's time begins with its permit."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

from aiorekostream.client import reconcile
from aiorekostream.clock import TimerHandle
from aiorekostream.domain.requests import DescribeRequest, StopRequest
from aiorekostream.domain.status import NOT_STOPPABLE, WITHOUT_SESSION
from aiorekostream.errors import CallError, RekostreamError, RequestCancelledError, ResourceInUseError
from aiorekostream.fleet.calls import (
    after_unexpected_error,
    failure_of,
    log_failure,
    most_in_flight,
    throttle_delay,
    unknown_error,
)
from aiorekostream.fleet.events import FleetEvent, FleetEventType, notify
from aiorekostream.fleet.outcomes import AlreadyStopped, Failed, StopOutcome, Stopped, Unknown
from aiorekostream.fleet.scheduler import Scheduler
from aiorekostream.operations import DESCRIBE, STOP
from aiorekostream.pipeline import CallEvent, CallTrace
from aiorekostream.retry.classify import is_throttling

if TYPE_CHECKING:
    from aiorekostream.domain.status import Status
    from aiorekostream.fleet.options import FleetOptions
    from aiorekostream.fleet.starting import Starter
    from aiorekostream.pipeline import Pipeline
    from aiorekostream.rate_limiting.port import Permit

__all__ = ["QueuedStop", "StopWaiter", "Stopper"]

_log = logging.getLogger("aiorekostream")

OnStopped: TypeAlias = Callable[["StopWaiter", StopOutcome], None]


@attrs.define(eq=False)
class StopWaiter:
    """One caller's interest in the stop of a processor.

    Attributes:
        stop: the stop.
        on_complete: called once, with this and the outcome.
        cancelled: whether the caller no longer wants it.
    """

    stop: QueuedStop
    on_complete: OnStopped
    cancelled: bool = False


@attrs.define(eq=False)
class QueuedStop:
    """The stop of one processor, for all callers that ask for it before it has its outcome."""

    name: str
    arrived_at: float
    urgent: bool = False
    waiters: list[StopWaiter] = attrs.field(factory=list[StopWaiter])
    trace: CallTrace = attrs.field(factory=CallTrace)
    is_dispatched: bool = False
    backoff: TimerHandle | None = None


@attrs.define(eq=False)
class _StopQueue:
    """First come, first served; a throttled stop goes back to its place, which is the first."""

    in_flight: int = 0
    stops: dict[str, QueuedStop] = attrs.field(factory=dict[str, QueuedStop])
    waiting: OrderedDict[str, QueuedStop] = attrs.field(factory=OrderedDict[str, QueuedStop])

    @property
    def pending(self) -> int:
        return len(self.stops)

    def first(self) -> QueuedStop | None:
        return next(iter(self.waiting.values()), None)

    def dispatch(self, now: float) -> QueuedStop | None:
        del now
        if not self.waiting:
            return None
        _, stop = self.waiting.popitem(last=False)
        stop.is_dispatched = True
        self.in_flight += 1
        return stop

    def add(self, stop: QueuedStop) -> None:
        self.stops[stop.name] = self.waiting[stop.name] = stop

    def back_off(self, stop: QueuedStop) -> None:
        stop.is_dispatched = False
        self.in_flight -= 1

    def requeue(self, stop: QueuedStop) -> None:
        self.waiting[stop.name] = stop
        self.waiting.move_to_end(stop.name, last=False)

    def remove(self, stop: QueuedStop) -> None:
        del self.stops[stop.name]
        self.waiting.pop(stop.name, None)
        if stop.backoff is not None:
            stop.backoff.cancel()
        self.in_flight -= stop.is_dispatched
        stop.is_dispatched = False


class Stopper:
    """Carry out stops for all runs of a fleet."""

    def __init__(self, options: FleetOptions, starter: Starter) -> None:
        self._options = options
        self._starter = starter
        self._pipeline: Pipeline = options.client.pipeline
        self._queue = _StopQueue()
        self._scheduler: Scheduler[QueuedStop] = Scheduler(
            pipeline=self._pipeline,
            operation=STOP.name,
            queue=self._queue,
            send=self._send,
            abort=self._abort_call,
            on_open=lambda: None,
            on_failure=self._on_failure,
            max_in_flight=options.max_in_flight or most_in_flight(self._pipeline, STOP.name),
        )

    def add(self, name: str, on_complete: OnStopped) -> StopWaiter:
        """Take a stop; one that is asked for already is not sent a second time."""
        stop = self._queue.stops.get(name)
        if stop is None:
            stop = QueuedStop(name, self._pipeline.clock.now())
            self._queue.add(stop)
            if self._options.on_event is not None:
                stop.trace.on_event = lambda event: self._on_call_event(event, name)
        waiter = StopWaiter(stop, on_complete)
        stop.waiters.append(waiter)
        stop.trace.send_by = math.inf  # callers before this one may have cancelled it
        self.notify(FleetEventType.QUEUED, name)
        self._scheduler.update()
        return waiter

    def cancel(self, waiter: StopWaiter) -> None:
        """Cancel a stop. A call that was sent gets its true outcome; one that was not is interrupted."""
        stop = waiter.stop
        waiter.cancelled = True
        if waiter not in stop.waiters:
            return
        if not (stop.is_dispatched and stop.trace.may_be_applied):
            self._cancel_waiter(waiter, Failed(stop.name, RequestCancelledError(name=stop.name)))
        elif all(each.cancelled for each in stop.waiters):
            stop.trace.send_by = -math.inf

    def abort(self, waiter: StopWaiter) -> None:
        """Give a stop an outcome now, whatever its call is doing."""
        stop = waiter.stop
        if waiter not in stop.waiters:
            return
        if stop.is_dispatched and stop.trace.may_be_applied:
            self._cancel_waiter(waiter, Unknown(stop.name, unknown_error(self._pipeline, STOP.name, stop.trace)))
        else:
            self._cancel_waiter(waiter, Failed(stop.name, RequestCancelledError(name=stop.name)))

    def _abort_call(self, stop: QueuedStop) -> None:
        for waiter in tuple(stop.waiters):
            self.abort(waiter)

    async def aclose(self) -> None:
        """Cancel every stop, and wait for the outcomes of those in flight."""
        for stop in tuple(self._queue.stops.values()):
            for waiter in tuple(stop.waiters):
                self.cancel(waiter)
        await self._scheduler.join()

    def _cancel_waiter(self, waiter: StopWaiter, outcome: StopOutcome) -> None:
        """Complete one caller's stop; the call goes on while another caller waits for it."""
        stop = waiter.stop
        if stop.waiters == [waiter]:
            self._scheduler.abandon(stop)
            self._complete(stop, outcome)
        else:
            stop.waiters.remove(waiter)
            self._finish(waiter, outcome)

    async def _send(self, stop: QueuedStop, permit: Permit | None) -> None:
        starter, name = self._starter, stop.name
        slot = starter.queue.slots.get(name)
        end = self._pipeline.clock.now() + self._pipeline.total_timeout
        try:
            outcome, status = await self._stop(stop, permit), None
        except asyncio.CancelledError:
            self._abort_call(stop)  # by a program that cancels every task
            raise
        except ResourceInUseError as error:
            # UNCERTAIN: in which statuses AWS refuses a stop; only some of them mean that there is nothing to stop.
            status = await self._status(name, within=max(0.0, end - self._pipeline.clock.now()))
            outcome = AlreadyStopped(name) if status in NOT_STOPPABLE else Failed(name, error)
        except RekostreamError as error:
            if self._goes_back(stop, error, permit):
                return
            status = None
            outcome = (Unknown if isinstance(error, CallError) and not error.retry_safe else Failed)(name, error)
        except Exception as error:  # noqa: BLE001 - an error in one call must not harm the other requests
            _log.exception("the stop of %s failed in an unexpected way", name)
            outcome, status = after_unexpected_error(self._pipeline, STOP.name, name, stop.trace, error), None
        if status in WITHOUT_SESSION:
            starter.session_ended(name, slot)
        elif isinstance(outcome, Stopped | AlreadyStopped):
            starter.mark_stopping(name, slot)
        if self._queue.stops.get(name) is stop:
            self._complete(stop, outcome)

    async def _stop(self, stop: QueuedStop, permit: Permit | None) -> StopOutcome:
        request = StopRequest(stop.name)
        await reconcile.stop(self._pipeline, request, permit=permit, trace=stop.trace, retries_throttled=False)
        return Stopped(stop.name)

    async def _status(self, name: str, *, within: float) -> Status | None:
        """The processor's status; ``None`` where the service does not tell within so many seconds."""
        try:
            return (await self._pipeline.call(DESCRIBE, DescribeRequest(name), within=within)).status
        except RekostreamError:
            return None
        except Exception:  # noqa: BLE001 - the transport and the rate limiter may be the user's code
            _log.exception("describing %s failed in an unexpected way", name)
            return None

    def _goes_back(self, stop: QueuedStop, error: RekostreamError, permit: Permit | None) -> bool:
        """Put a throttled stop back in its place, after the rest that the service has asked for."""
        if self._queue.stops.get(stop.name) is not stop:
            return True
        retry = self._pipeline.retry
        if not is_throttling(error) or stop.trace.lost or stop.trace.attempts >= retry.max_attempts:
            return False
        self._queue.back_off(stop)
        for waiter in tuple(stop.waiters):
            if waiter.cancelled:
                self.cancel(waiter)
        if self._queue.stops.get(stop.name) is not stop:
            return True
        delay = throttle_delay(self._pipeline, error, stop.trace, is_limited=permit is not None)
        if delay > 0:
            clock = self._pipeline.clock
            stop.backoff = clock.call_at(clock.now() + delay, lambda: self._requeue(stop))
            self._scheduler.update()
        else:
            self._requeue(stop)
        return True

    def _requeue(self, stop: QueuedStop) -> None:
        self._queue.requeue(stop)
        self.notify(FleetEventType.RETRIED, stop.name)
        self._scheduler.update()

    def _complete(self, stop: QueuedStop, outcome: StopOutcome) -> None:
        self._queue.remove(stop)
        for waiter in stop.waiters:
            self._finish(waiter, outcome)
        stop.waiters.clear()
        self._scheduler.update()

    def _finish(self, waiter: StopWaiter, outcome: StopOutcome) -> None:
        self.notify(FleetEventType.COMPLETED, waiter.stop.name, outcome)
        waiter.on_complete(waiter, outcome)

    def _on_failure(self, error: BaseException) -> None:
        """End the stops that wait when none can be dispatched."""
        log_failure(error)
        for stop in tuple(each for each in self._queue.stops.values() if not each.is_dispatched):
            self._complete(stop, Failed(stop.name, failure_of(error, stop.name)))

    def notify(self, kind: FleetEventType, name: str, outcome: StopOutcome | None = None) -> None:
        """Report an event."""
        if (listener := self._options.on_event) is not None:
            queue = self._queue
            notify(
                listener,
                FleetEvent(
                    type=kind,
                    name=name,
                    queued=queue.pending - queue.in_flight,
                    in_flight=queue.in_flight,
                    running=len(self._starter.queue.slots),
                    outcome=outcome,
                ),
            )

    def _on_call_event(self, event: CallEvent, name: str) -> None:
        self.notify(FleetEventType(event.value), name)
