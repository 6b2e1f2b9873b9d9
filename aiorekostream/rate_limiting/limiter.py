"""Provide the default rate limiter, which every client of a process shares."""

import asyncio
import weakref
from collections.abc import Mapping, MutableMapping

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.fields import flag
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.errors import RateLimitedError
from aiorekostream.limits import Quota, Scope
from aiorekostream.rate_limiting.permit_queue import PermitQueue
from aiorekostream.rate_limiting.port import Permit, PermitRequest, RateStatus
from aiorekostream.rate_limiting.token_bucket import AdaptiveTokenBucket, Grant

__all__ = ["LocalRateLimiter"]

# The buckets of each timeline. They stay as long as the timeline: what they have learned is worth more than their
# memory. They hold no reference to a clock or an event loop, so both can be collected.
# Threads need no lock here: ``setdefault`` is atomic.
_buckets: MutableMapping[object, dict[tuple[Scope, str], AdaptiveTokenBucket]] = weakref.WeakKeyDictionary()

# The queues in which requests wait, by the id of the event loop, which a queue keeps alive, and by bucket. A queue
# lives no longer than its waiting calls, so a closed loop leaves nothing behind, whatever was pending in it.
_queues: weakref.WeakValueDictionary[tuple[int, AdaptiveTokenBucket], PermitQueue] = weakref.WeakValueDictionary()


def _find_queue(bucket: AdaptiveTokenBucket) -> PermitQueue | None:
    """Return the queue before a bucket in the running event loop, if there is one."""
    return _queues.get((id(asyncio.get_running_loop()), bucket))


@attrs.define(eq=False, repr=False)
class _LocalPermit:
    """See ``Permit``."""

    _bucket: AdaptiveTokenBucket
    _grant: Grant
    _clock: Clock
    _is_reported: bool = attrs.field(default=False, init=False)

    def allowed(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._bucket.allowed(self._grant)

    def throttled(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._bucket.throttled(self._grant, self._clock.now())
            self._reschedule()

    def cancel(self) -> None:
        if not self._is_reported:
            self._is_reported = True
            self._bucket.cancel(self._grant)
            self._reschedule()

    def _reschedule(self) -> None:
        if (queue := _find_queue(self._bucket)) is not None:
            queue.reschedule()


def _account(value: str | None) -> str | None:
    if value is not None and not isinstance(value, str):
        reject(value, "text, or None")
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class LocalRateLimiter(Validated):
    """Grant permits to every client of the same account and Region in this process.

    Requests are served by priority, and first come, first served among equals. The bucket is shared by the whole
    process: by event loops that run one after the other, and by those of several threads, each of which has a queue of
    its own.

    The limiter starts with the quota of the client's ``limits``, uses the burst, and learns the real quota from
    throttles. It logs a decrease and a full recovery of the rate at INFO to the logger ``aiorekostream``, with
    ``operation``, ``rate_before`` and ``rate_after`` as fields. Accounts are told apart by number where the credentials
    contain it, else by access key.

    Attributes:
        wait: whether a request waits for its permit; if not, it fails at once with ``RateLimitedError``.
        account: a name for the account that replaces the one of the scope, for several access keys that draw on one
            quota.

    Raises:
        InvalidRequestError: fields are invalid; all issues at once.
    """

    wait: bool = attrs.field(default=True, converter=flag)
    account: str | None = attrs.field(default=None, converter=_account)

    async def acquire(self, request: PermitRequest) -> Permit:
        """Wait for a permit. See ``RateLimiter.acquire``.

        Raises:
            RateLimitedError: no permit was available within ``request.timeout`` seconds, or at once if ``wait`` is
                false.
        """
        clock, quota = request.clock, request.quota
        buckets, key = _buckets.setdefault(clock.timeline(), {}), self._key(request.scope, request.operation)
        bucket = buckets.get(key)
        if bucket is None:
            bucket = buckets.setdefault(key, AdaptiveTokenBucket(quota.rate, quota.burst, request.operation))
        queue = _find_queue(bucket)
        if quota.rate != bucket.rate or quota.burst != bucket.burst:
            bucket.set_quota(quota.rate, quota.burst)
            if queue is not None:
                queue.reschedule()
        can_wait = self.wait and request.timeout > 0
        if not queue:
            result = bucket.try_acquire(clock.now(), spread=can_wait)
            if isinstance(result, Grant):
                return _LocalPermit(bucket, result, clock)
        if not can_wait:
            delay = bucket.delay(clock.now(), queue_length=len(queue or ()))
            message = f"the quota of {quota.rate:g} calls/s is used up for {delay:.3g} s"
            raise RateLimitedError(message, operation=request.operation, retry_after=delay)
        if queue is None:
            queue = PermitQueue(bucket, clock)
            _queues[id(asyncio.get_running_loop()), bucket] = queue
        return _LocalPermit(bucket, await queue.wait(request), clock)

    def rates(self, scope: Scope, quotas: Mapping[str, Quota], clock: Clock) -> dict[str, RateStatus]:
        """Return the state of each operation's limit; operations that were never called have their whole quota.

        Args:
            scope: the endpoint, Region and account.
            quotas: the believed quotas by AWS's name of the operation.
            clock: the client's clock.

        Raises:
            ConfigurationError: the clock is that of the event loop, and none is running.
        """
        buckets, now = _buckets.get(clock.timeline(), {}), clock.now()
        statuses: dict[str, RateStatus] = {}
        queues = [queue for reference in _queues.valuerefs() if (queue := reference()) is not None]
        for operation, quota in quotas.items():
            bucket = buckets.get(self._key(scope, operation)) or AdaptiveTokenBucket(quota.rate, quota.burst)
            statuses[operation] = RateStatus(
                believed_rate=bucket.rate,
                used_rate=bucket.rate_at(now),
                queue_length=sum(len(queue) for queue in queues if queue.bucket is bucket),
            )
        return statuses

    def _key(self, scope: Scope, operation: str) -> tuple[Scope, str]:
        return (scope if self.account is None else attrs.evolve(scope, account=self.account)), operation
