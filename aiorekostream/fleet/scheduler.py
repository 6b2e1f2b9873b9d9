"""The scheduler: waits for a permit first and chooses the request afterwards, which then goes out at once."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Generic, TypeVar

from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import DeadlineExceededError, RateLimitedError
from aiorekostream.rate_limiting.port import LEAST_REST, Permit, Priority

if TYPE_CHECKING:
    from collections.abc import Generator

    from aiorekostream.fleet.queue import RequestQueue
    from aiorekostream.fleet.queued_request import QueuedRequest
    from aiorekostream.limits import Quota
    from aiorekostream.pipeline import Pipeline
    from aiorekostream.rate_limiting.port import PermitRequest

__all__ = ["Scheduler"]

_log = logging.getLogger("aiorekostream")

# A rate limiter that has not answered this many seconds after the time it was given does not work.
_GRACE = 1.0
# Calls under way at once are those of this many seconds at the rate of the quota: enough for slow answers, and few
# enough that an outage does not take the whole queue along.
_SECONDS_IN_FLIGHT, _LEAST_IN_FLIGHT, _MOST_IN_FLIGHT = 5, 2, 100

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
        self._task: asyncio.Task[None] | None = None
        self._calls: dict[QueuedRequest[_RequestT], asyncio.Task[None]] = {}
        self._idle: asyncio.Future[None] | None = None
        self._waiting_for: Priority | None = None
        self._is_interruptible = False
        self._is_interrupted = False

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

    async def _join(self) -> None:
        """Wait until the calls that are under way now have ended."""
        if self._calls:
            await asyncio.wait(self._calls.values())

    def _schedule(self) -> None:
        """Look at the queue again: requests, sessions or calls have changed."""
        if not self._requests.pending:
            self._interrupt()
            self._wake()
            return
        if self._task is None or self._task.done() or self._task.get_loop().is_closed():
            if self._requests.pending == self._requests.in_flight:
                return  # nothing is left to dispatch
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"aiorekostream {self._operation}")
            return
        self._wake()
        if self._waiting_for is not None:
            first = self._requests.first()
            # Nothing is left to send, or an urgent request has come: ask again, with its place in the queue.
            if first is None or _priority(first) < self._waiting_for:
                self._interrupt()

    def _abandon(self, request: QueuedRequest[_RequestT]) -> None:
        """Break the call of a dispatched request off; its outcome is known already."""
        task = self._calls.pop(request, None)
        if task is not None:
            task.cancel()

    def _leave_loop(self) -> None:
        """Forget the tasks of an event loop that was closed before they ended."""
        self._task, self._idle, self._waiting_for = None, None, None
        self._is_interruptible = self._is_interrupted = False
        self._calls.clear()

    async def _run(self) -> None:
        task = self._task
        try:
            is_open = False
            while self._requests.pending:
                if not is_open:
                    with self._interruptible():
                        await self._pipeline.open()
                        self.on_open()
                        is_open = True
                elif self._requests.in_flight >= self._max_in_flight or (first := self._requests.first()) is None:
                    await self._wait()
                elif self._quota is None:
                    self._dispatch(None)
                elif (permit := await self._acquire(first, self._quota)) is not None:
                    self._dispatch(permit)
        except (asyncio.CancelledError, Exception) as error:  # whatever it is, every request that waits gets an outcome
            self._task = None  # requests that come now get another task
            self._on_failure(error)
            if not isinstance(error, Exception):
                raise
        finally:
            if self._task is task:
                self._task = None

    def _dispatch(self, permit: Permit | None) -> None:
        request = self._requests.dispatch(self._pipeline.clock.now())
        if request is None:
            if permit is not None:
                permit.cancel()
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
                if permit is not None:
                    permit.cancel()
                self.abort(request)

        task = asyncio.get_running_loop().create_task(call())
        self._calls[request] = task
        task.add_done_callback(on_done)

    async def _acquire(self, first: QueuedRequest[_RequestT], quota: Quota) -> Permit | None:
        """Wait for a permit; ``None`` if the wait was interrupted, or the rate limiter is busy with others.

        A connection is free when the wait begins: a permit without one would only be given back.
        The scheduler's place in the rate limiter's queue is that of its oldest runnable request.
        """
        pipeline = self._pipeline
        priority = Priority.URGENT if pipeline.urgent else _priority(first)
        request = pipeline.permit_request(
            self._operation, quota, priority=priority, timeout=pipeline.total_timeout, arrived_at=first.arrived_at
        )
        self._waiting_for = priority
        try:
            with self._interruptible():
                await pipeline.clock.sleep(0)  # a call that was just dispatched takes its connection now
                if not pipeline.transport.is_ready:
                    await pipeline.transport.ready()
                return await self._permit(request)
            return None
        finally:
            self._waiting_for = None

    async def _permit(self, request: PermitRequest) -> Permit | None:
        clock, limiter = self._pipeline.clock, self._pipeline.rate_limiter
        try:
            async with clock.timeout_at(clock.now() + request.timeout + _GRACE):
                return None if limiter is None else await limiter.acquire(request)
        except RateLimitedError as error:
            # The limiter works: ask again. Deadlines of requests hold meanwhile.
            await clock.sleep(min(max(error.retry_after, LEAST_REST), request.timeout))
            return None
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"the rate limiter did not answer within {request.timeout:.3g} s",
                operation=self._operation,
                deadline=request.timeout,
                attempts=0,
                retry_safe=True,
            ) from error

    async def _wait(self) -> None:
        idle = self._idle = asyncio.get_running_loop().create_future()
        try:
            await idle
        finally:
            if self._idle is idle:  # not that of a task in a later event loop
                self._idle = None

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _interrupt(self) -> None:
        if self._is_interruptible and not self._is_interrupted and self._task is not None:
            self._is_interrupted = True
            self._task.cancel()

    @contextlib.contextmanager
    def _interruptible(self) -> Generator[None]:
        """Let ``_interrupt`` break the block off, which is left without an error then."""
        self._is_interruptible, self._is_interrupted = True, False
        try:
            yield
        except asyncio.CancelledError:
            if not self._is_interrupted or _uncancel() > 0:
                raise  # the program has cancelled the task as well
        else:
            if self._is_interrupted:
                _uncancel()  # the block has come to its end all the same
        finally:
            self._is_interruptible = self._is_interrupted = False


def _uncancel() -> int:
    """Take one cancellation of the current task back; returns how many are left."""
    task = asyncio.current_task()
    return 0 if task is None else task.uncancel()


def _priority(request: QueuedRequest[_RequestT]) -> Priority:
    return Priority.URGENT if request.urgent else Priority.NORMAL


def _most_in_flight(quota: Quota | None) -> int:
    """The most calls of an operation that are under way at once, where the user has not said."""
    if quota is None:
        return _MOST_IN_FLIGHT
    return max(_LEAST_IN_FLIGHT, min(_MOST_IN_FLIGHT, round(quota.rate * _SECONDS_IN_FLIGHT)))
