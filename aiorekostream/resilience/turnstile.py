"""One pacer for all who share its quota, in whichever threads their event loops run."""

from __future__ import annotations

import threading

import attrs

from aiorekostream.resilience.pacing import Pacer, Ticket

__all__ = ["Turnstile"]


@attrs.frozen(eq=False)
class Turnstile:
    """Asks the pacer for one at a time.

    Attributes:
        pacer: names the moments.
    """

    pacer: Pacer
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def enter(self, now: float, *, spread: bool = True) -> Ticket | float:
        """Go through; or, if it is too early, the moment at which to ask again."""
        with self._lock:
            ready = self.pacer.ready_at(now, spread=spread)
            return self.pacer.take(now) if ready <= now else ready

    def delay(self, depth: int, now: float) -> float:
        """Seconds until one could go through, without any spreading of a burst, who has so many before him."""
        with self._lock:
            return self.pacer.ready_at(now, spread=False) - now + depth / self.pacer.rate_at(now)

    def passed(self, ticket: Ticket) -> None:
        """The service let this call through."""
        with self._lock:
            self.pacer.passed(ticket)

    def refused(self, ticket: Ticket, now: float) -> None:
        """The service refused this call as too fast."""
        with self._lock:
            self.pacer.refused(ticket, now)

    def returned(self, ticket: Ticket) -> None:
        """The call was not made after all."""
        with self._lock:
            self.pacer.returned(ticket)

    def believe(self, rate: float, burst: float) -> None:
        """Go on with another quota."""
        with self._lock:
            self.pacer.believe(rate, burst)
