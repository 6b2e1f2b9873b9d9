"""Decide when a host asks for permits, for how many, and which of the leased ones it may use now.

The server leases permits ahead of time, each with the moment at which it is due. A host asks for as many as it is
likely to use within ``LEASE_SECONDS``, and returns those that it does not use after all. Without the server it grants
permits at its share of the rate; many hosts do so in turns.

The time is an argument, and nothing here waits.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import attrs

from aiorekostream.distributed.exchange import LeaseExchange, Report
from aiorekostream.distributed.host_share import Membership, begin_share, latest_membership
from aiorekostream.limits import Quota
from aiorekostream.rate_limiting.token_bucket import (
    BURST_SPEED,
    DUE_WITHIN,
    MIN_BURST_WITH_ROOM,
    REMEMBERED_REQUESTS,
    AdaptiveTokenBucket,
    Grant,
)

if TYPE_CHECKING:
    from aiorekostream.distributed.exchange import Taken

__all__ = ["Lease", "LeaseBook"]

# Seconds. A host leases what it is likely to use in this time. At 100 calls/s and three hosts, these are ten permits
# for one round trip; what a host takes along when it dies is as little.
LEASE_SECONDS = 0.3
# Permits. Fewer at a time would save few round trips, and would be used up although another host was throttled.
_SMALLEST_BATCH = 4
# All hosts may hold a whole batch at once; the horizon leaves room for half as many more, ...
_HORIZON_SHARE = 1.5
# ... but for no more than so many seconds.
_MAX_HORIZON = 2.0
# Seconds between permits from which on each is taken at the moment at which it is due, if the quota has no burst: a
# request that was late then delays the next one, whichever host sends it.
_SLOW_INTERVAL = 0.1
# Seconds. A permit that is not used so long after it was due goes back: the service's bucket may have overflowed.
_STALE_AFTER = 0.25
# The same for a quota without a burst, whose bucket overflows at once.
_STALE_AFTER_SINGLE = 5 * DUE_WITHIN
# Seconds. Other hosts return permits, and the rate changes, so a host that was told to wait asks again after this time.
_RECHECK = 2.5
# Seconds between attempts to reach the server.
_RETRY = 1.0
# Recent answers, from which the usual time of an answer is taken.
_REMEMBERED_ANSWERS = 20


@attrs.frozen
class Lease(Grant):
    """A permit that this host may use.

    Attributes:
        alone: what the host's own bucket granted, if the server did not.
    """

    alone: Grant | None = None


@attrs.define(eq=False, kw_only=True)
class LeaseBook:
    """Hold the leased permits of one quota, and what the host knows about it.

    Attributes:
        quota: the quota that the client believes in.
        slack: see ``AdaptiveTokenBucket``.
        hosts: the number of hosts last seen; at first, the number that is expected.
        patience: seconds for which the host waits for a reply.
        operation: AWS's name of the operation, for the log.
        memberships: by operation, the place of this host among those of the account, as its quota heard last.
        leases: permits that were leased and not used yet, in the order in which they are due.
        alone: the bucket of this host's share; ``None`` while the server is reachable.
    """

    quota: Quota
    slack: float
    hosts: int
    patience: float = math.inf
    operation: str = ""
    memberships: dict[str, Membership] = attrs.field(factory=dict[str, Membership])
    leases: deque[Lease] = attrs.field(factory=deque[Lease], init=False)
    alone: AdaptiveTokenBucket | None = attrs.field(default=None, init=False)
    _alone_count: int = attrs.field(default=0, init=False)
    _sharers: int = attrs.field(default=1, init=False)
    _reports: list[Report] = attrs.field(factory=list[Report], init=False)
    _ask_at: float = attrs.field(default=-math.inf, init=False)
    _retry_at: float = attrs.field(default=-math.inf, init=False)
    # Whether an exchange is on its way; its reply comes by itself.
    _is_asking: bool = attrs.field(default=False, init=False)
    _known_number: int = attrs.field(default=0, init=False)
    _known_at: float = attrs.field(default=0.0, init=False)
    _seen: float = attrs.field(default=0.0, init=False)
    _known_rate: float = attrs.field(default=0.0, init=False)
    # When the server expects to have the next permit; ``_ask_at`` is never far away.
    _ready_at: float = attrs.field(default=-math.inf, init=False)
    _granted_at: float = attrs.field(default=-math.inf, init=False)
    # The next permit of a burst is not used before.
    _spread_at: float = attrs.field(default=-math.inf, init=False)
    _recent: deque[float] = attrs.field(factory=deque[float], init=False)
    _accepted: deque[int] = attrs.field(factory=lambda: deque[int](maxlen=REMEMBERED_REQUESTS), init=False)
    _answer_times: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_REMEMBERED_ANSWERS), init=False)

    @property
    def has_room(self) -> bool:
        """Whether the burst absorbs requests that arrive closer together than they were sent."""
        return self.quota.burst >= MIN_BURST_WITH_ROOM

    @property
    def has_urgent_reports(self) -> bool:
        """Whether there is a report that other hosts need at once."""
        return any(report.kind != "cancelled" for report in self._reports)

    @property
    def is_clear(self) -> bool:
        """Whether the host holds nothing that the server should know."""
        return not self.leases and not self._reports

    def rate_at(self, now: float) -> float:
        """Return the rate at which this host knows that permits are granted, in calls a second."""
        if self.alone is not None:
            return self.alone.rate_at(now)
        return self._known_rate or (self.quota.rate if self.has_room else self.quota.rate * self.slack)

    # ---------------------------------------------------------------------------------------------------------- grant

    def try_acquire(self, now: float) -> Lease | float:
        """Take a permit that is due, or return the moment at which another look is worthwhile."""
        self._return_stale(now)
        if self.leases:
            # A host that wakes late holds several permits that are due: they go out as a burst of the service does.
            due_at = max(self.leases[0].at, self._spread_at)
            if due_at > now + DUE_WITHIN:
                return due_at
            return self._granted(self.leases.popleft(), now)
        if self.alone is not None:
            grant = self.alone.try_acquire(now)
            if not isinstance(grant, Grant):
                return grant if self._is_asking else min(grant, self._retry_at)
            self._alone_count += 1
            return self._granted(Lease(grant.number, grant.at, grant), now)
        return math.inf if self._is_asking else max(self._ask_at, self._retry_at)

    def delay(self, now: float, *, queue_length: int) -> float:
        """Return the expected wait in seconds of a request behind so many others."""
        rate = self.rate_at(now)
        if self.leases:
            ready_at = self.leases[0].at
        elif self.alone is not None:
            return self.alone.delay(now, queue_length=queue_length)
        else:
            ready_at = self._ready_at
        return max(0.0, ready_at - now) + queue_length / rate

    # ----------------------------------------------------------------------------------------------------------- report

    def allowed(self, lease: Lease, now: float) -> None:
        """Note that the service accepted the request."""
        if lease.alone is not None:
            if self.alone is not None:
                self.alone.allowed(lease.alone)
            return
        self._accepted.append(lease.number)
        if not self.has_room:
            self._note_answer_time(now - lease.at)

    def throttled(self, lease: Lease, now: float) -> None:
        """Note that the service rejected the request as too fast."""
        if lease.alone is not None:
            if self.alone is not None:
                self.alone.throttled(lease.alone, now)
            return
        # The permits that are left were leased at a rate that has proved too high.
        self._return_leases()
        overtaking = sum(number > lease.number for number in self._accepted)
        self._reports.append(Report("throttled", lease.number, max(0.0, now - lease.at), overtaking))

    def cancel(self, lease: Lease, now: float) -> None:
        """Take a permit back: the request was not sent."""
        if lease.alone is not None:
            self._alone_count = max(0, self._alone_count - 1)
            if self.alone is not None:
                self.alone.cancel(lease.alone)
            return
        self.leases.appendleft(lease)
        self._spread_at = -math.inf
        self._return_stale(now)

    # --------------------------------------------------------------------------------------------------------- exchange

    def plan(self, now: float, *, waiting: int) -> LeaseExchange | None:
        """Return what to ask the server now; ``None`` if there is no need, or it is too early.

        Args:
            now: the time.
            waiting: the requests that wait for a permit.
        """
        if self._is_asking or now < self._retry_at:
            return None
        batch, horizon = self._terms(now)
        want = 0
        if waiting and now >= self._ask_at and len(self.leases) <= batch // 4:
            want = max(0, min(batch, max(waiting, self._count_recent(now))) - len(self.leases))
        return self._exchange(now, want, horizon) if want or self.has_urgent_reports else None

    def plan_return(self, now: float) -> LeaseExchange | None:
        """Return the exchange to make when nothing waits: every leased permit goes back."""
        if self._is_asking or now < self._retry_at:
            return None
        self._return_leases()
        return self._exchange(now, 0, 0.0) if self._reports else None

    def answered(self, exchange: LeaseExchange, taken: Taken, now: float) -> None:
        """Take in the reply to an exchange."""
        self.alone, self._is_asking = None, False
        self._alone_count -= exchange.alone
        self._seen, self._known_at, self._known_rate = taken.now, now, taken.rate
        if exchange.want:  # the script counts only hosts that want permits, so this one may not be among them
            self.hosts = self._sharers = taken.hosts
            self.memberships[self.operation] = Membership(taken.hosts, taken.rank / taken.hosts, taken.now - now, now)
        for offset, wait in enumerate(taken.waits):
            self.leases.append(Lease(taken.first_number + offset, now + wait))
        self._known_number = taken.first_number + len(taken.waits) - 1
        is_short = len(taken.waits) < exchange.want
        self._ready_at = now + taken.retry_after if is_short else -math.inf
        self._ask_at = min(self._ready_at, now + _RECHECK)

    def too_late(self, exchange: LeaseExchange, server_now: float, now: float) -> LeaseExchange:
        """Return the exchange to repeat, after the server took it for an old one."""
        self._seen, self._known_at = server_now, now
        return attrs.evolve(exchange, seen=server_now, known_for=0.0)

    def failed(self, exchange: LeaseExchange, now: float, *, hosts: int | None = None) -> None:
        """Go on alone after an exchange without a reply.

        Args:
            exchange: it may have been carried out, or may not.
            now: the time.
            hosts: the number of hosts, if it was heard nevertheless.
        """
        # A throttle that is reported twice does no harm; permits that are returned twice are sent twice.
        self._reports[:0] = [report for report in exchange.reports if report.kind == "throttled"]
        self.hosts = self.hosts if hosts is None else hosts
        self._retry_at, self._is_asking = now + _RETRY, False
        if self.alone is None:
            membership = latest_membership([*self.memberships.values(), Membership(self.hosts)])
            membership = membership if hosts is None else attrs.evolve(membership, hosts=hosts)
            self._sharers, slack = membership.hosts, 1.0 if self.has_room else self.slack
            share = min(self._known_rate or self.quota.rate, self.quota.rate) / membership.hosts
            self.alone = begin_share(share, membership, burst=self.quota.burst, slack=slack, operation=self.operation)
            last = self.leases[-1].at if self.leases else self._granted_at
            if math.isfinite(last):  # the share counts from the last permit of the server on
                self.alone.ready_at(last)
                self.alone.acquire(last)

    # --------------------------------------------------------------------------------------------------------- internal

    def _granted(self, lease: Lease, now: float) -> Lease:
        self._granted_at, self._spread_at = now, now + 1 / (BURST_SPEED * self.quota.rate)
        self._recent.append(now)
        return lease

    def _count_recent(self, now: float) -> int:
        while self._recent and self._recent[0] <= now - LEASE_SECONDS:
            self._recent.popleft()
        return len(self._recent)

    def _terms(self, now: float) -> tuple[int, float]:
        """Return the size of a batch and its horizon."""
        rate = self.rate_at(now) * (self._sharers if self.alone is not None else 1)
        if not self.has_room and self.quota.rate * _SLOW_INTERVAL <= 1:
            return 1, DUE_WITHIN
        batch = int(rate * LEASE_SECONDS / max(1, self.hosts))
        batch = batch if batch >= _SMALLEST_BATCH else 1
        return batch, min(_MAX_HORIZON, _HORIZON_SHARE * self.hosts * batch / rate)

    def _exchange(self, now: float, want: int, horizon: float) -> LeaseExchange:
        reports, self._reports, self._is_asking = self._reports, [], True
        return LeaseExchange(
            want=want,
            horizon=horizon,
            known_number=self._known_number,
            seen=self._seen,
            known_for=now - self._known_at if self._seen else 0.0,
            patience=self.patience,
            rested=now - self._granted_at if math.isfinite(self._granted_at) else None,
            known_rate=self._known_rate,
            alone=self._alone_count,
            sharers=self._sharers,
            reports=reports,
        )

    def _return_leases(self) -> None:
        while self.leases:  # the last one first, so that the next permit takes its place
            self._reports.append(Report("cancelled", self.leases.pop().number))

    def _return_stale(self, now: float) -> None:
        oldest = now - (_STALE_AFTER if self.has_room else _STALE_AFTER_SINGLE)
        while self.leases and self.leases[0].at < oldest:
            self._reports.append(Report("cancelled", self.leases.popleft().number))

    def _note_answer_time(self, seconds: float) -> None:
        """Report how late a request was: the first one waits for its connection, and others for a busy host."""
        usual = min(self._answer_times, default=0.0)
        self._answer_times.append(seconds)
        if seconds - usual > (1 / self.slack - 1) / self.quota.rate:
            self._reports.append(Report("delayed", 0, seconds - usual))
