"""Schedule requests: wait for a permit first, and choose the request afterwards, which then goes out at once."""

import abc
import asyncio
import math
from collections.abc import Awaitable
from typing import Generic, TypeVar

from aiorekostream.clock import TimerHandle, running_loop
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import ConfigurationError, DeadlineExceededError, RateLimitedError
from aiorekostream.fleet.queue import QueuedRequest, RequestQueue
from aiorekostream.limits import Quota
from aiorekostream.pipeline import Pipeline, cancel_permit
from aiorekostream.rate_limiting.port import LEAST_REST, Permit, Priority

__all__ = ["Scheduler"]

# A rate limiter that has not answered this many seconds after the time it was given does not work.
_GRACE = 1.0
# A rate limiter that has granted no permit for this many seconds since it first refused one has failed; if its first
# refusal named a time, twice that counts if it is longer. One that others share may be busy, but grants some meanwhile.
_REFUSALS = 600.0
_STARVED = "The rate limiter has granted this fleet no permit for ten minutes or more"
# Calls under way at once are those of this many seconds at the rate of the quota: enough for slow answers, and few
# enough that an outage does not take the whole queue along.
_SECONDS_IN_FLIGHT, _LEAST_IN_FLIGHT, _MOST_IN_FLIGHT = 5, 2, 100
# The priority of opening the client, which every request waits for.
_OPENING = Priority.RECOVERY

_T = TypeVar("_T")
_RequestT = TypeVar("_RequestT", bound=StartRequest | str)


