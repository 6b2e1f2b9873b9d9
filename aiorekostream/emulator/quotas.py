"""Request quotas: a token bucket for each account, Region and operation. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aiorekostream.emulator.answers import Refusal
from aiorekostream.emulator.callers import Caller
from aiorekostream.limits import Quota

__all__ = ["PROVISIONED_RATE_EXCEEDED", "SLOW_DOWN", "Bucket", "Quotas"]

SLOW_DOWN = Refusal("ThrottlingException", "Slow down; sudden increase in rate of requests.")
PROVISIONED_RATE_EXCEEDED = Refusal("ProvisionedThroughputExceededException", "Provisioned Rate exceeded.")

_SUDDEN = 1.0


@attrs.define
class Bucket:
    """A token bucket that is full at first.

    Attributes:
        quota: how fast it fills and how much it holds.
        level: what is in it.
        at: when that was so, in epoch seconds.
        full_at: when it was last seen full.
    """

    quota: Quota
    level: float
    at: float
    full_at: float

    def take(self, now: float) -> bool:
        """Take one token, or leave the bucket as it is and answer False."""
        self.level = min(self.quota.burst, self.level + max(0.0, now - self.at) * self.quota.rate)
        self.at = max(self.at, now)
        if self.level >= self.quota.burst:
            self.full_at = self.at
        if self.level < 1:
            return False
        self.level -= 1
        return True


@attrs.define
class Quotas:
    """The buckets of every account.

    Attributes:
        quotas: by AWS's name of the operation; an operation that is not named has no quota.
    """

    quotas: Mapping[str, Quota]
    _buckets: dict[tuple[Caller, str], Bucket] = attrs.field(factory=dict, init=False)

    def refusal(self, caller: Caller, operation: str, now: float) -> Refusal | None:
        """Admit a request, or say how it is refused.

        UNCERTAIN: AWS documents both codes and not when it uses which. Going by their messages, a burst that empties a
        bucket which was full within the last second is a sudden increase; after that the rate itself is exceeded.
        """
        quota = self.quotas.get(operation)
        if quota is None:
            return None
        bucket = self._buckets.get((caller, operation))
        if bucket is None:
            bucket = self._buckets[caller, operation] = Bucket(quota, quota.burst, now, now)
        if bucket.take(now):
            return None
        return SLOW_DOWN if now - bucket.full_at <= _SUDDEN else PROVISIONED_RATE_EXCEEDED

    def clear(self) -> None:
        """Fill every bucket."""
        self._buckets.clear()
