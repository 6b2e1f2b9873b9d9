"""Queue permit requests of one quota and one event loop, and grant them at the moments that the bucket names."""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import math
from typing import TYPE_CHECKING, Protocol, TypeAlias

from aiorekostream.errors import RateLimitedError
from aiorekostream.rate_limiting.token_bucket import DUE_WITHIN, Grant

if TYPE_CHECKING:
    from aiorekostream.clock import Clock, TimerHandle
    from aiorekostream.rate_limiting.port import PermitRequest

__all__ = ["PermitQueue", "TokenSource"]

# Seconds. Other event loops share the bucket and cannot wake this one when it gains tokens or another quota.
_RECHECK = 1.0

# A queued request: its priority, when it arrived, its number, and its grant. One whose future is done has been granted,
# or has left.
_Waiter: TypeAlias = "tuple[int, float, int, asyncio.Future[Grant]]"


class TokenSource(Protocol):
    """Grant tokens to a queue; see ``AdaptiveTokenBucket`` for the methods."""

    def try_acquire(self, now: float, /) -> Grant | float:
        """Take a token that is due, or return the moment at which to ask again."""
        ...

    def delay(self, now: float, /, *, queue_length: int) -> float:
        """Return the expected wait in seconds of a request behind so many others."""
        ...

    def cancel(self, grant: Grant, /) -> None:
        """Return a token."""
        ...


class PermitQueue:
    """Keep requests in order and wake them through one timer of the clock; there is no task.

    A queue lives while requests wait in it: the waiting calls and the timer hold the only references.

    Args:
        bucket: grants one token at a time, to this and to other event loops.
        clock: reads the time and sets the timer.
    """

    def __init__(self, bucket: TokenSource, clock: Clock) -> None:
        self.bucket = bucket
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._heap: list[_Waiter] = []
        self._waiting = 0
        self._numbers = itertools.count()
        self._timer: TimerHandle | None = None
        self._due_at = float("inf")

    def __len__(self) -> int:
        return self._waiting

    async def wait(self, request: PermitRequest) -> Grant:
        """Wait for a token; being cancelled gives the place, or the token, to the next request.

        Raises:
            RateLimitedError: ``request.timeout`` seconds passed.
        """
        now = self._clock.now()
        arrived_at = now if request.arrived_at is None else request.arrived_at
        granted: asyncio.Future[Grant] = self._loop.create_future()
        heapq.heappush(self._heap, (request.priority, arrived_at, next(self._numbers), granted))
        self._waiting += 1
        expiry: TimerHandle | None = None
        try:
            if math.isfinite(request.timeout):
                expire = functools.partial(self._expire, granted, request)
                expiry = self._clock.call_at(now + request.timeout, expire)
            if self._timer is None:
                self.reschedule()
            return await granted
        except BaseException:
            self._leave(granted)
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def reschedule(self) -> None:
        """Grant what is due and set the timer anew, since the moment of the next token may have changed.

        On a failure every waiter gets the error, since no timer may be left to wake them.
        """
        try:
            self._grant_due()
        except Exception as error:  # noqa: BLE001 - a clock or a quota of any kind: no waiter may hang
            for *_, granted in self._heap:
                if not granted.done():
                    granted.set_exception(error)

    def _leave(self, granted: asyncio.Future[Grant]) -> None:
        """Give up a place or a token: the call was cancelled, timed out, failed, or its event loop was closed."""
        has_token = granted.done() and not granted.cancelled() and granted.exception() is None
        if has_token:
            self.bucket.cancel(granted.result())
        else:
            self._waiting -= 1
        if self._loop.is_closed():
            return
        granted.cancel()
        if has_token or not self._waiting:
            self.reschedule()
        elif len(self._heap) > 2 * self._waiting:  # requests that left are the greater part: amortized constant time
            self._heap = [waiter for waiter in self._heap if not waiter[-1].done()]
            heapq.heapify(self._heap)

    def _expire(self, granted: asyncio.Future[Grant], request: PermitRequest) -> None:
        if not granted.done():
            message = f"no permit within {request.timeout:.3g} s at {request.quota.rate:g} calls/s; {len(self)} wait"
            delay = self.bucket.delay(self._clock.now(), queue_length=self._waiting - 1)
            granted.set_exception(RateLimitedError(message, operation=request.operation, retry_after=delay))

    def _timer_fired(self) -> None:
        self._timer = None
        self.reschedule()

    def _grant_due(self) -> None:
        """Grant every token that is due, and set the timer for the next one."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        was_woken, has_granted = timer is None, False
        now = self._clock.now()
        # A token that fell due since the timer was set is taken as of that moment: the bucket goes on filling from
        # there, so a burst of one loses no capacity to timers that are late by up to DUE_WITHIN.
        moment = min(now, max(self._due_at, now - DUE_WITHIN))
        while self._heap:
            granted = self._heap[0][-1]
            if granted.done():
                heapq.heappop(self._heap)
            elif isinstance(result := self.bucket.try_acquire(moment), Grant):
                heapq.heappop(self._heap)
                self._waiting -= 1
                granted.set_result(result)
                has_granted, moment = True, now
            else:
                self._due_at = result
                # A timer that is set DUE_WITHIN early makes up for clocks that wake late. If it came too early, as
                # with a clock of a coarse resolution, a second one at that moment would only poll again.
                moment = result if was_woken and not has_granted else max(now, result - DUE_WITHIN)
                self._timer = self._clock.call_at(min(moment, now + _RECHECK), self._timer_fired)
                return
        self._due_at = float("inf")
