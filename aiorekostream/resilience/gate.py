"""The gate before one quota: who waits goes through in order, at the moments that the pacer names."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING

import attrs

from aiorekostream.resilience.pacing import Pacer, Ticket

if TYPE_CHECKING:
    from aiorekostream.clock import Clock

__all__ = ["Gate"]


@attrs.define(order=True)
class _Waiter:
    """Urgent ones first, then those whose call began first."""

    later: bool
    since: float
    number: int
    admitted: asyncio.Future[Ticket] = attrs.field(order=False)


class Gate:
    """Lets calls through, first come first served; it belongs to one event loop.

    Args:
        pacer: names the moments.
        clock: tells the time and sleeps.
    """

    def __init__(self, pacer: Pacer, clock: Clock) -> None:
        self._pacer = pacer
        self._clock = clock
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()
        self._pump: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """How many calls wait."""
        return sum(not waiter.admitted.done() for waiter in self._waiting)

    def delay(self) -> float:
        """Seconds until a call that came now would go through, if no urgent one came after it."""
        now = self._clock.now()
        ready = self._pacer.ready_at(now) - now
        return ready + self.depth / self._pacer.rate_at(now)

    def believe(self, rate: float, burst: float) -> None:
        """Begin anew with another quota, if it is another one than before."""
        if (rate, burst) != (self._pacer.rate, self._pacer.burst):
            self._pacer = Pacer(rate, burst)

    async def admit(self, *, since: float, urgent: bool = False) -> Ticket:
        """Wait for the turn of one call; being cancelled gives it to the next.

        Args:
            since: when the call began, so that one which is made again keeps its place.
            urgent: whether it goes before those that are not.
        """
        now = self._clock.now()
        if not self._waiting and self._pacer.ready_at(now) <= now:
            return self._pacer.take(now)
        waiter = _Waiter(not urgent, since, next(self._numbers), asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiter)
        if self._pump is None:
            self._pump = asyncio.create_task(self._let_through(), name="aiorekostream paces calls")
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            # Cancelled just after it was let through: the call is not made, so the next one may be.
            if waiter.admitted.done() and not waiter.admitted.cancelled():
                self._pacer.returned(waiter.admitted.result())
            raise

    def refused(self, ticket: Ticket) -> None:
        """The service refused this call as too fast."""
        self._pacer.refused(ticket, self._clock.now())

    async def _let_through(self) -> None:
        try:
            while self._waiting:
                now = self._clock.now()
                ready = self._pacer.ready_at(now)
                if self._waiting[0].admitted.done():  # cancelled
                    heapq.heappop(self._waiting)
                elif ready > now:
                    await self._clock.sleep(ready - now)
                else:
                    heapq.heappop(self._waiting).admitted.set_result(self._pacer.take(now))
        finally:
            self._pump = None
