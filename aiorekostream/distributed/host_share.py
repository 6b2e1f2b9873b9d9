"""Grant one host's share of a rate, at moments that differ from those of the other hosts."""

from __future__ import annotations

import hashlib
import math

import attrs

from aiorekostream.rate_limiting.token_bucket import AdaptiveTokenBucket

__all__ = ["HostShare", "phase_of"]

# Seconds. A waiting request whose timer is late by no more still goes at once, and not a whole period later. Requests
# that come together within this time exceed the rate by a tenth of what it allows in a second.
_LATE_WITHIN = 0.1


def phase_of(host: str) -> float:
    """Return where the turns of a host lie between those of the others, from 0 up to and without 1."""
    return int.from_bytes(hashlib.blake2b(host.encode(), digest_size=6).digest(), "big") / 2**48


@attrs.define(eq=False)
class HostShare(AdaptiveTokenBucket):
    """A bucket of one token whose first request after a rest waits for the turn of this host.

    Without a server, hosts cannot tell how many of them rest. If each had a token ready, all of them together had a
    burst of one request each. So the turns of a host are one period apart, which is that of its share, and begin at its
    phase of the period. A request that follows another one closely waits for the token alone, as in any bucket.

    Attributes:
        phase: the first turn after time 0, in periods, from 0 up to and without 1.
    """

    phase: float = attrs.field(default=0.0, kw_only=True)
    _turn_at: float = attrs.field(default=-math.inf, init=False)

    def ready_at(self, now: float, *, spread: bool = True) -> float:
        """See ``AdaptiveTokenBucket.ready_at``; after a rest, the moment of the next turn."""
        ready = AdaptiveTokenBucket.ready_at(self, now, spread=spread)
        if ready > now:
            self._turn_at = ready
        elif now > self._turn_at + _LATE_WITHIN:
            period = 1 / self.rate_at(now)
            self._turn_at = (math.ceil(now / period - self.phase) + self.phase) * period
        return max(now, self._turn_at)
