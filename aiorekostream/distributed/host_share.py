"""Grant one host's share of a rate, in turns between those of the other hosts."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import attrs

from aiorekostream.rate_limiting.token_bucket import BURST_SHARE, AdaptiveTokenBucket

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HostShare", "Membership", "begin_share", "latest_membership"]

# Seconds. Quotas that heard of the hosts within this time of each other heard of the same hosts: the script counts a
# host for so long.
_SAME_HOSTS = 10.0
# Seconds. A request that waited for a turn and is late by no more still goes at once, not a whole period later. A later
# one waits: it cannot be told from one that has just come, and those of all hosts at once would be a burst.
_LATE_WITHIN = 0.1


@attrs.frozen
class Membership:
    """The place of a host in the group of hosts that share an account.

    Attributes:
        hosts: the number of hosts; at least 1.
        phase: where the turns of this host lie between those of the others, from 0 to 1.
        offset: seconds by which the server's clock is ahead of this host's.
        heard_at: when the server said so, on this host's clock; minus infinity for a guess.
    """

    hosts: int
    phase: float = 0.0
    offset: float = 0.0
    heard_at: float = -math.inf

    @classmethod
    def guessed(cls, host: str, hosts: int) -> Membership:
        """Return the place of a host that has not heard from the server, from its name."""
        digest = hashlib.blake2b(host.encode(), digest_size=6).digest()
        return cls(hosts, int.from_bytes(digest, "big") / 2**48)


def latest_membership(memberships: Iterable[Membership]) -> Membership:
    """Return the membership in the largest group that a quota of the account has heard of lately."""
    known = list(memberships)
    latest = max(each.heard_at for each in known)
    return max((each for each in known if each.heard_at >= latest - _SAME_HOSTS), key=lambda each: each.hosts)


@attrs.define(eq=False)
class HostShare(AdaptiveTokenBucket):
    """A bucket of one token that is granted in a turn of this host.

    Without the server, a host cannot tell whether the others are idle. If each had a token ready, all hosts together
    would send a burst of one request each. So the hosts send in turns, and an idle host waits for its next turn.

    Attributes:
        membership: the place of this host.
        room: the calls by which the hosts together may exceed the rate.
    """

    membership: Membership = attrs.field(kw_only=True)
    room: float = attrs.field(kw_only=True)
    _turn_at: float = attrs.field(default=-math.inf, init=False)

    def ready_at(self, now: float, *, spread: bool = True) -> float:
        """See ``AdaptiveTokenBucket.ready_at``; the result is the moment of a turn."""
        ready = super().ready_at(now, spread=spread)
        period = 1 / self.max_rate
        late_within = min(_LATE_WITHIN, self.room * period / self.membership.hosts)
        if now > self._turn_at + late_within or ready > max(now, self._turn_at) + period / 2:
            # The next turn stays where it is, even if this one was used late.
            begin = self.membership.phase * period - self.membership.offset
            earliest = max(now, ready - period / 2)
            self._turn_at = begin + math.ceil((earliest - begin) / period) * period
        return max(now, self._turn_at)


def begin_share(
    share: float, membership: Membership, *, burst: float, slack: float, operation: str
) -> AdaptiveTokenBucket:
    """Return the bucket of a host's share.

    Args:
        share: the calls a second of this host.
        membership: the place of the host.
        burst: that of the quota of all hosts.
        slack: see ``AdaptiveTokenBucket``.
        operation: AWS's name of the operation, for the log.
    """
    room = burst - max(0.0, BURST_SHARE * burst - 1)  # what the bucket on the server leaves unused
    if membership.hosts <= room:  # so few hosts may each have a call ready
        return AdaptiveTokenBucket(share, 1.0, operation, slack=slack)
    return HostShare(share, 1.0, operation, slack=slack, membership=membership, room=room)
