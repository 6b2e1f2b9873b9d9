"""Simulate a service with a strict token bucket and a client with a backlog of requests. Pure: no event loop."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from aiorekostream.rate_limiting.token_bucket import AdaptiveTokenBucket, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ServiceBucket", "Traffic", "simulate"]


@attrs.define
class ServiceBucket:
    """The service's token bucket, full at first; it tolerates rounding errors of float sums."""

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
class Traffic:
    """The moments at which requests were sent, accepted and throttled."""

    sent: list[float] = attrs.field(factory=list)
    admitted: list[float] = attrs.field(factory=list)
    throttled: list[float] = attrs.field(factory=list)

    @property
    def throttled_share(self) -> float:
        return len(self.throttled) / len(self.sent)

    def rate(self, since: float, until: float) -> float:
        return sum(since <= moment < until for moment in self.admitted) / (until - since)


def simulate(
    bucket: AdaptiveTokenBucket,
    service: ServiceBucket,
    *,
    seconds: float = float("inf"),
    arrivals: Iterable[float] | None = None,
    latency: Callable[[], float] = lambda: 0.01,
    start: float = 0.0,
    stray: frozenset[int] = frozenset(),
    others: tuple[float, float] = (0.0, 0.0),
) -> Traffic:
    """Send requests as fast as the client's bucket allows, and each throttled one again.

    Args:
        bucket: the client's.
        service: the service's.
        seconds: how long the simulation lasts.
        arrivals: when requests arrive; if ``None``, there is always another one.
        latency: gives the seconds that a message takes.
        start: the first moment.
        stray: the numbers of sent requests, from 1, that the service throttles whatever its bucket holds.
        others: calls a second that another client draws from the service's bucket, and until when.
    """
    simulation = _RateSimulation(bucket, service, latency, stray, others, rival_next=start)
    if arrivals is None:
        simulation.backlog = 10**9
        arrivals, simulation.resends = [start], False
    for moment in arrivals:
        simulation.add(moment, "request")
    simulation.run(start + seconds)
    return simulation.traffic


@attrs.define
class _RateSimulation:
    bucket: AdaptiveTokenBucket
    service: ServiceBucket
    latency: Callable[[], float]
    stray: frozenset[int]
    others: tuple[float, float]
    rival_next: float
    resends: bool = True
    traffic: Traffic = attrs.field(factory=Traffic)
    backlog: int = 0
    poll_at: float = float("inf")
    numbers: Iterator[int] = attrs.field(factory=itertools.count)
    events: list[tuple[float, int, str, Grant | None]] = attrs.field(factory=list)

    def add(self, moment: float, what: str, grant: Grant | None = None) -> None:
        heapq.heappush(self.events, (moment, next(self.numbers), what, grant))

    def run(self, until: float) -> None:
        while self.events:
            now, _, what, grant = heapq.heappop(self.events)
            if now >= until:
                return
            if grant is None:
                self._send(now, what)
            elif what == "arrives":
                self._arrive(now, grant)
            elif what == "allowed":
                self.bucket.allowed(grant)
            else:
                self.bucket.throttled(grant, now)
                if self.resends:
                    self.add(now, "request")

    def _send(self, now: float, what: str) -> None:
        if what == "request":
            self.backlog += 1
        elif now == self.poll_at:
            self.poll_at = float("inf")
        while self.backlog > 0:
            ready = self.bucket.ready_at(now)
            if ready > now:
                self._poll_at(ready)
                return
            self.backlog -= 1
            self.traffic.sent.append(now)
            self.add(now + self.latency(), "arrives", self.bucket.acquire(now))

    def _poll_at(self, ready: float) -> None:
        if ready < self.poll_at:
            self.poll_at = ready
            self.add(ready, "poll")

    def _arrive(self, now: float, grant: Grant) -> None:
        rate, until = self.others
        while rate and self.rival_next <= min(now, until):
            self.service.admits(self.rival_next)
            self.rival_next += 1 / rate
        is_admitted = self.service.admits(now) and grant.number not in self.stray
        (self.traffic.admitted if is_admitted else self.traffic.throttled).append(now)
        self.add(now + self.latency(), "allowed" if is_admitted else "throttled", grant)
