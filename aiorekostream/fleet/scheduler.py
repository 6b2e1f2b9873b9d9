"""The scheduler: waits for a permit first and chooses the request afterwards, which then goes out at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import DeadlineExceededError, RateLimitedError
from aiorekostream.fleet.queue import RequestQueue
from aiorekostream.fleet.queued_request import QueuedRequest
from aiorekostream.limits import Quota
from aiorekostream.pipeline import Pipeline
from aiorekostream.rate_limiting.port import Permit, Priority

if TYPE_CHECKING:
    from aiorekostream.rate_limiting.port import PermitRequest

__all__ = ["Scheduler"]

_log = logging.getLogger("aiorekostream")

# A rate limiter that has not answered this many seconds after the time it was given does not work.
_GRACE = 1.0
# The least wait after a rate limiter has refused a permit, in seconds.
_LEAST_REST = 0.1


_RequestT = TypeVar("_RequestT", bound=StartRequest | str)


@attrs.define(eq=False, kw_only=True)
class Scheduler(Generic[_RequestT]):
    """Dispatch the requests of a queue at the rate of the quota, with one task that lives while requests are pending.

    Attributes:
        pipeline: opens the client and asks for permits.
        operation: AWS's name of the operation that the permits are for.
        quota: its quota; ``None`` where nothing limits it.
        queue: the requests.
        send: makes the call of a dispatched request and completes it. It raises nothing.
        abort: gives a dispatched request whose call never began its outcome; no effect where it has one.
        on_open: called once the client is open, when its Region is known.
        on_failure: called with the reason why no request can be dispatched; it ends the queued ones.
        max_in_flight: the most calls under way at once.
    """

    pipeline: Pipeline
    operation: str
    quota: Quota | None
    queue: RequestQueue[_RequestT]
    send: Callable[[QueuedRequest[_RequestT], Permit | None], Coroutine[object, object, None]]
    abort: Callable[[QueuedRequest[_RequestT]], None]
    on_open: Callable[[], None]
    on_failure: Callable[[BaseException], None]
    max_in_flight: int
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _calls: dict[QueuedRequest[_RequestT], asyncio.Task[None]] = attrs.field(factory=dict, init=False)
    _idle: asyncio.Future[None] | None = attrs.field(default=None, init=False)
    _waiting_for: Priority | None = attrs.field(default=None, init=False)
    _is_interruptible: bool = attrs.field(default=False, init=False)
    _is_interrupted: bool = attrs.field(default=False, init=False)

    async def join(self) -> None:
        """Wait until the calls that are under way now have ended."""
        if self._calls:
            await asyncio.wait(self._calls.values())

    def update(self) -> None:
        """Look at the queue again: requests, sessions or calls have changed."""
        if not self.queue.pending:
            self._interrupt()
            self._wake()
            return
        if self._task is None or self._task.done() or self._task.get_loop().is_closed():
            if self.queue.pending == self.queue.in_flight:
                return  # nothing is left to dispatch
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"aiorekostream {self.operation}")
            return
        self._wake()
        if self._waiting_for is not None:
            first = self.queue.first()
            # Nothing is left to send, or an urgent request has come: ask again, with its place in the queue.
            if first is None or _priority(first) < self._waiting_for:
                self._interrupt()

    def abandon(self, request: QueuedRequest[_RequestT]) -> None:
        """Break the call of a dispatched request off; its outcome is known already."""
        task = self._calls.pop(request, None)
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        try:
            is_open = False
            while self.queue.pending:
                if not is_open:
                    is_open = await self._open()
                    continue
                if self.queue.in_flight >= self.max_in_flight or (first := self.queue.first()) is None:
                    await self._wait()
                elif self.quota is None:
                    self._dispatch(None)
                elif (permit := await self._acquire(first, self.quota)) is not None:
                    self._dispatch(permit)
        except asyncio.CancelledError as error:
            self._task = None  # requests that come now get another task
            self.on_failure(error)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, every request that waits must get an outcome
            self._task = None
            self.on_failure(error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _open(self) -> bool:
        """Open the client; false where nothing was left to send before it was open."""
        with self._interruptible():
            await self.pipeline.open()
            self.on_open()
            return True
        return False

    def _dispatch(self, permit: Permit | None) -> None:
        request = self.queue.dispatch(self.pipeline.clock.now())
        if request is None:
            if permit is not None:
                permit.cancel()
            return
        has_begun = False

        async def call() -> None:
            nonlocal has_begun
            has_begun = True
            await self.send(request, permit)

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

        The scheduler's place in the rate limiter's queue is that of its oldest runnable request.
        """
        pipeline = self.pipeline
        priority = Priority.URGENT if pipeline.urgent else _priority(first)
        request = pipeline.permit_request(
            self.operation, quota, priority=priority, timeout=pipeline.total_timeout, arrived_at=first.arrived_at
        )
        self._waiting_for = priority
        try:
            with self._interruptible():
                return await self._permit(request)
            return None
        finally:
            self._waiting_for = None

    async def _permit(self, request: PermitRequest) -> Permit | None:
        clock, limiter = self.pipeline.clock, self.pipeline.rate_limiter
        try:
            async with clock.timeout_at(clock.now() + request.timeout + _GRACE):
                return None if limiter is None else await limiter.acquire(request)
        except RateLimitedError as error:
            # The limiter works: ask again. Deadlines of requests hold meanwhile.
            await clock.sleep(min(max(error.retry_after, _LEAST_REST), request.timeout))
            return None
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"the rate limiter did not answer within {request.timeout:.3g} s",
                operation=self.operation,
                deadline=request.timeout,
                attempts=0,
                retry_safe=True,
            ) from error

    async def _wait(self) -> None:
        self._idle = asyncio.get_running_loop().create_future()
        try:
            await self._idle
        finally:
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
