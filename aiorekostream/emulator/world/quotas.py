"""Enforce request quotas with a token bucket per account, Region and operation. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.limits import Quota

__all__ = ["PROVISIONED_RATE_EXCEEDED", "SLOW_DOWN", "QuotaBucket", "Quotas"]

SLOW_DOWN = Refusal("ThrottlingException", "Slow down; sudden increase in rate of requests.")
PROVISIONED_RATE_EXCEEDED = Refusal("ProvisionedThroughputExceededException", "Provisioned Rate exceeded.")

# Buckets: of a thousand callers that use every operation. Ever new access keys would otherwise fill the memory.
_MAX_BUCKETS = 10_000
# Seconds since the bucket was full in which a refusal counts as a sudden increase. UNCERTAIN: see ``Quotas.refusal``.
_BURST_WINDOW_SECONDS = 1.0


@attrs.define
class QuotaBucket:
    """A token bucket of a request quota.

    Attributes:
        quota: the fill rate in tokens a second, and the capacity.
        tokens: the number of tokens at ``updated_at``.
        updated_at: the time of the latest update, in epoch seconds.
        full_at: the latest time at which the bucket was full, in epoch seconds.
    """

    quota: Quota
    tokens: float
    updated_at: float
    full_at: float

    def is_full(self, now: float) -> bool:
        """Return whether the bucket is like a new one."""
        return self.tokens + max(0.0, now - self.updated_at) * self.quota.rate >= self.quota.burst

    def try_acquire(self, now: float) -> bool:
        """Take one token; return False if none is available."""
        self.tokens = min(self.quota.burst, self.tokens + max(0.0, now - self.updated_at) * self.quota.rate)
        self.updated_at = max(self.updated_at, now)
        if self.tokens >= self.quota.burst:
            self.full_at = self.updated_at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@attrs.define
class Quotas:
    """The token buckets of all accounts.

    Attributes:
        quotas: quotas by AWS's name of the operation; other operations are unlimited.
    """

    quotas: Mapping[str, Quota]
    _buckets: dict[tuple[Caller, str], QuotaBucket] = attrs.field(factory=dict, init=False)

    def refusal(self, caller: Caller, operation: str, now: float) -> Refusal | None:
        """Take a token for a request and return None, or return the refusal of a request above the quota.

        UNCERTAIN: AWS documents both error codes but not when it uses each. The emulator follows their messages:
        a refusal within a second after the bucket was full is a sudden increase; a later one exceeds the provisioned
        rate.
        """
        quota = self.quotas.get(operation)
        if quota is None:
            return None
        bucket = self._buckets.get((caller, operation))
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[caller, operation] = QuotaBucket(quota, quota.burst, now, now)
        if bucket.try_acquire(now):
            return None
        return SLOW_DOWN if now - bucket.full_at <= _BURST_WINDOW_SECONDS else PROVISIONED_RATE_EXCEEDED

    def _make_room(self, now: float) -> None:
        """Forget full buckets when there are too many, and the older half if most of them are not full."""
        if len(self._buckets) < _MAX_BUCKETS:
            return
        kept = [(key, bucket) for key, bucket in self._buckets.items() if not bucket.is_full(now)]
        self._buckets = dict(kept[-_MAX_BUCKETS // 2 :])

    def clear(self) -> None:
        """Refill all buckets."""
        self._buckets.clear()
