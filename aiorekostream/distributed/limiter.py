"""Provide the rate limiter whose quotas many hosts share."""

import asyncio
import datetime
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import attrs
from redis.asyncio import Redis

from aiorekostream.clock import Clock, SystemClock, running_loop
from aiorekostream.distributed.connection import RedisConnection, host_name
from aiorekostream.distributed.host_share import Membership
from aiorekostream.distributed.lease_book import Lease, LeaseBook
from aiorekostream.distributed.options import RedisOptions, describe_server, tagged_key
from aiorekostream.distributed.outages import OutageLog
from aiorekostream.distributed.shared_quota import SharedQuota
from aiorekostream.errors import ConfigurationError, RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting.port import Permit, PermitRequest, RateStatus
from aiorekostream.rate_limiting.token_bucket import SINGLE_REQUEST_RATE_SHARE, AdaptiveTokenBucket

__all__ = ["RedisRateLimiter"]


@attrs.define(eq=False)
class _SharedPermit:
    """See ``Permit``."""

    _quota: SharedQuota
    _lease: Lease
    _is_reported: bool = attrs.field(default=False, init=False)

    def allowed(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._quota.allowed(self._lease)

    def throttled(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._quota.throttled(self._lease)

    def cancel(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._quota.cancel(self._lease)


class _Host:
    """The part of the limiter in one event loop: to other hosts, it is a host of its own."""

    def __init__(self, redis: str | Redis, *, timeout: float) -> None:
        self.connection = RedisConnection(redis, timeout=timeout)
        self.outages = OutageLog(describe_server(redis))
        self.name = host_name()
        self.quotas: dict[tuple[object, Scope, str], SharedQuota] = {}
        # By clock and scope: the places of this host, as the quotas of the account heard.
        self.memberships: dict[tuple[object, Scope], dict[str, Membership]] = {}


class RedisRateLimiter:
    """Share the quotas of an account among hosts, through a Redis or Valkey server.

    Every host gives the same ``prefix``, and its clients the same ``limits``. The server holds one token bucket for
    each quota. Each host has a queue of its own, leases permits in small batches, and reports to the server what
    was throttled, so that all hosts learn the real quota together. Only the server's clock counts.

    While the server is out of reach, hung or out of memory, a host continues at its share of the rate, which is the
    rate divided by the number of hosts that used any quota of the account, as last seen, without a burst. If there are
    more hosts than one plus a tenth of the burst, a call waits for the turn of its host, at most for the number of
    hosts divided by the rate, in seconds. The host asks again once a second. A loss is logged at WARNING to
    ``aiorekostream``, and the recovery at INFO.

    The limiter may be used from several event loops; each counts as a host. Close it in each of them, with ``aclose``
    or ``async with``. The server's time is real, so a client with another clock needs a ``LocalRateLimiter``.

    Args:
        redis: the URL of the server, such as ``rediss://user:password@host:6379/0``, or a ``redis.asyncio.Redis``,
            which the caller closes, and which belongs to one event loop.
        prefix: the first part of every key.
        expected_hosts: the number of hosts that a host assumes until it has heard from the server; at least 1.
        timeout: the time without a reply after which the server counts as out of reach, as a ``timedelta`` or in
            seconds from 0.001 to 60.
        slack: the share of the rate that is used of a quota whose burst is less than 2, from 0.01 to 1.
        account: a name for the account that replaces the one of the scope, for several access keys that draw on one
            quota.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once. No message contains a password.
    """

    def __init__(
        self,
        redis: str | Redis,
        *,
        prefix: str = "rks",
        expected_hosts: int = 2,
        timeout: datetime.timedelta | float = 0.25,
        slack: float = SINGLE_REQUEST_RATE_SHARE,
        account: str | None = None,
    ) -> None:
        self._options = RedisOptions(
            redis=redis,
            prefix=prefix,
            expected_hosts=expected_hosts,
            timeout=timeout,
            slack=slack,
            account=account,
        )
        # One for each event loop. Those of closed loops are dropped when another one is added.
        self._hosts: dict[asyncio.AbstractEventLoop, _Host] = {}

    def __repr__(self) -> str:
        return f"<RedisRateLimiter at {describe_server(self._options.redis)}, prefix {self._options.prefix!r}>"

    async def acquire(self, request: PermitRequest) -> Permit:
        """Wait for a permit. See ``RateLimiter.acquire``.

        A request whose ``timeout`` is shorter than that of the server may wait for the reply of the server.

        Raises:
            RateLimitedError: no permit was available within ``request.timeout`` seconds.
        """
        quota = self._find_quota(request)
        if request.timeout <= self._options.timeout and not quota.queue:
            await quota.refresh()
        if not quota.queue:
            result = quota.try_acquire(request.clock.now())
            if isinstance(result, Lease):
                return _SharedPermit(quota, result)
        if request.timeout <= 0:
            delay = quota.delay(request.clock.now(), queue_length=len(quota.queue))
            message = f"the quota of {request.quota.rate:g} calls/s is used up for {delay:.3g} s"
            raise RateLimitedError(message, operation=request.operation, retry_after=delay)
        grant = await quota.queue.wait(request)
        assert isinstance(grant, Lease)  # noqa: S101 - what the shared quota grants
        return _SharedPermit(quota, grant)

    def rates(self, scope: Scope, quotas: Mapping[str, Quota], clock: Clock) -> dict[str, RateStatus]:
        """Return what this host knows about each operation's limit, in the running event loop.

        Args:
            scope: the endpoint, Region and account.
            quotas: the believed quotas by AWS's name of the operation.
            clock: the client's clock.

        Raises:
            ConfigurationError: no event loop is running.
        """
        host = self._hosts.get(running_loop())
        statuses: dict[str, RateStatus] = {}
        for operation, quota in quotas.items():
            shared = None if host is None else host.quotas.get((clock.timeline(), *self._key(scope, operation)))
            statuses[operation] = self._unused(quota) if shared is None else shared.status()
        return statuses

    async def aclose(self) -> None:
        """Return the leased permits, and close the connections of the running event loop."""
        host = self._hosts.pop(asyncio.get_running_loop(), None)
        if host is not None:
            await asyncio.gather(*(quota.aclose() for quota in host.quotas.values()))
            await host.connection.aclose()

    async def __aenter__(self) -> Self:
        """Check the connection; a server that is out of reach is no error.

        Raises:
            ConfigurationError: the server rejects the credentials, or is a replica.
        """
        try:
            await self._host().connection.check(self._options.prefix, SystemClock(), user=repr(self))
        except ConfigurationError:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _host(self) -> _Host:
        loop = asyncio.get_running_loop()
        host = self._hosts.get(loop)
        if host is None:
            for closed in [other for other in list(self._hosts) if other.is_closed()]:
                self._hosts.pop(closed, None)
            host = self._hosts[loop] = _Host(self._options.redis, timeout=self._options.timeout)
        return host

    def _find_quota(self, request: PermitRequest) -> SharedQuota:
        host, names = self._host(), self._key(request.scope, request.operation)
        key = (request.clock.timeline(), *names)
        quota = host.quotas.get(key)
        if quota is None:
            guess = Membership.guessed(host.name, self._options.expected_hosts)
            book = LeaseBook(
                quota=request.quota,
                slack=self._options.slack,
                hosts=self._options.expected_hosts,
                patience=self._options.timeout,
                operation=request.operation,
                memberships=host.memberships.setdefault(key[:2], {"": guess}),
            )
            quota = host.quotas[key] = SharedQuota(
                book,
                clock=request.clock,
                connection=host.connection,
                keys=self._keys(*names),
                host=host.name,
                outages=host.outages,
            )
        elif quota.book.quota != request.quota:
            quota.book.quota = request.quota
        return quota

    def _unused(self, quota: Quota) -> RateStatus:
        """Return the state of a limit that this host has not used yet."""
        most = AdaptiveTokenBucket(quota.rate, quota.burst, slack=self._options.slack).max_rate
        return RateStatus(believed_rate=quota.rate, used_rate=most, queue_length=0, hosts=self._options.expected_hosts)

    def _key(self, scope: Scope, operation: str) -> tuple[Scope, str]:
        return (
            scope if self._options.account is None else attrs.evolve(scope, account=self._options.account)
        ), operation

    def _keys(self, scope: Scope, operation: str) -> tuple[str, str]:
        quota = tagged_key(self._options.prefix, scope, operation)
        return f"{quota}:bucket", f"{quota}:hosts"
