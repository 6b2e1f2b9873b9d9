"""A service with a token bucket, and a client that always has another call to make: what a pacer is tried on. Pure."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiorekostream.resilience.pacing import Pacer, Ticket

__all__ = ["Bucket", "Flow", "flow"]


@attrs.define
class Bucket:
    """Full at first; a hair of tolerance, so that sums of floats do not count."""

    rate: float
    burst: float
    level: float = attrs.field(init=False)
    at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.level = self.burst

    def admits(self, now: float) -> bool:
        self.level = min(self.burst, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        if self.level < 1 - 1e-6:
            return False
        self.level -= 1
        return True


@attrs.define
class Flow:
    """What came of it: when calls were sent, when they were let through, and when they were refused."""

    sent: list[float] = attrs.field(factory=list)
    admitted: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)

    def rate(self, since: float, until: float) -> float:
        return sum(since <= moment < until for moment in self.admitted) / (until - since)


def flow(
    pacer: Pacer, bucket: Bucket, *, seconds: float, way: Callable[[], float] = lambda: 0.01, start: float = 0.0
) -> Flow:
    """Make calls for so many seconds, as fast as the pacer lets them; ``way`` says how long each message takes."""
    found, numbers = Flow(), itertools.count()
    events: list[tuple[float, int, str, Ticket | None]] = [(start, next(numbers), "go", None)]
    for now, what, ticket in _in_order(events):
        if now >= start + seconds:
            break
        if ticket is None:
            ready = pacer.ready_at(now)
            if ready <= now:
                found.sent.append(now)
                heapq.heappush(events, (now + way(), next(numbers), "arrives", pacer.take(now)))
            heapq.heappush(events, (max(ready, now), next(numbers), "go", None))
        elif what == "arrives":
            is_admitted = bucket.admits(now)
            (found.admitted if is_admitted else found.refused).append(now)
            heapq.heappush(events, (now + way(), next(numbers), "passed" if is_admitted else "refused", ticket))
        elif what == "passed":
            pacer.passed(ticket)
        else:
            pacer.refused(ticket, now)
    return found


def _in_order(events: list[tuple[float, int, str, Ticket | None]]) -> Iterator[tuple[float, str, Ticket | None]]:
    while events:
        now, _, what, ticket = heapq.heappop(events)
        yield now, what, ticket