class Scheduler(abc.ABC, Generic[_RequestT]):
    """Dispatch the requests of a queue at the rate of the quota, with one task that lives while requests are pending.

    Args:
        pipeline: opens the client and asks for permits.
        operation: AWS's name of the operation that the permits are for.
        queue: the requests.
        max_in_flight: the most calls under way at once; what the quota suggests if ``None``.
    """

    def __init__(
        self, pipeline: Pipeline, operation: str, queue: RequestQueue[_RequestT], *, max_in_flight: int | None
    ) -> None:
        self._pipeline = pipeline
        self._operation = operation
        self._requests = queue
        self._quota = pipeline.quota(operation)
        self._max_in_flight = max_in_flight or _most_in_flight(self._quota)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: TimerHandle | None = None
        self._timer_at = math.inf
        self._is_changed = False
        self._task: asyncio.Task[None] | None = None
        self._calls: dict[QueuedRequest[_RequestT], asyncio.Task[None]] = {}
        self._idle: asyncio.Future[None] | None = None
        self._waiting_for: Priority | None = None  # the priority of a wait that may be broken off now
        self._granted_by = math.inf  # when a rate limiter that refuses permits fails; infinity while it does not

    @abc.abstractmethod
    async def _send(self, request: QueuedRequest[_RequestT], permit: Permit | None) -> None:
        """Make the call of a dispatched request, and complete the request or put it back in the queue.

        It raises nothing but a cancellation.
        """

    @abc.abstractmethod
    def abort(self, request: QueuedRequest[_RequestT]) -> None:
        """Give a request an outcome now, whatever its call is doing; no effect where it has one."""

    @abc.abstractmethod
    def _on_failure(self, error: BaseException) -> None:
        """End the requests that wait when none can be dispatched."""

    def on_open(self) -> None:
        """Act on the client being open, when its Region is known."""

    # ---------------------------------------------------------------------------------------------------------- changes

    def _changed(self) -> None:
        """Act on a change: at once on the last, and once for all those that happen in one iteration of the loop."""
        loop = self._enter_loop()
        if not self._requests.pending:
            self._update()
        elif not self._is_changed:
            self._is_changed = True
            loop.call_soon(self._update)

    def _enter_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop, and forget the tasks and the timer of an earlier one.

        Raises:
            ConfigurationError: none is running, or an earlier one has requests and is not closed.
        """
        loop, left = running_loop(), self._loop
        if loop is not left:
            if left is not None and not left.is_closed() and self._requests.pending:
                raise ConfigurationError(
                    "the fleet has requests in another event loop, which is not closed: make a client and a fleet for"
                    " each loop"
                )
            self._loop, self._timer, self._timer_at, self._is_changed = loop, None, math.inf, False
            self._task, self._idle, self._waiting_for = None, None, None
            self._calls.clear()
            # Where the loop did not cancel its tasks, as ``asyncio.run`` does, their requests have no outcome yet.
            for request in self._requests.requests():
                self.abort(request)
        return loop

    def _update(self) -> None:
        """Let the scheduler's task check the queue again, and set the timer for what is due next."""
        self._is_changed = False
        self._schedule()
        moment = self._next_moment
        if moment != self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = moment
            self._timer = None if moment == math.inf else self._pipeline.clock.call_at(moment, self._on_timer)

    @property
    def _next_moment(self) -> float:
        return self._requests.next_moment if self._requests.pending else math.inf

    def _on_timer(self) -> None:
        # Event loops fire timers up to their clock's resolution early: what the timer was set for is due.
        now = max(self._pipeline.clock.now(), self._timer_at)
        self._timer, self._timer_at = None, math.inf
        self._advance(now)
        self._update()

    def _advance(self, now: float) -> None:
        self._requests.advance(now)

    def _schedule(self) -> None:
        requests = self._requests
        if requests.pending and (self._task is None or self._task.done()):
            if requests.pending > requests.in_flight:  # otherwise nothing is left to dispatch
                name = f"aiorekostream {self._operation}"
                self._task = asyncio.get_running_loop().create_task(self._run(), name=name)
                self._task.add_done_callback(self._on_end)
            return
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if not requests.pending:
            self._interrupt()
        elif (waiting_for := self._waiting_for) is not None and waiting_for is not _OPENING:
            first = requests.first()
            # Nothing is left to send, or an urgent request has come: ask again, with its place in the queue.
            if first is None or self._priority(first) < waiting_for:
                self._interrupt()

    # ------------------------------------------------------------------------------------------------------------- task

    async def _run(self) -> None:
        requests = self._requests
        try:
            is_open, self._granted_by = False, math.inf
            while requests.pending:
                if not is_open:
                    self._waiting_for = _OPENING
                    is_open = await self._interruptible(self._open()) is not None
                elif requests.in_flight >= self._max_in_flight or (first := requests.first()) is None:
                    self._granted_by = math.inf
                    self._idle = asyncio.get_running_loop().create_future()
                    await self._idle
                elif (quota := self._quota) is None:
                    self._dispatch(None)
                else:
                    self._waiting_for = priority = self._priority(first)
                    permit = await self._interruptible(self._permit(quota, priority, first.arrived_at))
                    if permit is not None:
                        self._dispatch(permit)
        except (asyncio.CancelledError, Exception) as error:  # whatever it is, every request that waits gets an outcome
            self._on_failure(error)
            if not isinstance(error, Exception):
                raise

    async def _open(self) -> bool:
        await self._pipeline.open()
        self.on_open()
        return True

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if self._task is task and task.cancelled():  # before its first step, perhaps: then ``_run`` has handled nothing
            self._on_failure(asyncio.CancelledError())

    def _dispatch(self, permit: Permit | None) -> None:
        request = self._requests.dispatch(self._pipeline.clock.now())
        if request is None:
            cancel_permit(permit, self._operation)
            return
        has_begun = False

        async def call() -> None:
            nonlocal has_begun
            has_begun = True
            await self._send(request, permit)

        def on_done(_: asyncio.Task[None]) -> None:
            if self._calls.get(request) is task:
                del self._calls[request]
            if not has_begun:  # a task that is cancelled before its first step runs nothing of its coroutine
                self.abort(request)
                cancel_permit(permit, self._operation)

        task = asyncio.get_running_loop().create_task(call())
        self._calls[request] = task
        task.add_done_callback(on_done)

    def _abandon(self, request: QueuedRequest[_RequestT]) -> None:
        """Break the call of a dispatched request off; its outcome is known already."""
        task = self._calls.pop(request, None)
        if task is not None:
            task.cancel()

    async def _join(self) -> None:
        """Wait until the calls that are under way now have ended."""
        if self._calls:
            await asyncio.wait(self._calls.values())

    # --------------------------------------------------------------------------------------------------------- permits

    def _priority(self, request: QueuedRequest[_RequestT]) -> Priority:
        return Priority.URGENT if request.urgent or self._pipeline.urgent else Priority.NORMAL

    async def _permit(self, quota: Quota, priority: Priority, arrived_at: float) -> Permit | None:
        """Ask for a permit when a connection is free: a permit without one would only be given back.

        Args:
            quota: the quota of the operation.
            priority: that of the oldest runnable request.
            arrived_at: when that request arrived: the scheduler's place in the rate limiter's queue.

        Returns:
            The permit; ``None`` where the rate limiter is busy with others.
        """
        pipeline, clock, total = self._pipeline, self._pipeline.clock, self._pipeline.total_timeout
        if self._requests.in_flight:
            await clock.sleep(0)  # a call that was just dispatched takes its connection now
        if not pipeline.transport.is_ready:
            await pipeline.transport.ready()
        due_at = clock.now() + total
        try:
            async with clock.timeout_at(due_at + _GRACE):
                permit = await pipeline.acquire(
                    self._operation, quota, priority=priority, within=total, arrived_at=arrived_at
                )
        except RateLimitedError as error:
            # The limiter works: ask again. Deadlines of requests hold meanwhile.
            rest = max(LEAST_REST, error.retry_after)
            if self._granted_by == math.inf:
                named = 2 * rest if math.isfinite(rest) else 0.0
                self._granted_by = clock.now() + max(_REFUSALS, total, named)
            elif clock.now() >= self._granted_by:
                error.hint = error.hint or _STARVED
                raise
            await clock.sleep(min(rest, total))
            return None
        except TimeoutError as error:
            if clock.now() < due_at:
                raise  # the rate limiter's own
            raise DeadlineExceededError(
                f"the rate limiter did not answer within {total:.3g} s",
                operation=self._operation,
                deadline=total,
                attempts=0,
                retry_safe=True,
            ) from error
        self._granted_by = math.inf
        return permit

    async def _interruptible(self, wait: Awaitable[_T]) -> _T | None:
        """Wait; ``None`` where ``_interrupt`` has broken the wait off, and so has unset ``_waiting_for``."""
        loop = self._loop
        try:
            result = await wait
        except asyncio.CancelledError:
            if self._waiting_for is not None or _uncancel() > 0:
                raise  # the program has cancelled the task, as well or alone
            return None
        else:
            if self._waiting_for is None:
                _uncancel()  # the wait has come to its end all the same
            return result
        finally:
            if self._loop is loop:  # else Python destroys the wait of a closed loop, perhaps while another one waits
                self._waiting_for = None

    def _interrupt(self) -> None:
        if self._waiting_for is not None and self._task is not None:
            self._waiting_for = None  # once: each cancellation must be taken back
            self._task.cancel()


def _uncancel() -> int:
    """Take one cancellation of the current task back; returns how many are left."""
    task = asyncio.current_task()
    return 0 if task is None else task.uncancel()


def _most_in_flight(quota: Quota | None) -> int:
    """Return the most calls of an operation that are under way at once, where the user has not said."""
    if quota is None:
        return _MOST_IN_FLIGHT
    return max(_LEAST_IN_FLIGHT, min(_MOST_IN_FLIGHT, round(quota.rate * _SECONDS_IN_FLIGHT)))
