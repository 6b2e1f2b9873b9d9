"""The gate before one quota: who waits goes through in order, at the moments that the pacer names."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING

import attrs

from aiorekostream.resilience.pacing import Ticket

if TYPE_CHECKING:
    from aiorekostream.clock import Clock
    from aiorekostream.resilience.turnstile import Turnstile

__all__ = ["Gate"]

# Those who wait in other event loops may change when the next turn is, and nobody tells: so one looks.
_LOOK = 1.0


@attrs.define(order=True)
class _Waiter:
    """Urgent ones first, then those whose call began first."""

    later: bool
    since: float
    number: int
    admitted: asyncio.Future[Ticket] = attrs.field(order=False)
    listed: bool = attrs.field(default=True, order=False)
    gone: bool = attrs.field(default=False, order=False)


class Gate:
    """Lets calls through, first come first served; it belongs to one event loop.

    Args:
        turnstile: lets one call through at a time, of this and of other loops.
        clock: tells the time and sleeps.
    """

    def __init__(self, turnstile: Turnstile, clock: Clock) -> None:
        self._turnstile = turnstile
        self._clock = clock
        self._waiting: list[_Waiter] = []
        self._gone = 0
        self._numbers = itertools.count()
        self._pump: asyncio.Task[None] | None = None
        self._news: asyncio.Event | None = None

    @property
    def depth(self) -> int:
        """How many calls wait."""
        return len(self._waiting) - self._gone

    def delay(self) -> float:
        """Seconds until a call that came now would go through, if no urgent one came after it."""
        return self._turnstile.delay(self.depth, self._clock.now())

    def believe(self, rate: float, burst: float) -> None:
        """Go on with another quota; a call that changes its mind about the quota gets no new burst by that."""
        self._turnstile.believe(rate, burst)
        self._tell()

    def enter(self, *, spread: bool = True) -> Ticket | None:
        """Go through now, if it is time and nobody waits; ``spread`` spreads a burst out a little."""
        entered = None if self._waiting else self._turnstile.enter(self._clock.now(), spread=spread)
        return entered if isinstance(entered, Ticket) else None

    async def admit(self, *, since: float, urgent: bool = False) -> Ticket:
        """Wait for the turn of one call; being cancelled gives it to the next.

        Args:
            since: when the call began, so that one which is made again keeps its place.
            urgent: whether it goes before those that are not.
        """
        if (ticket := self.enter()) is not None:
            return ticket
        waiter = _Waiter(not urgent, since, next(self._numbers), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiter)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._let_through(), name="aiorekostream paces calls")
            self._pump.add_done_callback(self._ended)
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if waiter.admitted.cancelled():
                self._forget(waiter)
            elif waiter.admitted.done():
                # Cancelled just after it was let through: the call is not made, so the next one may be.
                self._turnstile.returned(waiter.admitted.result())
                self._tell()
            raise

    def passed(self, ticket: Ticket) -> None:
        """The service let this call through."""
        self._turnstile.passed(ticket)

    def refused(self, ticket: Ticket) -> None:
        """The service refused this call as too fast."""
        self._turnstile.refused(ticket, self._clock.now())
        self._tell()

    def _forget(self, waiter: _Waiter) -> None:
        """It was cancelled; such ones are cleared away once they are the greater part."""
        if not waiter.listed:
            return
        waiter.gone = True
        self._gone += 1
        if self._gone * 2 > len(self._waiting):
            for each in self._waiting:
                each.listed = not each.admitted.done()
            self._waiting = [each for each in self._waiting if each.listed]
            heapq.heapify(self._waiting)
            self._gone = 0
        if not self._waiting and self._pump is not None:
            # Nobody is left to be woken for.
            pump, self._pump = self._pump, None
            pump.cancel()

    def _next(self) -> _Waiter:
        waiter = heapq.heappop(self._waiting)
        waiter.listed = False
        self._gone -= waiter.gone
        return waiter

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    async def _until(self, moment: float) -> None:
        """Wait for a moment, or for news that may bring another one."""
        self._news = asyncio.Event()
        try:
            async with self._clock.timeout_at(moment):
                await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._news = None  # it would keep the event loop alive

    async def _let_through(self) -> None:
        while self._waiting:
            now = self._clock.now()
            if self._waiting[0].admitted.done():  # cancelled
                self._next()
            elif isinstance(entered := self._turnstile.enter(now), Ticket):
                self._next().admitted.set_result(entered)
            else:
                await self._until(min(entered, now + _LOOK))

    def _ended(self, pump: asyncio.Task[None]) -> None:
        """The pump has come to its end; whatever that was, nobody may wait for ever."""
        error = None if pump.cancelled() else pump.exception()
        if pump is not self._pump:
            return
        self._pump = None
        while self._waiting:
            admitted = self._next().admitted
            if error is None:
                admitted.cancel()  # somebody cancels every task that there is
            elif not admitted.done():
                admitted.set_exception(error)
